//! One delivery over one connection: offer, note, final dot, record.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{oneshot, watch};

use crate::clock;
use crate::counters;
use crate::model::{Cause, IssueEvent, OnUnknown, RetryPolicy};
use crate::relay::{Failure, FailureKind, Phase, Reply, Session, Verdict};
use crate::store::{About, Claimed, Consequence, Content, Outcome, Returned, Said, StoreError};

use super::composer::{ComposeError, Composed, Composer, Kind};
use super::ledger::Ledger;
use super::route::Route;
use super::{Means, stopping};

/// A claimed delivery and its mail.
struct Ready {
    claimed: Claimed,
    composed: Composed,
}

/// A connection to the relay, opened when it is needed and kept while it is good.
pub(super) struct HandOver {
    means: Means,
    route: Arc<Route>,
    composer: Arc<Composer>,
    ledger: Ledger,
    queue: flume::Receiver<Claimed>,
    session: Option<Box<dyn Session>>,
    /// What comes next; the relay may know its envelope already.
    upcoming: Option<Ready>,
}

/// So many lines dropped in a row before the final dot count as an attempt.
const DROPS: i64 = 3;
/// How long a relay has to take a mail up to its dot, once the sender is told to stop.
const PATIENCE: Duration = Duration::from_secs(2);

async fn outwaited(stop: &watch::Receiver<bool>) {
    stopping(&mut stop.clone()).await;
    tokio::time::sleep(PATIENCE).await;
}

impl HandOver {
    pub fn new(
        means: Means,
        route: Arc<Route>,
        composer: Arc<Composer>,
        ledger: Ledger,
        queue: flume::Receiver<Claimed>,
    ) -> HandOver {
        HandOver { means, route, composer, ledger, queue, session: None, upcoming: None }
    }

    /// Whether the relay knows the envelope of a mail that is still to come.
    pub fn has_begun(&self) -> bool {
        self.upcoming.is_some()
    }

    /// Says goodbye to the relay.
    pub async fn close(self) {
        if let Some(session) = self.session {
            session.quit().await;
        }
    }

    /// Waits for the next claimed delivery, hands it over and has recorded what became of it. False: there is nothing
    /// more to come. Once `stop` is true, nothing new is begun.
    ///
    /// An error means that the ledger could not be written; the session is dropped without a final dot.
    pub async fn deliver(&mut self, stop: &watch::Receiver<bool>) -> Result<bool, StoreError> {
        let ready = match self.upcoming.take() {
            Some(ready) => ready,
            None => loop {
                let Ok(claimed) = self.queue.recv_async().await else { return Ok(false) };
                if *stop.borrow() {
                    return Ok(false);
                }
                if let Some(ready) = self.compose(claimed).await? {
                    break ready;
                }
            },
        };
        let Ready { claimed, composed } = ready;
        // Dropped before the dot, the session delivers nothing.
        let offered = tokio::select! {
            offered = self.offer(&claimed, &composed) => offered,
            () = outwaited(stop) => return Ok(false),
        };
        let mut session = match offered {
            Ok(session) => session,
            Err(failure) => return self.settle(&claimed, composed.kind, &failure).await.map(|()| true),
        };
        let ledger = self.ledger.clone();
        let (noted, next) = tokio::join!(ledger.note(&claimed, &composed.fixed), self.next_at_hand(stop));
        self.upcoming = next?;
        if !noted? {
            drop(session);
            self.record(&claimed, Outcome::Untouched(clock::now()), ours(String::new())).await?;
            return Ok(true);
        }
        let next = self.upcoming.as_ref().map(|Ready { composed, .. }| (&composed.envelope, composed.bytes.len()));
        let answer = session.finish(next).await;
        self.session = Some(session);
        match answer {
            Ok(reply) => {
                self.record(&claimed, Outcome::Sent, self.said(&reply)).await?;
                self.route.took().await.map(|()| true)
            }
            Err(failure) => self.settle(&claimed, composed.kind, &failure).await.map(|()| true),
        }
    }

    /// The mail that comes next, if one is claimed and can be made.
    async fn next_at_hand(&self, stop: &watch::Receiver<bool>) -> Result<Option<Ready>, StoreError> {
        while !*stop.borrow()
            && let Ok(claimed) = self.queue.try_recv()
        {
            if let Some(ready) = self.compose(claimed).await? {
                return Ok(Some(ready));
            }
        }
        Ok(None)
    }

