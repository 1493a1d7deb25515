//! What would be sent, to how many, to whom not and why, and what it waits for.

use chrono::{DateTime, Utc};

use crate::content::{Article, fingerprint};
use crate::model::{ArticleId, Brake, Cadence, IssueId, Newsletter, NewsletterId};
use crate::press::Edition;
use crate::store::{Audience, Count, DigestRun, Group, IssueRow, Standing};

use super::Office;
use super::compose::{Composed, Purpose, compose};
use super::refusal::{Result, id_of};

/// One issue that is not sealed yet.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Hash of content, templates, settings and the audience's rule; none where nothing is going to be sent.
    pub id: Option<String>,
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// Who gets it.
    pub to: Recipients,
    /// Its articles, in order.
    pub articles: Vec<ArticleId>,
    /// Readers are served to this number afterwards.
    pub covers_to: i64,
    /// To how many, and to whom not.
    pub count: Count,
    /// What must happen before it is sent.
    pub waits_for: Option<WaitsFor>,
}

/// Who gets a planned issue.
#[derive(Debug, Clone)]
pub enum Recipients {
    /// Nobody, as things stand.
    Nobody,
    /// Instant readers.
    Instant(Audience),
    /// Readers of a digest.
    Digest(Readers),
}

/// Readers of a digest who are owed the same articles.
#[derive(Debug, Clone)]
pub struct Readers {
    /// Their run.
    pub run: DigestRun,
    /// They, by rhythm, topics and the number they are served to.
    pub groups: Vec<Group>,
    /// How many articles more they are owed than a digest holds.
    pub more: usize,
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
    /// An editor's `issue send`, for it stands in the ledger like this.
    Editor(Standing),
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
        match &self.to {
            Recipients::Digest(Readers { run, more, .. }) => {
                Purpose { newsletter, cadence: run.cadence, at: run.slot_at, more: *more }
            }
            Recipients::Instant(_) | Recipients::Nobody => {
                Purpose { newsletter, cadence: Cadence::Instant, at: self.date(edition).unwrap_or_default(), more: 0 }
            }
        }
    }

    /// When its first article came out, or does.
    pub(super) fn date(&self, edition: &Edition) -> Option<DateTime<Utc>> {
        self.articles.first().and_then(|id| edition.catalog.article(id)).and_then(|article| article.date)
    }

    /// Whether it goes to those whom a cancelled issue did not reach.
    pub(super) fn is_correction(&self) -> bool {
        matches!(&self.to, Recipients::Instant(Audience { replaces: Some(_), .. }))
    }

    /// Whether its readers get each article at once, or a digest.
    pub fn cadence(&self) -> Cadence {
        match &self.to {
            Recipients::Digest(readers) => readers.run.cadence,
            Recipients::Instant(_) | Recipients::Nobody => Cadence::Instant,
        }
    }
}

impl WaitsFor {
    /// One word for answers.
    pub fn as_str(&self) -> &'static str {
        match self {
            WaitsFor::Approval(_) => "approval",
            WaitsFor::Date(_) => "date",
            WaitsFor::Earlier(_) => "earlier",
            WaitsFor::Editor(standing) => standing.as_str(),
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
            WaitsFor::Editor(standing) => {
                let why = match standing {
                    Standing::BeforeStart => "it was out before this database first saw the newsletter",
                    Standing::Late => "it was first seen too long after its date",
                    Standing::Owed | Standing::Withdrawn => "it was taken back",
                };
                format!("an editor: {why} (`issue send ARTICLE` mails it)")
            }
            WaitsFor::Digest => "the next digest: nobody gets this newsletter at once".to_owned(),
            WaitsFor::Errors => "the mistakes that `check` reports to be mended".to_owned(),
            WaitsFor::Draft => "its article to have a date and no longer be a draft".to_owned(),
        }
    }
}

/// In place of the issue's id while there is none, so that a plan's hash does not depend on it.
pub(super) const NO_ID: &str = "00000000000000000000000000000000";

impl<'a> Office<'a> {
    /// The instant issues that are owed and not sealed, in the order of their numbers.
    pub(super) async fn instant_plans(self, newsletter: &Newsletter) -> Result<Vec<Plan>> {
        let mut plans: Vec<Plan> = Vec::new();
        for (sequence, article) in self.waiting_articles(newsletter).await? {
            plans.push(match plans.first().and_then(|earlier| earlier.articles.first().cloned()) {
                Some(earlier) => Plan {
                    waits_for: Some(WaitsFor::Earlier(earlier)),
                    ..self.instant_plan(newsletter, article, sequence, None).await?
                },
                None => self.next_instant(newsletter, article, sequence).await?,
            });
        }
        Ok(plans)
    }

