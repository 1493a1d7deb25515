//! How readers come and go: sign up, confirm, leave; and how editors bring them along, list and export them.
//!
//! Whoever asks, the answer and the work are the same for every address: nobody learns here who reads what. No mail is
//! sent; a notice is a row that `sending` finds. Time comes in as an argument, and so do the bits of a new flow.

mod address;
mod bill;
mod csv_cells;
mod export;
mod import;
mod meant;
mod notice;
mod tokens;

#[cfg(test)]
mod tests;

pub(crate) use bill::BILLING;
pub(crate) use csv_cells::guarded;
pub use export::export;
pub use import::{ImportError, ImportOptions, Imported, Rejected, import};
pub use meant::meant;
pub use notice::notice;
pub use tokens::{Purpose, feed_token, subscription_token, undo_token};

use chrono::{DateTime, Duration, Utc};

use crate::auth::{Asked, Asker, ServerKeys, token_hash};
use crate::config::{Settings, is_unfit};
use crate::model::{
    Access, Cadence, Choices, EmailAddress, Newsletter, NewsletterId, Reading, SubscriberId, SubscriptionState, Viewer,
};
use crate::store::{Choice, Confirmed, Confirming, Flow, Request, Result, SignUp, Store, Subscription, Unopened};
use crate::zone::Zone;

/// How long a confirmation link holds.
pub const CONFIRM_WITHIN: Duration = Duration::hours(72);
/// How long a goodbye can be taken back on the page that said it.
pub const UNDO_WITHIN: Duration = Duration::hours(1);

/// How long a reader can pause.
pub const LONGEST_PAUSE: Duration = Duration::days(366);

/// What a sign-up is counted under: for its client, for everybody, for its address.
const SCOPES: [&str; 3] = ["sign-up-client", "sign-up", "sign-up-address"];

/// The newsletters that anybody may sign up to.
pub fn offered(settings: &Settings) -> impl Iterator<Item = &Newsletter> {
    offered_to(settings, Reading::ANYBODY)
}

/// The newsletters that somebody may get: those that are paid for, if a membership of theirs opens them.
pub fn offered_to(settings: &Settings, reading: Reading) -> impl Iterator<Item = &Newsletter> {
    settings.newsletters.iter().filter(move |newsletter| {
        let is_member = || reading.viewer_of(std::slice::from_ref(&newsletter.id)) == Viewer::Member;
        newsletter.access != Access::Paid || is_member()
    })
}

/// What is signed up to when `cadence` is wanted of `newsletter`: where it does not have it, the next less frequent
/// one, else the least frequent it has, so that nobody gets more mail than they asked for if that can be helped.
pub fn choice(newsletter: &Newsletter, cadence: Option<Cadence>) -> Choice {
    let cadence = cadence.map_or(newsletter.default_cadence, |wanted| {
        let rarer = newsletter.cadences.iter().filter(|offered| **offered >= wanted).min();
        rarer.or(newsletter.cadences.iter().max()).copied().unwrap_or(newsletter.default_cadence)
    });
    Choice { newsletter: newsletter.id.clone(), cadence, topics: Vec::new() }
}

/// Those of `topics` that `newsletter` offers, sorted; none for whoever chooses all, who gets what has none as well.
pub fn offered_topics(newsletter: &Newsletter, mut topics: Vec<String>) -> Vec<String> {
    topics.retain(|topic| newsletter.topics.contains(topic));
    topics.sort_unstable();
    topics.dedup();
    if topics.len() == newsletter.topics.len() { Vec::new() } else { topics }
}

/// `choices` as far as `newsletter` offers them: its cadences, its topics, and a pause of at most a year.
pub fn offered_choices(newsletter: &Newsletter, mut choices: Choices, now: DateTime<Utc>) -> Choices {
    choices.cadence = choice(newsletter, Some(choices.cadence)).cadence;
    choices.topics = offered_topics(newsletter, choices.topics);
    let time = &newsletter.digest_time;
    choices.hour = choices.hour.filter(|hour| *hour != time.hour && *hour < 24);
    choices.weekday = choices.weekday.filter(|weekday| *weekday != time.weekday);
    choices.paused_until = choices.paused_until.map(|until| until.min(now + LONGEST_PAUSE));
    choices
}

