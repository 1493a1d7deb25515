//! An account's address on its way to another: asked for by whoever signed in a moment ago, moved by a link mailed to
//! the new address, and moved back by one mailed to the old (OWASP ASVS 5.0, 6.3.7 and 7.5.1).

use chrono::{DateTime, Duration, Utc};

use crate::model::{EmailAddress, SubscriberId};

use super::audit::record_event;
use super::billing::tell_provider;
use super::database::{Result, Transaction, transact};
use super::erasure::blank;
use super::flows::{Unopened, dead};
use super::issues::unfinished;
use super::limits::{Asking, Counted, NoRoom};
use super::notices::{FollowUp, NewFlow, enter_flow};
use super::open::Store;
use super::sessions::end_sessions;
use super::values::values;

/// How long the new address can be confirmed.
pub const MOVE_WITHIN: Duration = Duration::hours(24);
/// How long the old address can be gone back to.
pub const MOVE_BACK_WITHIN: Duration = Duration::hours(72);

impl Store {
    /// Writes a request for another address with its notice in some language (BCP 47), in one transaction and with the
    /// same statements for any address. Says for whom there was no room, if so; then nothing is written.
    ///
    /// The person's earlier links to new addresses end. For an address that is somebody's, over its limit or without a
    /// mailbox, flow and notice are written all the same, but end at once; nothing that the person sees tells which.
    pub async fn ask_to_move(
        &self,
        (subscriber, email, language): (SubscriberId, EmailAddress, String),
        link: FollowUp,
        asking: Asking,
        now: DateTime<Utc>,
    ) -> Result<Option<NoRoom>> {
        transact!(self.write, |transaction| {
            if let Some(no_room) = asking.admit(transaction, now).await? {
                return Ok(Some(no_room));
            }
            let known = "SELECT 1 FROM subscribers p WHERE p.email_key = $1
                AND (p.id = $2 OR EXISTS (SELECT 1 FROM consents c WHERE c.subscriber = p.id))";
            let known = transaction.has_any(known, values![email.key(), &subscriber]).await?;
            let unsent = asking.why_unsent(transaction, &email, now).await?;
            let unsent = unsent.or(if known { Some("known-address") } else { None });
            end_links(transaction, &subscriber, now, now).await?;
            // Without whether it was mailed, for the person can have what happened to their account.
            record_event(transaction, "new-address-asked", (Some(&subscriber), &email.masked()), "", now).await?;
            asking.count_mail(transaction, unsent.is_none(), now).await?;
            let flow = NewFlow::new("new-address", link, (email, language), now, MOVE_WITHIN);
            enter_flow(transaction, NewFlow { subscriber: Some(subscriber), ..flow }, unsent).await?;
            Ok(None)
        })
    }

