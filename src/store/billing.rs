//! What was bought, as the payment provider says it is: written with what follows from it.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{
    Agreement, AgreementId, CustomerId, EmailAddress, ErrandKind, Invoice, InvoiceState, MembershipState, Money,
    Standing, SubscriberId, words,
};

use super::audit::record_event;
use super::choices::Person;
use super::database::{Result, Transaction, transact};
use super::errands::{Errand, end_errand, send_for};
use super::flows::enter_subscriber;
use super::memberships::{MEMBERSHIP, Membership};
use super::notices::{FollowUp, NewFlow, enter_flow};
use super::open::Store;
use super::sign_ins::NewSignIn;
use super::values::{columns, values};

/// What an errand found out about one agreement.
#[derive(Debug, Clone)]
pub struct Found {
    /// The agreement as the provider has it.
    pub agreement: Agreement,
    /// What it means; none: nobody is a member by it.
    pub standing: Option<Standing>,
    /// Its customer's address and language, where the customer was not known.
    pub payer: Option<(EmailAddress, String)>,
    /// For whoever has paid before they had an account: the link that lets them in, in the browser that paid.
    pub sign_in: Option<NewSignIn>,
}

/// What readers are told by mail, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// What, in a word of the notice's.
    pub what: Told,
    /// About which invoice; none: about the membership.
    pub invoice: Option<Invoice>,
}

words! {
    /// What a mail about money says.
    pub enum Told {
        /// The membership has begun.
        Begun = "begun",
        /// An invoice was paid.
        Paid = "paid",
        /// A payment failed.
        Failed = "failed",
        /// A payment was given back.
        GivenBack = "given-back",
        /// The membership was cancelled and will end.
        Cancelled = "cancelled",
        /// The membership is over.
        Ended = "ended",
    }
}

columns! { InvoiceBefore: state, attempts, given_back; }

/// What was known of an invoice.
struct InvoiceBefore {
    state: InvoiceState,
    attempts: i64,
    given_back: i64,
}

impl Store {
    /// The latest invoices of an agreement, the newest first: when, how much, and what became of it.
    pub async fn invoices_of(&self, agreement: &AgreementId) -> Result<Vec<(DateTime<Utc>, Money, InvoiceState)>> {
        let sql = "SELECT at, amount, currency, state FROM invoices WHERE membership = $1 ORDER BY at DESC LIMIT 12";
        self.rows(sql, values![agreement]).await
    }

    /// Whose customer this is: none, where nobody knows; and within, none where they were erased.
    pub async fn reader_of(&self, customer: &CustomerId) -> Result<Option<Option<SubscriberId>>> {
        self.row("SELECT 1, subscriber FROM customers WHERE id = $1", values![customer])
            .await
            .map(|found: Option<(i64, Option<SubscriberId>)>| found.map(|(_, subscriber)| subscriber))
    }

    /// As whom the provider came to know a reader last, if it did.
    pub async fn customer_of(&self, who: &SubscriberId) -> Result<Option<CustomerId>> {
        let sql = "SELECT id FROM customers WHERE subscriber = $1 ORDER BY created_at DESC, id LIMIT 1";
        self.row(sql, values![who]).await
    }

    /// Keeps whose customer this is. What was kept first stays.
    pub async fn keep_customer(&self, customer: &CustomerId, who: &SubscriberId, now: DateTime<Utc>) -> Result<()> {
        let sql = "INSERT INTO customers (id, subscriber, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
        self.execute(sql, values![customer, who, now]).await.map(drop)
    }

    /// What is known that a customer has bought.
    pub async fn agreements_of(&self, customer: &CustomerId) -> Result<Vec<AgreementId>> {
        self.rows("SELECT id FROM memberships WHERE customer = $1", values![customer]).await
    }

    /// What else is known to go on that the reader of an agreement has bought; none: the agreement is nobody's.
    pub async fn others_of(&self, agreement: &AgreementId) -> Result<Option<Vec<AgreementId>>> {
        let sql = "SELECT subscriber FROM memberships WHERE id = $1 AND subscriber IS NOT NULL";
        let Some(who) = self.row::<SubscriberId>(sql, values![agreement]).await? else { return Ok(None) };
        self.rows(ANOTHER, values![&who, agreement]).await.map(Some)
    }

    /// The present address of a customer.
    pub async fn address_of(&self, customer: &CustomerId) -> Result<Option<EmailAddress>> {
        let sql = "SELECT p.email FROM customers c JOIN subscribers p ON p.id = c.subscriber WHERE c.id = $1";
        self.row(sql, values![customer]).await
    }

