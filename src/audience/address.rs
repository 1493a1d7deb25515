//! Another address for an account: asked for by its reader, confirmed from the new mailbox, undone from the old.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::auth::{Asked, ServerKeys, asked, asking, forged_links, token_hash};
use crate::model::{EmailAddress, SubscriberId};
use crate::render::{Imprint, Moment, NoticeText};
use crate::store::{Flow, MOVE_BACK_WITHIN, MOVE_WITHIN, NewAddress, Result, Store, Unopened};

/// What the token is signed for that confirms a new address; the purpose of its flow.
pub(super) const NEW_ADDRESS: &str = "new-address";
/// The same of the one that goes back to the old address.
pub(super) const OLD_ADDRESS: &str = "old-address";
/// What a request is counted under: for its client, for everybody, for its address.
const SCOPES: [&str; 3] = ["new-address-client", "new-address", "new-address-address"];

/// Asks for another address: the same rows whatever is known of it. `flow` is a new id of [`super::flow_id`].
pub async fn ask_to_move(
    store: &Store,
    keys: &ServerKeys,
    (subscriber, email, language): (SubscriberId, EmailAddress, String),
    flow: String,
    client: IpAddr,
    now: DateTime<Utc>,
) -> Result<Asked> {
    let (link, asking) = (keys.follow_up(NEW_ADDRESS, flow), asking(keys, SCOPES, client, &email));
    asked(store, store.ask_to_move(NewAddress { subscriber, email, link, language, asking }, now).await?, now).await
}

/// The address that a link would move its account to, and whether that is back to the old one; none for a link that is
/// unknown, used or too old. Changes nothing.
pub async fn awaiting_move(store: &Store, token: &str, now: DateTime<Utc>) -> Result<Option<(EmailAddress, bool)>> {
    let flow = store.live_flow(&token_hash(token), now).await?;
    let flow = flow.filter(|flow| [NEW_ADDRESS, OLD_ADDRESS].contains(&flow.purpose.as_str()));
    Ok(flow.map(|flow| (flow.email, flow.purpose == OLD_ADDRESS)))
}

/// Uses such a link: of many at once, exactly one moves the account. `flow` is a new id of [`super::flow_id`].
pub async fn move_address(
    store: &Store,
    keys: &ServerKeys,
    token: &str,
    flow: String,
    client: IpAddr,
    now: DateTime<Utc>,
) -> Result<Result<(), Unopened>> {
    let link = keys.follow_up(OLD_ADDRESS, flow);
    match store.move_address(token_hash(token), link, forged_links(keys, client), now).await {
        // Somebody confirmed the address for an account of their own at this very moment.
        Err(error) if error.is_conflict() => Ok(Err(Unopened::Dead)),
        moved => moved,
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
