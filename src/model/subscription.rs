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
