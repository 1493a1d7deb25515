//! Accounts that move from address to address, and back.

use super::super::address::{NEW_ADDRESS, OLD_ADDRESS};
use super::*;
use crate::store::Newcomer;

const OLD: &str = "reader@example.com";
const NEW: &str = "new@example.com";

/// Readers of one newsletter, and whoever moves.
struct Movers<'s> {
    store: &'s Store,
    keys: ServerKeys,
    now: DateTime<Utc>,
}

impl<'s> Movers<'s> {
    async fn of(store: &'s Store, addresses: &[&str]) -> Movers<'s> {
        let (now, wire) = (clock::now(), NewsletterId::new("wire"));
        store.enter_newsletter(wire.clone(), vec![], now).await.unwrap();
        for address in addresses {
            let subscription = (wire.clone(), Cadence::Instant, SubscriptionState::Active);
            let (email, details) = (EmailAddress::parse(address).unwrap(), [None, None, None]);
            let newcomer = Newcomer {
                email,
                name: None,
                details,
                created_at: now,
                subscription,
                wish: crate::model::Wish::default(),
            };
            store.import(vec![newcomer], now).await.unwrap();
        }
        Movers { store, keys: ServerKeys::new(*b"key", []), now }
    }

    fn asker(&self) -> Asker<'_> {
        Asker { store: self.store, keys: &self.keys, client: "192.0.2.1".parse().unwrap(), now: self.now }
    }

    async fn id_of(&self, address: &str) -> Option<SubscriberId> {
        self.store.subscribers_with(&[address]).await.unwrap().pop().map(|person| person.id)
    }

    /// The token that the mail to the new address would bring.
    async fn asks(&self, who: &SubscriberId, address: &str) -> String {
        let flow = flow_id(clock::random());
        let wanted = (who.clone(), EmailAddress::parse(address).unwrap(), "en".to_owned());
        let asked = self.asker().ask_to_move(wanted, flow.clone()).await.unwrap();
        assert_eq!(asked, Asked::Accepted);
        self.keys.sign(NEW_ADDRESS, &flow)
    }

    /// The token that the mail to the old address would bring, if the link works.
    async fn follows(&self, token: &str) -> Option<String> {
        let flow = flow_id(clock::random());
        let moved = self.asker().move_address(token, flow.clone()).await.unwrap();
        moved.ok().map(|()| self.keys.sign(OLD_ADDRESS, &flow))
    }

    /// Each notice: for what, to whom, and what became of it.
    async fn notices(&self) -> Vec<[String; 3]> {
        let sql =
            "SELECT f.purpose, d.email, COALESCE(d.reason, d.state) FROM deliveries d JOIN flows f ON f.id = d.flow
            ORDER BY f.created_at, f.purpose";
        let rows: Vec<(String, String, String)> = self.store.rows(sql, vec![]).await.unwrap();
        rows.into_iter().map(Into::into).collect()
    }
}

#[tokio::test]
async fn an_address_is_changed_by_the_new_mailbox_and_taken_back_by_the_old() {
    for (store, _folder) in stores().await {
        let mut movers = Movers::of(&store, &[OLD, "other@example.com"]).await;
        let reader = movers.id_of(OLD).await.unwrap();
        store.suppress(vec![OLD.to_owned()], SuppressionReason::HardBounce, movers.now).await.unwrap();
        let confirm = movers.asks(&reader, NEW).await;
        assert_eq!(movers.asker().awaiting(&confirm).await.unwrap().map(|flow| flow.id), None, "no sign-up");
        assert_eq!(movers.id_of(OLD).await, Some(reader.clone()), "asking moves nothing");
        movers.now += Duration::seconds(1);
        let back = movers.follows(&confirm).await.unwrap();
        assert_eq!(movers.follows(&confirm).await, None, "once");
        assert_eq!((movers.id_of(OLD).await, movers.id_of(NEW).await), (None, Some(reader.clone())));
        assert_eq!(store.suppressions_of(&[NEW]).await.unwrap().len(), 0, "a bounce stays with its mailbox");

        movers.now += Duration::hours(71);
        let further = movers.asks(&reader, "further@example.com").await;
        let back_to_new = movers.follows(&further).await.unwrap();
        let waiting = movers.asks(&reader, "last@example.com").await;
        assert_eq!(movers.asker().awaiting_move(&back).await.unwrap().unwrap().0.as_str(), OLD);
        movers.follows(&back).await.unwrap();
        assert_eq!(movers.id_of(OLD).await, Some(reader.clone()), "from wherever it is");
        for dead in [&back, &back_to_new, &waiting] {
            assert_eq!(movers.follows(dead).await, None, "what was asked for since ends with it");
        }
        let events: Vec<_> = store.account_events(&reader, 9).await.unwrap();
        let events: Vec<_> = events.iter().rev().map(|event| event.event.as_str()).collect();
        let twice = ["new-address-asked", "address-moved", "new-address-asked", "address-moved"];
        assert_eq!(events, [&twice[..], &["new-address-asked", "address-moved-back"]].concat());
        let states: Vec<_> = movers.notices().await.into_iter().map(|notice| notice[2].clone()).collect();
        assert_eq!(states.iter().filter(|state| *state == "replaced").count(), 2, "{states:?}");
    }
}

