//! What would be sent, to how many, to whom not and why, and what it waits for.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};

use crate::content::Article;
use crate::model::{ArticleId, Brake, Cadence, IssueId, IssueKind, Newsletter};
use crate::press::Edition;
use crate::store::{Audience, Count, DigestRun, Entry, Standing, Store};

use super::compose::{Composed, Purpose, compose};
use super::refusal::SendError;

/// One issue that is not sealed yet.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Hash of content, templates, settings and the audience's rule; none where nothing is going to be sent.
    pub id: Option<String>,
    /// Instant or digest.
    pub kind: IssueKind,
    /// Who gets it.
    pub audience: Audience,
    /// Its articles, in order.
    pub articles: Vec<ArticleId>,
    /// A digest's run.
    pub run: Option<DigestRun>,
    /// Readers are served to this number afterwards.
    pub covers_to: i64,
    /// To how many, and to whom not.
    pub count: Count,
    /// What must happen before it is sent.
    pub waits_for: Option<WaitsFor>,
}

/// What a planned issue waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitsFor {
    /// `issue approve`, because of this brake.
    Approval(Brake),
    /// The date of its article.
    Date(DateTime<Utc>),
    /// An instant issue of an earlier article of the same newsletter.
    Earlier(ArticleId),
    /// An editor's `issue send`: it was out before this database first saw the newsletter.
    BeforeStart,
    /// An editor's `issue send`: it was first seen too long after its date.
    Late,
    /// An editor's `issue send`: it was taken back, or an editor said no.
    Withdrawn,
    /// The next digest: nobody gets this newsletter at once.
    Digest,
    /// A mistake that `check` reports.
    Errors,
    /// Its article is a draft, or has no date.
    Draft,
}

impl Plan {
    /// What it is for.
    pub fn purpose<'a>(&self, edition: &Edition, newsletter: &'a Newsletter) -> Purpose<'a> {
        let date = || self.articles.first().and_then(|id| edition.catalog.article(id)).and_then(|article| article.date);
        let at = self.run.as_ref().map(|run| run.slot_at).or_else(date).unwrap_or_default();
        Purpose { newsletter, cadence: self.audience.cadence, at }
    }
}

impl WaitsFor {
    /// One word for answers.
    pub fn as_str(&self) -> &'static str {
        match self {
            WaitsFor::Approval(_) => "approval",
            WaitsFor::Date(_) => "date",
            WaitsFor::Earlier(_) => "earlier",
            WaitsFor::BeforeStart => "before-start",
            WaitsFor::Late => "late",
            WaitsFor::Withdrawn => "withdrawn",
            WaitsFor::Digest => "digest",
            WaitsFor::Errors => "errors",
            WaitsFor::Draft => "draft",
        }
    }

    /// A sentence for people.
    pub fn explanation(&self) -> String {
        match self {
            WaitsFor::Approval(brake) => format!("`issue approve`: {}", brake.explanation()),
            WaitsFor::Date(date) => format!("its date, {}", date.format("%Y-%m-%d %H:%M UTC")),
            WaitsFor::Earlier(article) => format!("the issue of the earlier article `{article}`"),
            WaitsFor::BeforeStart => {
                "an editor: it was out before this database first saw the newsletter (`issue send ARTICLE` mails it)"
                    .to_owned()
            }
            WaitsFor::Late => {
                "an editor: it was first seen too long after its date (`issue send ARTICLE` mails it)".to_owned()
            }
            WaitsFor::Withdrawn => "an editor: it was taken back (`issue send ARTICLE` mails it)".to_owned(),
            WaitsFor::Digest => "the next digest: nobody gets this newsletter at once".to_owned(),
            WaitsFor::Errors => "the mistakes that `check` reports to be mended".to_owned(),
            WaitsFor::Draft => "its article to have a date and no longer be a draft".to_owned(),
        }
    }
}

/// In place of the issue's id while there is none, so that a plan's hash does not depend on it.
const NO_ID: &str = "00000000000000000000000000000000";

/// Everything that is planned, waits, or will not go by itself, newsletter by newsletter.
pub async fn plans(store: &Store, edition: &Edition, now: DateTime<Utc>) -> Result<Vec<Plan>, SendError> {
    let mut plans = Vec::new();
    for newsletter in &edition.settings.newsletters {
        plans.extend(instant_plans(store, edition, newsletter, now).await?);
        plans.extend(digest_plans(store, edition, newsletter, now).await?);
        plans.extend(waiting_for_an_editor(store, newsletter).await?);
        plans.extend(scheduled(edition, newsletter, now));
    }
    if edition.has_errors() {
        plans.iter_mut().filter(|plan| plan.id.is_some()).for_each(|plan| plan.waits_for = Some(WaitsFor::Errors));
    }
    Ok(plans)
}

