//! A subscription's life: asked for, confirmed, ended.

use super::words;

words! {
    /// Where one subscriber's subscription to one newsletter stands.
    pub enum SubscriptionState {
        /// Asked for; the address has not confirmed.
        Pending = "pending",
        /// Gets mail.
        Active = "active",
        /// Gets none: left, or was taken off.
        Ended = "ended",
    }
}

/// What may happen to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionEvent {
    /// The address itself confirmed, from a mail it was sent.
    Confirmed,
    /// The reader left, or an editor ended it for them.
    Left,
    /// The reader took back a goodbye, on the page that said it.
    Undone,
    /// An editor vouches for an earlier consent: a file or a command says the reader is active.
    Imported,
}

impl SubscriptionState {
    /// The state after `event`. Only the reader's own act revives what ended: an import leaves it as it is.
    pub fn after(self, event: SubscriptionEvent) -> SubscriptionState {
        match (self, event) {
            (_, SubscriptionEvent::Confirmed | SubscriptionEvent::Undone) => SubscriptionState::Active,
            (_, SubscriptionEvent::Left) | (SubscriptionState::Ended, SubscriptionEvent::Imported) => {
                SubscriptionState::Ended
            }
            (_, SubscriptionEvent::Imported) => SubscriptionState::Active,
        }
    }
}

/// Whether a reader who chose `topics` (tags, one a line; empty: all) wants an article with these tags.
pub fn meets_topics(topics: &str, tags: &[String]) -> bool {
    topics.is_empty() || topics.lines().any(|topic| tags.iter().any(|tag| tag == topic))
}

words! {
    /// Why an address is not to be mailed.
    pub enum SuppressionReason {
        /// The mailbox does not exist: notices do not go there either.
        HardBounce = "hard-bounce",
        /// Its owner called our mail spam.
        Complaint = "complaint",
        /// An editor was asked never to write there again.
        Request = "request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reader_revives_what_ended() {
        use SubscriptionState::{Active, Ended, Pending};
        assert_eq!(Ended.after(SubscriptionEvent::Imported), Ended);
        assert_eq!(Ended.after(SubscriptionEvent::Confirmed), Active);
        assert_eq!(Pending.after(SubscriptionEvent::Imported), Active);
        assert_eq!(Active.after(SubscriptionEvent::Left), Ended);
    }
}