    /// Writes what was found out about an agreement and ends the errand, in one transaction: the membership, its
    /// invoices, whose it is, what is told of it by mail, and what is to be done next. `since`: nothing is told of what
    /// happened before. False: the lease was lost, and nothing was written.
    pub async fn learn(
        &self,
        errand: &Errand,
        found: Found,
        notice: impl Fn() -> FollowUp + Send + Sync + 'static,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let errand = errand.clone();
        transact!(self.write, |transaction| {
            if !end_errand(transaction, &errand, now).await? {
                return Ok(false);
            }
            // An errand about the agreement itself may be under way, with an older answer or a later one: its row makes
            // one write after the other, and asks once more.
            if errand.kind != ErrandKind::Agreement {
                send_for(transaction, ErrandKind::Agreement, found.agreement.id.as_str(), now).await?;
            }
            learn(transaction, found, &notice, since, now).await.map(|()| true)
        })
    }
}

/// Has the provider told where somebody is mailed now.
pub(super) async fn tell_provider(transaction: &mut Transaction, who: &SubscriberId, now: DateTime<Utc>) -> Result<()> {
    let customers: Vec<String> =
        transaction.rows("SELECT id FROM customers WHERE subscriber = $1", values![who]).await?;
    for customer in customers {
        send_for(transaction, ErrandKind::Address, &customer, now).await?;
    }
    Ok(())
}

/// What was bought is nobody's from now on, and is ended with the provider, so that nobody pays for it. What stays says
/// how much was paid, and not by whom.
pub(super) async fn forget_payer(transaction: &mut Transaction, who: &SubscriberId, now: DateTime<Utc>) -> Result<()> {
    let running = "SELECT id FROM memberships WHERE subscriber = $1 AND state <> 'ended'";
    for agreement in transaction.rows::<String>(running, values![who]).await? {
        send_for(transaction, ErrandKind::End, &agreement, now).await?;
    }
    for sql in [
        "UPDATE memberships SET subscriber = NULL WHERE subscriber = $1",
        "UPDATE customers SET subscriber = NULL WHERE subscriber = $1",
    ] {
        transaction.execute(sql, values![who]).await?;
    }
    Ok(())
}

async fn learn(
    transaction: &mut Transaction,
    found: Found,
    notice: &(dyn Fn() -> FollowUp + Send + Sync),
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let Found { agreement, standing, payer, sign_in } = found;
    let before = format!("SELECT {MEMBERSHIP} FROM memberships WHERE id = $1");
    let before: Option<Membership> = transaction.row(sqlx::AssertSqlSafe(before), values![&agreement.id]).await?;
    let Some(standing) = standing else { return Ok(()) };
    let is_running = !matches!(standing.state, MembershipState::Ended);
    let who = reader_for(transaction, &agreement, payer, now).await?;
    write_membership(transaction, &agreement, &standing, who.as_ref()).await?;
    let mut tellings = write_invoices(transaction, &agreement, since).await?;
    let state_before = before.as_ref().map(|before| before.state);
    let Some(who) = who else {
        // Nobody reads by it: nobody is to pay for it, nor to have paid for what was never theirs.
        let kind = if before.is_none() { ErrandKind::GiveBack } else { ErrandKind::End };
        return if is_running { send_for(transaction, kind, agreement.id.as_str(), now).await } else { Ok(()) };
    };
    if let Some(sign_in) = sign_in.filter(|_| agreement.began_at > since) {
        let_in(transaction, sign_in, &who, agreement.began_at, now).await?;
    }
    if let Some(event) = what_changed(before.as_ref(), &agreement, &standing) {
        let plan = agreement.plan.as_ref().map_or("", |plan| plan.as_str());
        let detail = format!("{plan}, reads until {}", standing.reads_until.format("%Y-%m-%d %H:%M UTC"));
        record_event(transaction, event, (Some(&who), ""), &detail, now).await?;
    }
    let has_another = has_another(transaction, &agreement, &who).await?;
    let too_much = match standing.state {
        _ if before.is_some() || !is_running => None,
        _ if has_another => Some((ErrandKind::GiveBack, "bought-twice")),
        MembershipState::Trial if has_bought_before(transaction, &agreement, &who).await? => {
            Some((ErrandKind::End, "tried-twice"))
        }
        _ => None,
    };
    if let Some((kind, event)) = too_much {
        send_for(transaction, kind, agreement.id.as_str(), now).await?;
        return record_event(transaction, event, (Some(&who), ""), "", now).await;
    }
    let of_membership = |what| Telling { what, invoice: None };
    match (state_before, standing.state) {
        (None, MembershipState::Trial) if agreement.began_at > since => tellings.push(of_membership(Told::Begun)),
        (Some(before), MembershipState::Cancelled) if before != MembershipState::Cancelled => {
            tellings.push(of_membership(Told::Cancelled));
        }
        (Some(before), MembershipState::Ended)
            if before != MembershipState::Ended
                && !has_another
                && agreement.ended_at.is_some_and(|ended_at| ended_at > since) =>
        {
            tellings.push(of_membership(Told::Ended));
        }
        _ => {}
    }
    for telling in tellings {
        tell(transaction, (&agreement, &standing), &who, telling, notice(), now).await?;
    }
    Ok(())
}