    /// Makes the mail; none where there is none to be made, which is recorded, or the relay is left in peace by now.
    async fn compose(&self, claimed: Claimed) -> Result<Option<Ready>, StoreError> {
        if let Some(until) = self.route.rests(clock::now()) {
            return self.record(&claimed, Outcome::Untouched(until), ours(String::new())).await.map(|()| None);
        }
        let (outcome, said) = match self.composer.compose(&claimed, clock::now()).await {
            Ok(composed) => return Ok(Some(Ready { claimed, composed })),
            Err(ComposeError::Store(error)) => return Err(error),
            Err(late @ ComposeError::Late) => (Outcome::Failed("expired".into()), late.to_string()),
            Err(ComposeError::Gone(problem)) => {
                tracing::error!(delivery = %claimed.id, problem, "a mail cannot be composed");
                (Outcome::Failed("cannot be composed".into()), problem)
            }
        };
        self.record(&claimed, outcome, ours(said)).await.map(|()| None)
    }

    /// Brings a mail up to its dot, and gives the session that has it. After a refusal it is kept for the next mail.
    async fn offer(&mut self, claimed: &Claimed, composed: &Composed) -> Result<Box<dyn Session>, Failure> {
        let mut session = match self.session.take().filter(|session| session.is_usable()) {
            Some(session) => session,
            None => self.route.relay.connect().await?,
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
    async fn settle(&mut self, claimed: &Claimed, kind: Kind, failure: &Failure) -> Result<(), StoreError> {
        self.route.strain(failure).await?;
        let said = match &failure.kind {
            FailureKind::Reply(reply) => self.said(reply),
            FailureKind::Line(problem) => {
                counters::RELAY_ANSWERS.count("none");
                Said { relay: self.route.relay.name(), ..ours(problem.clone()) }
            }
        };
        let outcome = match failure.verdict() {
            Verdict::RefusedForGood => Outcome::Failed("refused".into()),
            Verdict::NotNow => self.later(claimed, kind),
            Verdict::Dropped if claimed.drops + 1 >= DROPS => self.later(claimed, kind),
            Verdict::Dropped => Outcome::Dropped(clock::now() + TimeDelta::seconds(1)),
            Verdict::Uncertain => self.uncertain(claimed, kind),
            Verdict::MessageTrouble if matches!(kind, Kind::Notice(_)) => Outcome::Failed("refused".into()),
            Verdict::MessageTrouble => {
                self.stop_issue(claimed, failure).await?;
                Outcome::Untouched(clock::now())
            }
            Verdict::RelayTrouble => {
                let now = clock::now();
                let until = self.route.rests(now).unwrap_or(now);
                tracing::error!(relay = %self.route.relay.name(), %failure, %until, "the relay takes no mail from us");
                // What is said when one reader is named may be about that reader alone: it counts, so that it ends.
                if failure.phase < Phase::RcptTo { Outcome::Untouched(until) } else { self.later(claimed, kind) }
            }
        };
        let written = self.recorded(claimed, outcome.clone(), said.clone()).await?;
        if let FailureKind::Reply(reply) = &failure.kind
            && failure.phase >= Phase::RcptTo
        {
            // What follows for the mailbox comes after what became of this mail: else a crash in between would leave a
            // delivery that was refused and says that it was never tried.
            written.await.map_err(|_| StoreError::Closed)?;
            self.take_back(claimed, reply, &outcome, &said).await?;
        }
        Ok(())
    }

    /// What became of a delivery, which is in nobody's hands from now on.
    async fn record(&self, claimed: &Claimed, outcome: Outcome, said: Said) -> Result<(), StoreError> {
        self.recorded(claimed, outcome, said).await.map(drop)
    }

    /// The same, for whoever waits until it is written.
    async fn recorded(
        &self,
        claimed: &Claimed,
        outcome: Outcome,
        said: Said,
    ) -> Result<oneshot::Receiver<()>, StoreError> {
        self.route.in_hand.fetch_sub(1, Ordering::Relaxed);
        self.ledger.record(claimed, outcome, said).await
    }

    /// What a refusal means beyond this delivery: a mailbox that is not there is not mailed again; where our
    /// authentication fails nobody is, nor where too many are refused.
    async fn take_back(
        &self,
        claimed: &Claimed,
        reply: &Reply,
        outcome: &Outcome,
        said: &Said,
    ) -> Result<(), StoreError> {
        let cause = reply.cause();
        let is_heard = cause.is_hard() || cause == Cause::Full || reply.may_be_about_all();
        if !(is_heard && matches!(outcome, Outcome::Failed(_))) && cause != Cause::Authentication {
            return Ok(());
        }
        let (id, about) = (format!("{}|{cause}", claimed.id), About::Delivery(claimed.id.clone()));
        let returned = Returned { id, about, cause, said: said.clone(), is_vouched: true };
        if let Some(Consequence { stopped: Some(why), .. }) = self.means.store.take_back(returned, clock::now()).await?
        {
            tracing::error!(why, "sending has stopped; `issue resume` lets it go on");
        }
        Ok(())
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
            None => Outcome::Failed("expired".into()),
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

    fn said(&self, reply: &Reply) -> Said {
        counters::RELAY_ANSWERS.count_code(reply.code);
        Said {
            relay: self.route.relay.name(),
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
