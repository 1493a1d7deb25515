//! A reader's own feed: which number its address has. An address is made from number and server key, so that the
//! database opens no feed, and a higher number makes the earlier address worthless.

use chrono::{DateTime, Utc};

use crate::model::SubscriberId;

use super::audit::record_event;
use super::database::{Result, transact};
use super::open::Store;
use super::values::values;

impl Store {
    /// The number of somebody's feed; none: there is nobody of that id.
    pub async fn feed_number(&self, who: &SubscriberId) -> Result<Option<i64>> {
        self.row("SELECT feed FROM subscribers WHERE id = $1", values![who]).await
    }

    /// Gives somebody's feed the next number, and remembers that, in one transaction.
    pub async fn replace_feed(&self, who: &SubscriberId, now: DateTime<Utc>) -> Result<()> {
        let who = who.clone();
        transact!(self.write, |transaction| {
            transaction.execute("UPDATE subscribers SET feed = feed + 1 WHERE id = $1", values![&who]).await?;
            record_event(transaction, "feed-replaced", (Some(&who), ""), "", now).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::model::{Cadence, EmailAddress, NewsletterId, SubscriptionState, Wish};
    use crate::store::Newcomer;
    use crate::store::fresh::stores;

    #[tokio::test]
    async fn a_feed_has_a_number_that_its_reader_raises_and_takes_along() {
        for (store, _folder) in stores().await {
            let (now, newsletter) = (clock::now(), NewsletterId::new("wire"));
            store.enter_newsletter(newsletter.clone(), vec![], now).await.unwrap();
            let reader = Newcomer {
                email: EmailAddress::parse("reader@example.com").unwrap(),
                name: None,
                details: [None, None, None],
                created_at: now,
                subscription: (newsletter, Cadence::Instant, SubscriptionState::Active),
                wish: Wish::default(),
            };
            store.import(vec![reader], now).await.unwrap();
            let who = store.subscribers_with(&["reader@example.com"]).await.unwrap().remove(0).id;
            assert_eq!(store.feed_number(&who).await.unwrap(), Some(0));
            store.replace_feed(&who, now).await.unwrap();
            assert_eq!(store.feed_number(&who).await.unwrap(), Some(1));
            assert_eq!(store.everything_about(&who).await.unwrap()["person"][0]["feed_number"], "1");
            assert_eq!(store.account_events(&who, 1).await.unwrap()[0].event, "feed-replaced");
            assert_eq!(store.feed_number(&SubscriberId::new("nobody")).await.unwrap(), None);
        }
    }
}