    /// The articles that wait for their instant issue, by their numbers. Another process may have read a newer folder:
    /// what is not out in this one is not sent from it.
    pub(super) async fn waiting_articles(self, newsletter: &Newsletter) -> Result<Vec<(i64, &'a Article)>> {
        let out_by = self.now + self.edition.settings.sending.undo;
        let entries = self.store.seen_articles(&newsletter.id).await?;
        let waiting = entries.iter().filter(|entry| entry.instant_waits).filter_map(|entry| {
            let article = self.edition.catalog.article(&entry.article).filter(|article| article.is_published(out_by));
            Some((entry.sequence?, article?))
        });
        Ok(waiting.collect())
    }

    /// The instant issue that is next in a newsletter, and what holds it.
    pub(super) async fn next_instant(self, newsletter: &Newsletter, article: &Article, sequence: i64) -> Result<Plan> {
        let mut plan = self.instant_plan(newsletter, article, sequence, None).await?;
        plan.waits_for = match plan.count.recipients {
            0 => Some(WaitsFor::Digest),
            _ => self.brake(newsletter, &plan).await?.map(WaitsFor::Approval),
        };
        Ok(plan)
    }

    /// What `issue send ARTICLE` would send to one newsletter's instant readers, on the editor's word alone.
    pub async fn plan_article(self, newsletter: &Newsletter, article: &Article) -> Result<Plan> {
        let id = id_of(article)?;
        let entries = self.store.seen_articles(&newsletter.id).await?;
        let number = entries.iter().find(|entry| entry.article == *id).and_then(|entry| entry.sequence);
        let replaced = self.store.editions(&newsletter.id, id).await?.into_iter().next();
        self.instant_plan(newsletter, article, number.unwrap_or(i64::MAX), replaced.as_ref()).await
    }

    async fn instant_plan(
        self,
        newsletter: &Newsletter,
        article: &Article,
        sequence: i64,
        replaced: Option<&IssueRow>,
    ) -> Result<Plan> {
        let id = id_of(article)?.clone();
        let edition_number = replaced.and_then(|issue| issue.article.as_ref()).map_or(1, |(_, edition)| edition + 1);
        let audience = Audience {
            newsletter: newsletter.id.clone(),
            covered_before: sequence,
            tags: article.tags.clone(),
            article: (id.clone(), edition_number),
            replaces: replaced.map(|issue| issue.id.clone()),
        };
        let at = article.date.unwrap_or_default();
        let purpose = Purpose { newsletter, cadence: Cadence::Instant, at, more: 0 };
        let composed = compose(self.edition, purpose, &[article], &IssueId::new(NO_ID))?;
        let rule = format!("instant/{}/{id}/{edition_number}", newsletter.id);
        let count = self.store.count_audience(&audience).await?;
        Ok(Plan {
            id: Some(plan_id(&rule, &composed)),
            newsletter: newsletter.id.clone(),
            to: Recipients::Instant(audience),
            articles: vec![id],
            covers_to: sequence,
            count,
            waits_for: None,
        })
    }

    /// What holds an automatic instant issue, unless an editor said yes to exactly this plan, for about as many
    /// readers.
    async fn brake(self, newsletter: &Newsletter, plan: &Plan) -> Result<Option<Brake>> {
        let (largest, recent) = self.store.sending_record(&newsletter.id, self.now - Brake::WINDOW).await?;
        let Some(brake) = Brake::on(newsletter.send, plan.count.recipients, largest, recent) else { return Ok(None) };
        Ok(if self.is_approved(plan).await? { None } else { Some(brake) })
    }

    /// Whether an editor said yes to exactly this plan, for about as many readers.
    pub(super) async fn is_approved(self, plan: &Plan) -> Result<bool> {
        let Some(id) = &plan.id else { return Ok(false) };
        let drift = self.edition.settings.sending.plan_drift;
        let approved_for = self.store.shown_plan(id).await?.and_then(|(_, approved_for)| approved_for);
        Ok(approved_for.is_some_and(|seen| !has_outgrown(seen, plan.count.recipients, drift)))
    }
}

/// Whether an audience grew by more than `drift` (a share, but at least 10 people) since its plan was shown.
pub(super) fn has_outgrown(shown: i64, now: i64, drift: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share of a count of people")]
    let share = (shown as f64 * drift) as i64;
    now > shown + share.max(10)
}

/// The hash of an audience's rule and of everything its readers would see.
pub(super) fn plan_id(rule: &str, composed: &Composed) -> String {
    let mut text = format!("{rule}\0{}\0{}", composed.subject, composed.web_page);
    for (viewer, html, plain) in &composed.bodies {
        text.push_str(&format!("\0{}\0{html}\0{plain}", viewer.as_str()));
    }
    fingerprint(text.as_bytes())[..16].to_owned()
}