/// What is remembered of a change; none: there is none.
fn what_changed(before: Option<&Membership>, agreement: &Agreement, standing: &Standing) -> Option<&'static str> {
    let before = before.filter(|before| before.state == standing.state);
    let plan_before = before.and_then(|before| before.bought.as_ref()).map(|bought| &bought.plan);
    match before {
        Some(before) if plan_before == agreement.plan.as_ref() => {
            (before.reads_until != standing.reads_until).then_some("membership-renewed")
        }
        Some(_) => Some("membership-switched"),
        None => Some(match standing.state {
            MembershipState::Granted | MembershipState::Trial => "membership-trial",
            MembershipState::Active => "membership-active",
            MembershipState::PastDue => "membership-past-due",
            MembershipState::Cancelled => "membership-cancelled",
            MembershipState::Ended => "membership-ended",
        }),
    }
}

/// Whose agreement it is. A customer who was never heard of is the subscriber with their address, who is entered if
/// there is none; that subscribes nobody to anything.
async fn reader_for(
    transaction: &mut Transaction,
    agreement: &Agreement,
    payer: Option<(EmailAddress, String)>,
    now: DateTime<Utc>,
) -> Result<Option<SubscriberId>> {
    let sql = "SELECT 1, subscriber FROM customers WHERE id = $1";
    let known: Option<(i64, Option<SubscriberId>)> = transaction.row(sql, values![&agreement.customer]).await?;
    if let Some((_, who)) = known {
        return Ok(who);
    }
    let Some((email, language)) = payer else { return Ok(None) };
    let language = (!language.is_empty()).then_some(language);
    let who = enter_subscriber(transaction, &email, &Person { name: None, time_zone: None, language }, now).await?;
    // Of another agreement of theirs, somebody may learn at the same time.
    let sql = "INSERT INTO customers (id, subscriber, created_at) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING 1, subscriber";
    let kept: Option<(i64, Option<SubscriberId>)> =
        transaction.row(sql, values![&agreement.customer, &who, now]).await?;
    Ok(kept.and_then(|(_, who)| who))
}

/// Mails whoever paid before they had an account the link that lets them in: once, whichever news of it came first.
async fn let_in(
    transaction: &mut Transaction,
    sign_in: NewSignIn,
    who: &SubscriberId,
    began_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    // The provider's clock is not ours.
    let sql = "SELECT 1 FROM flows WHERE browser_hash = $1 AND subscriber = $2 AND created_at > $3";
    let asked = values![&sign_in.browser_hash, who, began_at - Duration::minutes(15)];
    if transaction.has_any(sql, asked).await? {
        return Ok(());
    }
    let Some(mailbox) = mailbox_of(transaction, who).await? else { return Ok(()) };
    sign_in.enter(transaction, Some(who.clone()), mailbox, None, now).await
}

/// Where somebody is mailed, and in which language; empty: they have chosen none.
async fn mailbox_of(transaction: &mut Transaction, who: &SubscriberId) -> Result<Option<(EmailAddress, String)>> {
    let sql = "SELECT email, COALESCE(language, '') FROM subscribers WHERE id = $1";
    transaction.row(sql, values![who]).await
}

async fn write_membership(
    transaction: &mut Transaction,
    agreement: &Agreement,
    standing: &Standing,
    who: Option<&SubscriberId>,
) -> Result<()> {
    let sql = "INSERT INTO memberships (id, subscriber, state, began_at, reads_until, plan, customer, amount, currency,
            every, paid_until, renews_at, ends_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (id) DO UPDATE SET subscriber = excluded.subscriber, state = excluded.state,
            reads_until = excluded.reads_until, plan = excluded.plan, amount = excluded.amount,
            currency = excluded.currency, every = excluded.every, paid_until = excluded.paid_until,
            renews_at = excluded.renews_at, ends_at = excluded.ends_at";
    let row = values![
        &agreement.id,
        who,
        standing.state,
        agreement.began_at,
        standing.reads_until,
        agreement.plan.as_ref(),
        &agreement.customer,
        agreement.price.minor,
        agreement.price.currency.code(),
        agreement.every,
        standing.paid_until,
        agreement.period_end,
        agreement.ended_at.or(agreement.cancels_at)
    ];
    transaction.execute(sql, row).await.map(drop)
}