    /// Uses a link to a new address, or back to the old one, in one transaction: of many at once, exactly one moves the
    /// account that it was written for to the address that it was mailed to, and nothing else.
    ///
    /// All sessions of the person end. After a move, the old address is written a notice whose flow is `link`. After a
    /// move back, whatever was asked for since the move is dead. Mail that waits and was never begun goes along.
    pub async fn move_address(
        &self,
        token_hash: String,
        link: FollowUp,
        tries: Counted,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Unopened>> {
        transact!(self.write, |transaction| {
            let sql = "UPDATE flows SET used_at = $2
                WHERE token_hash = $1 AND purpose IN ('new-address', 'old-address') AND used_at IS NULL
                AND expires_at > $2 RETURNING purpose, COALESCE(subscriber, ''), email, language, created_at";
            let used = transaction.row(sql, values![&token_hash, now]).await?;
            let Some((purpose, subscriber, to, language, asked_at)): Option<Used> = used else {
                return dead(transaction, &token_hash, &tries, now).await;
            };
            let is_back = purpose == "old-address";
            let Some(from) = take_over(transaction, &subscriber, &to, now).await? else {
                return Ok(Err(Unopened::Dead));
            };
            end_sessions(transaction, &subscriber).await?;
            end_links(transaction, &subscriber, if is_back { asked_at } else { now }, now).await?;
            tell_provider(transaction, &subscriber, now).await?;
            let event = if is_back { "address-moved-back" } else { "address-moved" };
            record_event(transaction, event, (Some(&subscriber), &to.masked()), "", now).await?;
            if !is_back {
                let flow = NewFlow::new("old-address", link, (from, language), now, MOVE_BACK_WITHIN);
                enter_flow(transaction, NewFlow { subscriber: Some(subscriber), ..flow }, None).await?;
            }
            Ok(Ok(()))
        })
    }
}

/// Of a flow that was used: purpose, subscriber, address, language, and when it was asked for.
type Used = (String, SubscriberId, EmailAddress, String, DateTime<Utc>);

/// Gives the account its new address, and says which it had; none if the address is somebody's, or the account is gone.
///
/// Whoever never confirmed anything stands in nobody's way: anybody can sign up an address that is not theirs. A
/// complaint and a wish not to be mailed go along with the person; a bounce stays with its mailbox.
async fn take_over(
    transaction: &mut Transaction,
    subscriber: &SubscriberId,
    to: &EmailAddress,
    now: DateTime<Utc>,
) -> Result<Option<EmailAddress>> {
    let others = "SELECT p.id FROM subscribers p WHERE p.email_key = $1 AND p.id <> $2
        AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.subscriber = p.id)";
    if let Some(unconfirmed) = transaction.row::<SubscriberId>(others, values![to.key(), subscriber]).await? {
        end_sessions(transaction, &unconfirmed).await?;
        let ended = "UPDATE subscriptions SET state = 'ended', ended_at = $2 WHERE subscriber = $1";
        transaction.execute(ended, values![&unconfirmed, now]).await?;
        let blank = concat!("UPDATE subscribers SET ", blank!(), " WHERE id = $1");
        transaction.execute(blank, values![&unconfirmed]).await?;
        let granted = "DELETE FROM memberships WHERE subscriber = $1 AND state = 'granted'";
        transaction.execute(granted, values![&unconfirmed]).await?;
        // Whoever paid from this mailbox is who moves here.
        for bought in [
            "UPDATE memberships SET subscriber = $2 WHERE subscriber = $1",
            "UPDATE customers SET subscriber = $2 WHERE subscriber = $1",
        ] {
            transaction.execute(bought, values![&unconfirmed, subscriber]).await?;
        }
    }
    let from = "SELECT email FROM subscribers WHERE id = $1";
    let Some(from) = transaction.row::<EmailAddress>(from, values![subscriber]).await? else { return Ok(None) };
    let moved = "UPDATE subscribers SET email = $2, email_key = $3, feed = feed + 1 WHERE id = $1
        AND NOT EXISTS (SELECT 1 FROM subscribers o WHERE o.email_key = $3 AND o.id <> $1)";
    if transaction.execute(moved, values![subscriber, to, to.key()]).await? == 0 {
        return Ok(None);
    }
    let wishes = "INSERT INTO suppressions (email_key, reason, at)
        SELECT $2, reason, at FROM suppressions WHERE email_key = $1 AND reason <> 'hard-bounce'
        ON CONFLICT (email_key) DO NOTHING";
    transaction.execute(wishes, values![from.key(), to.key()]).await?;
    let waiting = concat!(
        "UPDATE deliveries SET email = $2, email_key = $3 WHERE issue IN (",
        unfinished!(),
        ") AND subscriber = $1 AND state IN ('queued', 'deferred') AND date_at IS NULL"
    );
    transaction.execute(waiting, values![subscriber, to, to.key()]).await?;
    Ok(Some(from))
}

macro_rules! their_links {
    () => {
        "subscriber = $1 AND purpose IN ('new-address', 'old-address') AND created_at > $2 AND used_at IS NULL
        AND (purpose = 'new-address' OR created_at >= $3)"
    };
}

/// Ends the person's links to new addresses, and those back to old ones that were written at `since` or later, with
/// their notices.
async fn end_links(
    transaction: &mut Transaction,
    subscriber: &SubscriberId,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    for sql in [
        concat!(
            "UPDATE deliveries SET state = 'suppressed', reason = 'replaced', due_at = NULL, finished_at = $4
            WHERE state IN ('queued', 'deferred') AND flow IN (SELECT id FROM flows WHERE ",
            their_links!(),
            ")"
        ),
        concat!("UPDATE flows SET used_at = $4 WHERE ", their_links!()),
    ] {
        transaction.execute(sql, values![subscriber, now - MOVE_BACK_WITHIN, since, now]).await?;
    }
    Ok(())
}