/// A name as it may stand in a mail: one line, nothing that turns the direction of text, at most 200 characters; none
/// if nothing is left.
pub fn clean_name(text: &str) -> Result<Option<String>, &'static str> {
    let text = text.trim();
    if text.chars().count() > 200 {
        return Err("a name has at most 200 characters");
    }
    if text.contains(is_unfit) {
        return Err("a name is one line, without control characters");
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// The id of a new flow: 256 bits that nobody can guess, as text.
pub fn flow_id(dice: [u8; 32]) -> String {
    dice.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Asker<'_> {
    /// Writes a sign-up under a new id of [`flow_id`]: the same rows for any address.
    pub async fn sign_up(self, request: Request, flow: String) -> Result<Asked> {
        self.ask(request, flow, false).await
    }

    /// Asks for the same again, by whoever knows the id `earlier` of a sign-up of the last three days; none if there is
    /// no such thing.
    pub async fn sign_up_again(self, earlier: &str, flow: String) -> Result<Option<Asked>> {
        let earlier = self.store.flow(earlier).await?;
        let is_one = |flow: &Flow| flow.purpose == tokens::CONFIRM && self.now < flow.created_at + CONFIRM_WITHIN;
        let Some(earlier) = earlier.filter(is_one) else { return Ok(None) };
        self.ask(earlier.sign_up()?, flow, true).await.map(Some)
    }

    async fn ask(self, request: Request, flow: String, is_again: bool) -> Result<Asked> {
        let (link, asking) = (self.keys.follow_up(tokens::CONFIRM, flow), self.asking(SCOPES, &request.email));
        let sign_up = SignUp { request, link, is_again, asking, now: self.now, within: CONFIRM_WITHIN };
        self.asked(self.store.sign_up(sign_up).await?).await
    }

    /// What a confirmation link would confirm. Changes nothing.
    pub async fn awaiting(self, token: &str) -> Result<Option<Flow>> {
        let flow = self.store.live_flow(&token_hash(token), self.now).await?;
        Ok(flow.filter(|flow| flow.purpose == tokens::CONFIRM))
    }

    /// Uses a confirmation link: of many at once, exactly one confirms. The zone is what the browser names; one that
    /// does not exist counts as none. `welcome` is a new id of [`flow_id`], for the mail of welcome.
    pub async fn confirm(
        self,
        settings: &Settings,
        (token, time_zone): (&str, &str),
        welcome: String,
    ) -> Result<Result<Confirmed, Unopened>> {
        let flow = self.awaiting(token).await?;
        let confirming = Confirming {
            erased_as: flow.map_or(Vec::new(), |flow| erased_as(self.keys, flow.email.key())),
            token_hash: token_hash(token),
            time_zone: known_zone(time_zone),
            offered: offered(settings).map(|newsletter| newsletter.id.clone()).collect(),
            welcome: self.keys.follow_up(tokens::WELCOME, welcome),
            tries: self.forged_links(),
        };
        self.store.confirm(confirming, self.now).await
    }

    /// Whose link in an issue this is; none for one that we did not make. Changes nothing.
    pub async fn holder(self, purpose: Purpose, token: &str) -> Result<Option<Subscription>> {
        match tokens::subscription_of(self.keys, purpose, token) {
            Some(subscription) => self.store.subscription(&subscription).await,
            None => Ok(None),
        }
    }

    /// What the holder of a feed's address reads at this moment; none for an address that we did not make, or that was
    /// replaced. Changes nothing.
    pub async fn reader_of_feed(self, token: &str) -> Result<Option<Reading>> {
        let Some((who, proof)) = tokens::feed_parts(token) else { return Ok(None) };
        match self.store.feed_number(&who).await? {
            Some(number) if tokens::is_feed(self.keys, &who, number, proof) => {
                self.store.reading(&who, self.now).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Ends the subscription of a leave link, however often it is asked; none for a link that we did not make.
    pub async fn leave(self, token: &str) -> Result<Option<Subscription>> {
        match tokens::subscription_of(self.keys, Purpose::Leave, token) {
            Some(subscription) => self.store.leave(subscription, "link", self.now).await,
            None => Ok(None),
        }
    }

    /// Takes a goodbye back, within [`UNDO_WITHIN`] and by whoever was shown its page. Says of which newsletters.
    pub async fn undo(self, subscription: &Subscription, undo: &str) -> Result<Vec<NewsletterId>> {
        let ended_at = subscription.ended_at.filter(|ended_at| self.now - *ended_at < UNDO_WITHIN);
        match ended_at.filter(|ended_at| tokens::is_undo(self.keys, &subscription.id, *ended_at, undo)) {
            Some(ended_at) => self.store.undo_leaving(subscription.id.clone(), ended_at, self.now).await,
            None => Ok(Vec::new()),
        }
    }
}

/// The name of a time zone as the rules have it; none where there is no such zone.
pub fn known_zone(name: &str) -> Option<String> {
    Zone::parse(name.trim()).map(|zone| zone.name().to_owned())
}

/// What stands among those not to be mailed for an address whose owner was erased, by each of the keys.
fn erased_as(keys: &ServerKeys, email_key: &str) -> Vec<String> {
    keys.signatures("erased-address", email_key).into_iter().map(|hash| format!("erased:{hash}")).collect()
}

/// Erases a person, and writes them one last mail in `language`, whose flow is a new id of [`flow_id`]. False: there is
/// no such person any more.
pub async fn erase(
    store: &Store,
    keys: &ServerKeys,
    (subscriber, email): (SubscriberId, EmailAddress),
    language: String,
    flow: String,
    now: DateTime<Utc>,
) -> Result<bool> {
    let suppressed_as = format!("erased:{}", keys.sign("erased-address", email.key()));
    let link = keys.follow_up(tokens::ERASED, flow);
    store.erase((subscriber, email, language), suppressed_as, link, now).await
}

/// One word for where a person stands, over all their subscriptions.
pub fn standing(subscriber: &crate::store::Subscriber) -> &'static str {
    let has = |state| subscriber.subscriptions.iter().any(|subscription| subscription.state == state);
    if subscriber.suppression.is_some() {
        "suppressed"
    } else if has(SubscriptionState::Active) {
        "active"
    } else if has(SubscriptionState::Pending) {
        "pending"
    } else {
        "ended"
    }
}