/// Writes the invoices as they are, and says what of them is news since `since`.
async fn write_invoices(
    transaction: &mut Transaction,
    agreement: &Agreement,
    since: DateTime<Utc>,
) -> Result<Vec<Telling>> {
    let mut tellings = Vec::new();
    for invoice in &agreement.invoices {
        let sql = "SELECT state, attempts, given_back FROM invoices WHERE id = $1";
        let before: Option<InvoiceBefore> = transaction.row(sql, values![&invoice.id]).await?;
        let sql = "INSERT INTO invoices (id, membership, at, amount, given_back, currency, state, paid_at, attempts)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, given_back = excluded.given_back,
                state = excluded.state, paid_at = excluded.paid_at, attempts = excluded.attempts";
        let Invoice { id, amount, given_back, state, at, paid_at, attempts, .. } = invoice;
        let code = amount.currency.code();
        let row = values![
            id,
            &agreement.id,
            *at,
            amount.minor,
            given_back.minor,
            code,
            *state,
            *paid_at,
            i64::from(*attempts)
        ];
        transaction.execute(sql, row).await?;
        // What failed again, or was given back, was made long before.
        let is_news =
            |what: &Told| paid_at.unwrap_or(*at).max(*at) > since || (before.is_some() && !matches!(what, Told::Paid));
        let told = told_of(invoice, before.as_ref()).filter(is_news);
        tellings.extend(told.map(|what| Telling { what, invoice: Some(invoice.clone()) }));
    }
    Ok(tellings)
}

/// What is new about an invoice. Nothing is told where no money moves.
fn told_of(invoice: &Invoice, before: Option<&InvoiceBefore>) -> Option<Told> {
    let state = before.map(|before| before.state);
    let attempts = before.map_or(0, |before| before.attempts);
    match invoice.state {
        _ if invoice.amount.minor == 0 => None,
        InvoiceState::Paid if state != Some(InvoiceState::Paid) => Some(Told::Paid),
        InvoiceState::Open if i64::from(invoice.attempts) > attempts => Some(Told::Failed),
        _ if invoice.given_back.minor > before.map_or(0, |before| before.given_back) => Some(Told::GivenBack),
        _ => None,
    }
}

/// Whether a reader has another membership that they pay for. Of two that are learned of at once, one sees the other.
async fn has_another(transaction: &mut Transaction, agreement: &Agreement, who: &SubscriberId) -> Result<bool> {
    transaction.execute("UPDATE subscribers SET email_key = email_key WHERE id = $1", values![who]).await?;
    transaction.has_any(ANOTHER, values![who, &agreement.id]).await
}

const ANOTHER: &str = "SELECT id FROM memberships WHERE subscriber = $1 AND id <> $2
    AND state IN ('trial', 'active', 'past-due') AND ends_at IS NULL";

/// Whether a reader has bought before, whatever became of it: their trial is over.
async fn has_bought_before(transaction: &mut Transaction, agreement: &Agreement, who: &SubscriberId) -> Result<bool> {
    let sql = "SELECT 1 FROM memberships WHERE subscriber = $1 AND id <> $2 AND state <> 'granted'";
    transaction.has_any(sql, values![who, &agreement.id]).await
}

/// What a mail about money is made from: what it says, of which plan, and what it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// A word of [`Told`].
    pub what: String,
    /// The plan's id.
    pub plan: String,
    /// What was paid or is to be paid, or one payment, in the smallest unit of `currency`.
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// The next payment, or the next try of this one; none: there is none.
    pub next_at: Option<DateTime<Utc>>,
    /// Until when one may read.
    pub reads_until: DateTime<Utc>,
}

/// A mail about money may be late: its news hold.
const TOLD_WITHIN: Duration = Duration::days(3);

async fn tell(
    transaction: &mut Transaction,
    (agreement, standing): (&Agreement, &Standing),
    who: &SubscriberId,
    telling: Telling,
    link: FollowUp,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(mailbox) = mailbox_of(transaction, who).await? else { return Ok(()) };
    let Telling { what, invoice } = telling;
    let is_over = agreement.cancels_at.is_some() || agreement.ended_at.is_some();
    let renews = (!is_over).then_some(agreement.period_end);
    let (money, next_at) = match (&invoice, what) {
        (Some(invoice), Told::GivenBack) => (invoice.given_back, None),
        (Some(invoice), Told::Failed) => (invoice.amount, invoice.next_attempt_at),
        (Some(invoice), _) => (invoice.amount, renews),
        (None, _) => (agreement.price, renews),
    };
    let bill = Bill {
        what: what.as_str().to_owned(),
        plan: agreement.plan.as_ref().map_or_else(String::new, ToString::to_string),
        minor: money.minor,
        currency: money.currency.code().to_owned(),
        next_at,
        reads_until: standing.reads_until,
    };
    let flow = NewFlow::new("billing", link, mailbox, now, TOLD_WITHIN);
    let payload = serde_json::json!(bill).to_string();
    enter_flow(transaction, NewFlow { subscriber: Some(who.clone()), payload, ..flow }, None).await
}

#[cfg(test)]
mod tests;
