//! A subscription's life: asked for, confirmed, ended.

/// Where one subscriber's subscription to one newsletter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubscriptionState {
    /// Asked for; the address has not confirmed.
    Pending,
    /// Gets mail.
    Active,
    /// Gets none: left, or was taken off.
    Ended,
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
    /// All states.
    pub const ALL: [SubscriptionState; 3] =
        [SubscriptionState::Pending, SubscriptionState::Active, SubscriptionState::Ended];

    /// The word in the database, in files and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            SubscriptionState::Pending => "pending",
            SubscriptionState::Active => "active",
            SubscriptionState::Ended => "ended",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<SubscriptionState> {
        SubscriptionState::ALL.into_iter().find(|state| state.as_str() == text)
    }

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

/// Why an address is not to be mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SuppressionReason {
    /// The mailbox does not exist: notices do not go there either.
    HardBounce,
    /// Its owner called our mail spam.
    Complaint,
    /// An editor was asked never to write there again.
    Request,
}

impl SuppressionReason {
    /// All reasons.
    pub const ALL: [SuppressionReason; 3] =
        [SuppressionReason::HardBounce, SuppressionReason::Complaint, SuppressionReason::Request];

    /// The word in the database, in files and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            SuppressionReason::HardBounce => "hard-bounce",
            SuppressionReason::Complaint => "complaint",
            SuppressionReason::Request => "request",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<SuppressionReason> {
        SuppressionReason::ALL.into_iter().find(|reason| reason.as_str() == text)
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
