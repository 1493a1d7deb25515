//! Another address for an account: asked for by its reader, confirmed from the new mailbox, undone from the old.

use crate::auth::{Asked, Asker, token_hash};
use crate::model::{EmailAddress, SubscriberId};
use crate::render::{Imprint, Moment, NoticeText};
use crate::store::{Flow, MOVE_BACK_WITHIN, MOVE_WITHIN, Result, Unopened};

/// What the token is signed for that confirms a new address; the purpose of its flow.
pub(super) const NEW_ADDRESS: &str = "new-address";
/// The same of the one that goes back to the old address.
pub(super) const OLD_ADDRESS: &str = "old-address";
/// What a request is counted under: for its client, for everybody, for its address.
const SCOPES: [&str; 3] = ["new-address-client", "new-address", "new-address-address"];

impl Asker<'_> {
    /// Asks for another address: the same rows whatever is known of it. `flow` is a new id of [`super::flow_id`].
    pub async fn ask_to_move(self, whose: (SubscriberId, EmailAddress, String), flow: String) -> Result<Asked> {
        let (link, asking) = (self.keys.follow_up(NEW_ADDRESS, flow), self.asking(SCOPES, &whose.1));
        self.asked(self.store.ask_to_move(whose, link, asking, self.now).await?).await
    }

    /// The address that a link would move its account to, and whether that is back to the old one; none for a link that
    /// is unknown, used or too old. Changes nothing.
    pub async fn awaiting_move(self, token: &str) -> Result<Option<(EmailAddress, bool)>> {
        let flow = self.store.live_flow(&token_hash(token), self.now).await?;
        let flow = flow.filter(|flow| [NEW_ADDRESS, OLD_ADDRESS].contains(&flow.purpose.as_str()));
        Ok(flow.map(|flow| (flow.email, flow.purpose == OLD_ADDRESS)))
    }

    /// Uses such a link: of many at once, exactly one moves the account. `flow` is a new id of [`super::flow_id`].
    pub async fn move_address(self, token: &str, flow: String) -> Result<Result<(), Unopened>> {
        let link = self.keys.follow_up(OLD_ADDRESS, flow);
        match self.store.move_address(token_hash(token), link, self.forged_links(), self.now).await {
            // Somebody confirmed the address for an account of their own at this very moment.
            Err(error) if error.is_conflict() => Ok(Err(Unopened::Dead)),
            moved => moved,
        }
    }
}

/// What the mail with either link says.
pub(super) fn address_text(imprint: &Imprint<'_>, flow: &Flow, token: &str) -> NoticeText {
    let is_back = flow.purpose == OLD_ADDRESS;
    NoticeText::Address {
        link: format!("{}/address/{token}", imprint.base_url),
        is_back,
        hours: if is_back { MOVE_BACK_WITHIN } else { MOVE_WITHIN }.num_hours(),
        at: Moment::new(imprint, flow.created_at),
    }
}