#[tokio::test]
async fn of_many_clicks_one_moves_and_late_ones_do_not() {
    for (store, _folder) in stores().await {
        let mut movers = Movers::of(&store, &[OLD]).await;
        let reader = movers.id_of(OLD).await.unwrap();
        let first = movers.asks(&reader, NEW).await;
        let second = movers.asks(&reader, "second@example.com").await;
        assert_eq!(movers.follows(&first).await, None, "a newer request ends the older");
        let clicks = all_at_once(&movers, &second, 20).await;
        assert_eq!(clicks.iter().flatten().count(), 1);
        let back = clicks.into_iter().flatten().next().unwrap();
        movers.now += Duration::hours(24);
        let third = movers.asks(&reader, NEW).await;
        movers.now += Duration::hours(24);
        assert_eq!(movers.follows(&third).await, None, "24 hours");
        movers.now += Duration::hours(24);
        assert_eq!(movers.follows(&back).await, None, "72 hours");
    }
}

async fn all_at_once(movers: &Movers<'_>, token: &str, times: usize) -> Vec<Option<String>> {
    let mut clicks = tokio::task::JoinSet::new();
    for _ in 0..times {
        let (store, keys, token, now) = (movers.store.clone(), movers.keys.clone(), token.to_owned(), movers.now);
        clicks.spawn(async move { Movers { store: &store, keys, now }.follows(&token).await });
    }
    clicks.join_all().await
}

#[tokio::test]
async fn an_address_that_is_somebodys_is_answered_alike_and_never_taken() {
    for (store, _folder) in stores().await {
        let movers = Movers::of(&store, &[OLD, "other@example.com"]).await;
        let (reader, other) = (movers.id_of(OLD).await.unwrap(), movers.id_of("other@example.com").await);
        let taken = movers.asks(&reader, "Other@example.com").await;
        assert_eq!(movers.follows(&taken).await, None);
        assert_eq!(movers.id_of("other@example.com").await, other);
        let known = ["new-address", "Other@example.com", "known-address"].map(str::to_owned);
        assert_eq!(movers.notices().await, [known]);
        let told = store.everything_about(&reader).await.unwrap();
        assert_eq!(told["account_events"][0]["detail"], "", "nor does an export tell");
        assert_eq!(told["notices"].as_array().map(Vec::len), Some(0));

        let confirm = movers.asks(&reader, NEW).await;
        Movers::of(&store, &[NEW]).await;
        assert_eq!(movers.follows(&confirm).await, None, "taken since");
        assert_eq!(movers.id_of(OLD).await, Some(reader));
    }
}

#[tokio::test]
async fn whoever_never_confirmed_stands_in_nobodys_way() {
    for (store, _folder) in stores().await {
        let movers = Movers::of(&store, &[OLD]).await;
        let reader = movers.id_of(OLD).await.unwrap();
        let back = movers.follows(&movers.asks(&reader, NEW).await).await.unwrap();
        let choices = vec![Choice { newsletter: NewsletterId::new("wire"), cadence: Cadence::Daily, topics: vec![] }];
        let email = EmailAddress::parse(OLD).unwrap();
        let request = Request { email, person: Person::default(), choices, language: "en".to_owned() };
        let flow = flow_id(clock::random());
        movers.asker().sign_up(request, flow.clone()).await.unwrap();
        assert!(movers.id_of(OLD).await.is_some_and(|squatter| squatter != reader));
        movers.follows(&back).await.unwrap();
        assert_eq!(movers.id_of(OLD).await, Some(reader.clone()));
        let settings = config::read(&Source {
            text: "[[newsletters]]\nid = \"wire\"\ntitle = \"The Wire\"\n".to_owned(),
            ..Default::default()
        });
        let token = movers.keys.sign(tokens::CONFIRM, &flow);
        let welcome = flow_id(clock::random());
        let confirmed = movers.asker().confirm(&settings.0, (&token, ""), welcome).await.unwrap().unwrap();
        assert_eq!(confirmed.subscriber, reader, "a sign-up that waited is theirs now");
    }
}