/// The instant issues that are owed and not sealed, in the order of their numbers.
pub(super) async fn instant_plans(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    now: DateTime<Utc>,
) -> Result<Vec<Plan>, SendError> {
    let mut plans: Vec<Plan> = Vec::new();
    for entry in store.seen_articles(&newsletter.id).await?.into_iter().filter(|entry| entry.instant_waits) {
        let Some(sequence) = entry.sequence else { continue };
        // Another process may have read a newer folder: what is not out in this one is not sent from it.
        let out_by = now + edition.settings.sending.undo;
        let article = edition.catalog.article(&entry.article).filter(|article| article.is_published(out_by));
        let Some(article) = article else { continue };
        let mut plan = instant_plan(store, edition, newsletter, article, sequence, None).await?;
        plan.waits_for = match plans.first() {
            Some(earlier) => earlier.articles.first().cloned().map(WaitsFor::Earlier),
            None if plan.count.recipients == 0 => Some(WaitsFor::Digest),
            None => brake(store, edition, newsletter, &plan, now).await?.map(WaitsFor::Approval),
        };
        plans.push(plan);
    }
    Ok(plans)
}

/// What `issue send ARTICLE` would send to one newsletter's instant readers, on the editor's word alone.
pub async fn plan_article(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    article: &Article,
) -> Result<Plan, SendError> {
    let id = article.id.as_ref().ok_or_else(|| SendError::refused(article, "it has no `id`"))?;
    let entries = store.seen_articles(&newsletter.id).await?;
    let number = entries.iter().find(|entry| entry.article == *id).and_then(|entry| entry.sequence);
    let replaced = store.editions(&newsletter.id, id).await?.into_iter().next();
    instant_plan(store, edition, newsletter, article, number.unwrap_or(i64::MAX), replaced.as_ref()).await
}

async fn instant_plan(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    article: &Article,
    sequence: i64,
    replaced: Option<&crate::store::IssueRow>,
) -> Result<Plan, SendError> {
    let id = article.id.clone().ok_or_else(|| SendError::refused(article, "it has no `id`"))?;
    let edition_number = replaced.and_then(|issue| issue.article.as_ref()).map_or(1, |(_, edition)| edition + 1);
    let audience = Audience {
        newsletter: newsletter.id.clone(),
        cadence: Cadence::Instant,
        covered_from: 0,
        covered_before: sequence,
        article: Some((id.clone(), edition_number)),
        replaces: replaced.map(|issue| issue.id.clone()),
    };
    let at = article.date.unwrap_or_default();
    let purpose = Purpose { newsletter, cadence: Cadence::Instant, at };
    let composed = compose(edition, purpose, &[article], &IssueId::new(NO_ID))?;
    let rule = format!("instant/{}/{id}/{edition_number}", newsletter.id);
    let count = store.count_audience(&audience).await?;
    Ok(Plan {
        id: Some(plan_id(&rule, &composed)),
        kind: IssueKind::Instant,
        audience,
        articles: vec![id],
        run: None,
        covers_to: sequence,
        count,
        waits_for: None,
    })
}

/// The digest issues of a newsletter's runs that have come and are not sealed: one for each set of articles.
pub async fn digest_plans(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    now: DateTime<Utc>,
) -> Result<Vec<Plan>, SendError> {
    let mut plans = Vec::new();
    for run in store.waiting_digest_runs(&newsletter.id).await? {
        let owed = owed_articles(store, edition, newsletter, &run, now).await?;
        for (covered_from, covered_before, articles) in sets(store, &run, &owed).await? {
            let mut plan =
                digest_plan(store, edition, newsletter, &run, (covered_from, covered_before), &articles).await?;
            plan.waits_for = brake(store, edition, newsletter, &plan, now).await?.map(WaitsFor::Approval);
            plans.push(plan);
        }
    }
    Ok(plans)
}

/// What a run's readers may be owed at all: numbered up to the run's boundary, and still out.
async fn owed_articles<'a>(
    store: &Store,
    edition: &'a Edition,
    newsletter: &Newsletter,
    run: &DigestRun,
    now: DateTime<Utc>,
) -> Result<Vec<(i64, &'a Article)>, SendError> {
    let out_by = now + edition.settings.sending.undo;
    let numbered = |entry: &Entry| {
        let sequence = entry.sequence.filter(|sequence| *sequence <= run.covers_to)?;
        let article = edition.catalog.article(&entry.article)?;
        article.is_published(out_by).then_some((sequence, article))
    };
    Ok(store.seen_articles(&newsletter.id).await?.iter().filter_map(numbered).collect())
}

