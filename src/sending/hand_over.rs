//! One delivery over one connection: offer, note, final dot, record.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock;
use crate::model::{IssueEvent, OnUnknown, RetryPolicy};
use crate::relay::{Failure, FailureKind, Phase, Reply, Session, Verdict};
use crate::store::{Claimed, Content, Outcome, Said, StoreError};

use super::Means;
use super::composer::{ComposeError, Composed, Composer, Kind};

/// Whether a relay took the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handed {
    /// It answered the final dot with yes.
    Over,
    /// The delivery is recorded in some other state.
    Back,
}

/// A connection to the relay, opened when it is needed and kept while it is good.
pub(super) struct HandOver {
    means: Means,
    composer: Arc<Composer>,
    owner: String,
    session: Option<Box<dyn Session>>,
}

/// So many lines dropped in a row before the final dot count as an attempt.
const DROPS: i64 = 3;

impl HandOver {
    pub fn new(means: Means, composer: Arc<Composer>, owner: String) -> HandOver {
        HandOver { means, composer, owner, session: None }
    }

    /// Says goodbye to the relay.
    pub async fn close(self) {
        if let Some(session) = self.session {
            session.quit().await;
        }
    }

    /// Hands one claimed delivery over and records what became of it. `rest` is asked for when the relay as a whole
    /// has trouble: it says until when to leave it in peace.
    ///
    /// An error means that the ledger could not be written; the session is dropped without a final dot.
    pub async fn deliver(
        &mut self,
        claimed: Claimed,
        rest: impl FnOnce() -> DateTime<Utc>,
    ) -> Result<Handed, StoreError> {
        let composed = match self.composer.compose(&claimed, clock::now()).await {
            Ok(composed) => composed,
            Err(ComposeError::Store(error)) => return Err(error),
            Err(late @ ComposeError::Late) => {
                return self.record(&claimed, Outcome::Failed("expired"), ours(late.to_string())).await;
            }
            Err(ComposeError::Gone(problem)) => {
                tracing::error!(delivery = %claimed.id, problem, "a mail cannot be composed");
                return self.record(&claimed, Outcome::Failed("cannot be composed"), ours(problem)).await;
            }
        };
        // Dropped before the dot, the session delivers nothing.
        let mut session = match self.offer(&claimed, &composed).await {
            Ok(session) => session,
            Err(failure) => return self.settle(&claimed, composed.kind, &failure, rest).await,
        };
        if !self.means.store.note(&claimed, &self.owner, &composed.fixed, clock::now()).await? {
            drop(session);
            return self.record(&claimed, Outcome::Untouched(clock::now()), ours(String::new())).await;
        }
        let answer = session.finish().await;
        self.session = Some(session);
        match answer {
            Ok(reply) => {
                let said = self.said(&reply);
                self.record(&claimed, Outcome::Sent, said).await.map(|_| Handed::Over)
            }
            Err(failure) => self.settle(&claimed, composed.kind, &failure, rest).await,
        }
    }

    /// Brings a mail up to its dot, and gives the session that has it. After a refusal it is kept for the next mail.
    async fn offer(&mut self, claimed: &Claimed, composed: &Composed) -> Result<Box<dyn Session>, Failure> {
        let mut session = match self.session.take().filter(|session| session.is_usable()) {
            Some(session) => session,
            None => self.means.relay.connect().await?,
        };
        match session.offer(&claimed.id, &composed.envelope, &composed.bytes).await {
            Ok(()) => Ok(session),
            Err(failure) => {
                self.session = Some(session);
                Err(failure)
            }
        }
    }

    /// What a failure means for this delivery, its issue and the relay.
    async fn settle(
        &mut self,
        claimed: &Claimed,
        kind: Kind,
        failure: &Failure,
        rest: impl FnOnce() -> DateTime<Utc>,
    ) -> Result<Handed, StoreError> {
        let said = match &failure.kind {
            FailureKind::Reply(reply) => self.said(reply),
            FailureKind::Line(problem) => Said { relay: self.means.relay.name(), ..ours(problem.clone()) },
        };
        let outcome = match failure.verdict() {
            Verdict::RefusedForGood => Outcome::Failed("refused"),
            Verdict::NotNow => self.later(claimed, kind),
            Verdict::Dropped if claimed.drops + 1 >= DROPS => self.later(claimed, kind),
            Verdict::Dropped => Outcome::Dropped(clock::now() + TimeDelta::seconds(1)),
            Verdict::Uncertain => self.uncertain(claimed, kind),
            Verdict::MessageTrouble if matches!(kind, Kind::Notice(_)) => Outcome::Failed("refused"),
            Verdict::MessageTrouble => {
                self.stop_issue(claimed, failure).await?;
                Outcome::Untouched(clock::now())
            }
            Verdict::RelayTrouble => {
                let until = rest();
                tracing::error!(relay = %self.means.relay.name(), %failure, %until, "the relay takes no mail from us");
                // What is said when one reader is named may be about that reader alone: it counts, so that it ends.
                if failure.phase < Phase::RcptTo { Outcome::Untouched(until) } else { self.later(claimed, kind) }
            }
        };
        self.record(claimed, outcome, said).await
    }

    /// The relay refuses the message itself: no reader is to blame, so the issue waits for an editor.
    async fn stop_issue(&self, claimed: &Claimed, failure: &Failure) -> Result<(), StoreError> {
        if let Content::Issue { issue, .. } = &claimed.content {
            tracing::error!(%issue, %failure, "the relay refuses the message itself; the issue is paused");
            self.means.store.move_issue(issue, IssueEvent::Pause, clock::now()).await?;
        }
        Ok(())
    }

    fn later(&self, claimed: &Claimed, kind: Kind) -> Outcome {
        let sending = &self.means.edition.borrow().settings.sending;
        let usual = TimeDelta::hours(if kind == Kind::Digest { 48 } else { 24 });
        let policy = match kind {
            Kind::Notice(lives_for) => RetryPolicy::notice(lives_for),
            Kind::Instant | Kind::Digest => RetryPolicy {
                waits: sending.retry_waits.clone(),
                give_up_after: sending.give_up_after.unwrap_or(usual),
            },
        };
        let now = clock::now();
        let attempts = u32::try_from(claimed.attempts + 1).unwrap_or(u32::MAX);
        match policy.next(attempts, now - claimed.first_due_at, clock::dice()) {
            Some(wait) => Outcome::Deferred(now + wait),
            None => Outcome::Failed("expired"),
        }
    }

    /// The dot may have arrived: sent again as often as any other mail, or held for an editor.
    fn uncertain(&self, claimed: &Claimed, kind: Kind) -> Outcome {
        let on_unknown = self.means.edition.borrow().settings.sending.on_unknown;
        match (on_unknown, self.later(claimed, kind)) {
            (OnUnknown::Resend, Outcome::Deferred(until)) => Outcome::Unknown(Some(until)),
            _ => Outcome::Unknown(None),
        }
    }

    async fn record(&self, claimed: &Claimed, outcome: Outcome, said: Said) -> Result<Handed, StoreError> {
        let now = clock::now();
        self.means.store.record(claimed, &self.owner, outcome, said, now).await?;
        Ok(Handed::Back)
    }

    fn said(&self, reply: &Reply) -> Said {
        Said {
            relay: self.means.relay.name(),
            code: Some(i64::from(reply.code)),
            enhanced: reply.enhanced.clone(),
            text: reply.text.clone(),
        }
    }
}

/// Words of our own, where no relay spoke.
fn ours(text: String) -> Said {
    Said { relay: String::new(), code: None, enhanced: None, text }
}