/// The distinct sets of articles: for each, the range of coverage whose readers are owed exactly it.
async fn sets<'a>(
    store: &Store,
    run: &DigestRun,
    owed: &[(i64, &'a Article)],
) -> Result<Vec<(i64, i64, Vec<&'a Article>)>, SendError> {
    let coverages = store.coverages(&run.newsletter, run.cadence).await?;
    let mut readers_by_first: BTreeMap<usize, i64> = BTreeMap::new();
    for coverage in coverages {
        let first = owed.partition_point(|(sequence, _)| *sequence <= coverage.covered_to);
        if first < owed.len() {
            *readers_by_first.entry(first).or_default() += coverage.readers;
        }
    }
    let set = |first: usize| {
        let covered_from = if first == 0 { 0 } else { owed[first - 1].0 };
        (covered_from, owed[first].0, owed[first..].iter().map(|(_, article)| *article).collect())
    };
    Ok(readers_by_first.into_keys().map(set).collect())
}

async fn digest_plan(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    run: &DigestRun,
    (covered_from, covered_before): (i64, i64),
    articles: &[&Article],
) -> Result<Plan, SendError> {
    let audience = Audience {
        newsletter: newsletter.id.clone(),
        cadence: run.cadence,
        covered_from,
        covered_before,
        article: None,
        replaces: None,
    };
    let purpose = Purpose { newsletter, cadence: run.cadence, at: run.slot_at };
    let composed = compose(edition, purpose, articles, &IssueId::new(NO_ID))?;
    let ids: Vec<ArticleId> = articles.iter().filter_map(|article| article.id.clone()).collect();
    let set: Vec<&str> = ids.iter().map(ArticleId::as_str).collect();
    let rule = format!("{}/{}/{}", run.cadence.as_str(), newsletter.id, set.join(","));
    let count = store.count_audience(&audience).await?;
    Ok(Plan {
        id: Some(plan_id(&rule, &composed)),
        kind: IssueKind::Digest,
        audience,
        articles: ids,
        run: Some(run.clone()),
        covers_to: run.covers_to,
        count,
        waits_for: None,
    })
}

/// What holds an automatic issue, unless an editor said yes to exactly this plan, for about as many readers.
async fn brake(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<Option<Brake>, SendError> {
    let slot_at = plan.run.as_ref().map(|run| run.slot_at);
    let (largest, recent) = store.sending_record(&newsletter.id, now - Brake::WINDOW, slot_at).await?;
    let Some(brake) = Brake::on(newsletter.send, plan.count.recipients, largest, recent) else { return Ok(None) };
    let approved_for = match &plan.id {
        Some(id) => store.approved_plan(id).await?,
        None => None,
    };
    let drift = edition.settings.sending.plan_drift;
    let is_approved = approved_for.is_some_and(|seen| !has_outgrown(seen, plan.count.recipients, drift));
    Ok(if is_approved { None } else { Some(brake) })
}

/// Whether an audience grew by more than `drift` (a share, but at least 10 people) since its plan was shown.
pub(super) fn has_outgrown(shown: i64, now: i64, drift: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share of a count of people")]
    let share = (shown as f64 * drift) as i64;
    now > shown + share.max(10)
}

/// What the ledger knows and no scheduler will ever send, by reason.
async fn waiting_for_an_editor(store: &Store, newsletter: &Newsletter) -> Result<Vec<Plan>, SendError> {
    let entries = store.seen_articles(&newsletter.id).await?;
    let reasons = [
        (Standing::BeforeStart, WaitsFor::BeforeStart),
        (Standing::Late, WaitsFor::Late),
        (Standing::Withdrawn, WaitsFor::Withdrawn),
    ];
    let plan = |(standing, waits_for)| {
        let articles: Vec<ArticleId> =
            entries.iter().filter(|entry| entry.standing == standing).map(|entry| entry.article.clone()).collect();
        (!articles.is_empty()).then(|| nothing_yet(newsletter, articles, waits_for))
    };
    Ok(reasons.into_iter().filter_map(plan).collect())
}

/// What will go by itself when its date comes.
fn scheduled(edition: &Edition, newsletter: &Newsletter, now: DateTime<Utc>) -> Vec<Plan> {
    let carried = edition.catalog.articles.iter().filter(|article| article.newsletters.contains(&newsletter.id));
    let by = now + edition.settings.sending.undo;
    let plan = |article: &Article| {
        let waits_for = WaitsFor::Date(article.date?);
        article.is_scheduled(by).then(|| nothing_yet(newsletter, article.id.iter().cloned().collect(), waits_for))
    };
    carried.filter_map(plan).collect()
}

fn nothing_yet(newsletter: &Newsletter, articles: Vec<ArticleId>, waits_for: WaitsFor) -> Plan {
    let audience = Audience {
        newsletter: newsletter.id.clone(),
        cadence: Cadence::Instant,
        covered_from: 0,
        covered_before: 0,
        article: None,
        replaces: None,
    };
    let (kind, count, waits_for) = (IssueKind::Instant, Count::default(), Some(waits_for));
    Plan { id: None, kind, audience, articles, run: None, covers_to: 0, count, waits_for }
}

/// The hash of an audience's rule and of everything its readers would see.
fn plan_id(rule: &str, composed: &Composed) -> String {
    let mut text = format!("{rule}\0{}\0{}", composed.subject, composed.web_page);
    for (viewer, html, plain) in &composed.bodies {
        text.push_str(&format!("\0{}\0{html}\0{plain}", viewer.as_str()));
    }
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
