//! What was bought, as the payment provider says it is: written with what follows from it.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{
    Agreement, AgreementId, CustomerId, EmailAddress, Invoice, InvoiceState, MembershipState, Money, Standing,
    SubscriberId, words,
};

use super::audit::record_event;
use super::choices::Person;
use super::database::{Result, StoreError, Transaction, transact};
use super::errands::{Errand, ErrandKind, end_errand, send_for};
use super::flows::{Flow, enter_subscriber};
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
    let sql = "SELECT email, language FROM subscribers WHERE id = $1";
    let Some((email, language)) = transaction.row::<(EmailAddress, Option<String>)>(sql, values![who]).await? else {
        return Ok(());
    };
    sign_in.enter(transaction, Some(who.clone()), (email, language.unwrap_or_default()), None, now).await
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
    let sql = "SELECT email, language FROM subscribers WHERE id = $1";
    let Some((email, language)) = transaction.row::<(EmailAddress, Option<String>)>(sql, values![who]).await? else {
        return Ok(());
    };
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
    let flow = NewFlow::new("billing", link, (email, language.unwrap_or_default()), now, TOLD_WITHIN);
    let payload = serde_json::json!(bill).to_string();
    enter_flow(transaction, NewFlow { subscriber: Some(who.clone()), payload, ..flow }, None).await
}

impl Flow {
    /// What a mail about money is made from.
    pub fn bill(&self) -> Result<Bill> {
        serde_json::from_str(&self.payload).map_err(|error| StoreError::Form(format!("a bill: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::model::{AgreementStatus, Currency, Every, Money, NewsletterId, Opens, Plan, PlanId, Reading};
    use crate::store::Heard;
    use crate::store::fresh::{sqlite, stores};
    use proptest::prelude::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::days(day)
    }

    fn euros(minor: i64) -> Money {
        Money { minor, currency: Currency::parse("EUR").unwrap() }
    }

    fn agreement(id: &str, months: i64) -> Agreement {
        let invoice = |month: i64| Invoice {
            id: format!("in_{id}_{month}"),
            amount: euros(500),
            given_back: euros(0),
            state: InvoiceState::Paid,
            at: day(30 * month),
            paid_at: Some(day(30 * month)),
            covers_to: day(30 * month + 30),
            attempts: 1,
            next_attempt_at: None,
        };
        Agreement {
            id: AgreementId::new(id),
            customer: CustomerId::new(format!("cus_{id}")),
            plan: Some(PlanId::new("monthly")),
            status: AgreementStatus::Active,
            price: euros(500),
            every: Every::Month,
            began_at: day(0),
            period_end: day(30 * months),
            cancels_at: None,
            ended_at: None,
            invoices: (0..months).rev().map(invoice).collect(),
        }
    }

    fn found(agreement: Agreement) -> Found {
        let standing = agreement.standing(Duration::days(7));
        let payer = Some((EmailAddress::parse("payer@example.com").unwrap(), "de".to_owned()));
        Found { agreement, standing, payer, sign_in: None }
    }

    /// Does the errand about an agreement, which must be due, with what the provider answers.
    async fn learns(store: &Store, agreement: Agreement, now: DateTime<Utc>) -> bool {
        let about = agreement.id.clone();
        store.send_for(ErrandKind::Agreement, about.as_str(), now).await.unwrap();
        let errand = begins(store, ErrandKind::Agreement, about.as_str(), now).await.unwrap();
        learns_by(store, &errand, agreement, now).await
    }

    async fn begins(store: &Store, kind: ErrandKind, about: &str, now: DateTime<Utc>) -> Option<Errand> {
        store.begin_errand(Some((kind, about)), now, now + Duration::minutes(1)).await.unwrap()
    }

    async fn learns_by(store: &Store, errand: &Errand, agreement: Agreement, now: DateTime<Utc>) -> bool {
        let notice = || FollowUp { flow: clock::new_id(), token_hash: clock::new_id() };
        store.learn(errand, found(agreement), notice, day(-1), now).await.unwrap()
    }

    async fn told(store: &Store) -> Vec<String> {
        let rows: Vec<String> = store
            .rows("SELECT payload FROM flows WHERE purpose = 'billing' ORDER BY created_at, id", vec![])
            .await
            .unwrap();
        rows.iter().map(|row| serde_json::from_str::<Bill>(row).unwrap().what).collect()
    }

    async fn payer(store: &Store) -> SubscriberId {
        store.subscribers_with(&["payer@example.com"]).await.unwrap().remove(0).id
    }

    #[tokio::test]
    async fn whoever_pays_becomes_a_reader_and_is_told_once() {
        for (store, _folder) in stores().await {
            assert!(learns(&store, agreement("sub_1", 1), day(1)).await);
            assert!(learns(&store, agreement("sub_1", 1), day(2)).await);
            assert!(learns(&store, agreement("sub_1", 2), day(31)).await);
            assert_eq!(told(&store).await, ["paid", "paid"]);
            let who = payer(&store).await;
            assert_eq!(store.reading(&who, day(66)).await.unwrap().opens, Opens::Everything);
            assert_eq!(store.reading(&who, day(68)).await.unwrap(), Reading::ANYBODY);
            let kept = store.memberships(&who).await.unwrap();
            assert_eq!(kept.len(), 1);
            assert_eq!(kept[0].bought.as_ref().unwrap().paid_until, day(60));
        }
    }

    #[tokio::test]
    async fn news_during_an_errand_begins_another_and_a_lost_lease_writes_nothing() {
        for (store, _folder) in stores().await {
            let news = |event: &str| {
                vec![Heard { event: event.to_owned(), errand: Some((ErrandKind::Agreement, "sub_1".to_owned())) }]
            };
            assert_eq!(store.hear(news("evt_1"), day(1)).await.unwrap(), 1);
            store.forget_the_past(day(30)).await.unwrap();
            assert_eq!(store.hear(news("evt_1"), day(1)).await.unwrap(), 0, "an event counts once");
            store.forget_the_past(day(33)).await.unwrap();
            assert_eq!(store.hear(news("evt_1"), day(1)).await.unwrap(), 1, "it is not kept for ever");
            let errand = begins(&store, ErrandKind::Agreement, "sub_1", day(1)).await.unwrap();
            assert_eq!(begins(&store, ErrandKind::Agreement, "sub_1", day(1)).await, None, "one at a time");
            store.hear(news("evt_2"), day(1)).await.unwrap();
            assert!(learns_by(&store, &errand, agreement("sub_1", 1), day(1)).await);
            assert!(store.awaits(ErrandKind::Agreement, "sub_1").await.unwrap(), "what came meanwhile is asked");
            let slept = begins(&store, ErrandKind::Agreement, "sub_1", day(1)).await.unwrap();
            let later = day(1) + Duration::minutes(2);
            let other = begins(&store, ErrandKind::Agreement, "sub_1", later).await.unwrap();
            assert!(learns_by(&store, &other, agreement("sub_1", 2), later).await);
            assert!(!learns_by(&store, &slept, agreement("sub_1", 1), later).await);
            let kept = store.memberships(&payer(&store).await).await.unwrap();
            assert_eq!(kept[0].bought.as_ref().unwrap().paid_until, day(60), "an old answer changes nothing");
        }
    }

    #[tokio::test]
    async fn what_was_bought_twice_is_given_back_and_what_is_nobodys_is_ended() {
        for (store, _folder) in stores().await {
            assert!(learns(&store, agreement("sub_1", 1), day(1)).await);
            assert!(learns(&store, agreement("sub_2", 1), day(1)).await);
            assert!(store.awaits(ErrandKind::GiveBack, "sub_2").await.unwrap());
            assert!(!store.awaits(ErrandKind::GiveBack, "sub_1").await.unwrap());
            let who = payer(&store).await;
            let gone = who.clone();
            transact!(store.write, |transaction| { forget_payer(transaction, &gone, day(2)).await }).unwrap();
            assert!(store.awaits(ErrandKind::End, "sub_1").await.unwrap());
            let before = told(&store).await;
            assert!(learns(&store, agreement("sub_1", 2), day(31)).await);
            assert_eq!(told(&store).await, before, "nobody is told of what is nobody's");
            assert_eq!(store.memberships(&who).await.unwrap(), []);
        }
    }

    #[tokio::test]
    async fn whoever_paid_is_let_in_once_whatever_is_heard_first() {
        for (store, _folder) in stores().await {
            assert!(learns(&store, agreement("sub_1", 1), day(0)).await);
            for hours in [1, 2] {
                let now = day(0) + Duration::hours(hours);
                store.send_for(ErrandKind::Checkout, "cs_1", now).await.unwrap();
                let errand = begins(&store, ErrandKind::Checkout, "cs_1", now).await.unwrap();
                let sign_in = NewSignIn {
                    link: FollowUp { flow: clock::new_id(), token_hash: clock::new_id() },
                    code_hash: String::new(),
                    browser_hash: "browser".to_owned(),
                    payload: String::new(),
                    within: Duration::minutes(10),
                };
                let found = Found { sign_in: Some(sign_in), ..found(agreement("sub_1", 1)) };
                let notice = || FollowUp { flow: clock::new_id(), token_hash: clock::new_id() };
                assert!(store.learn(&errand, found, notice, day(-1), now).await.unwrap());
                let links: Vec<String> =
                    store.rows("SELECT email FROM flows WHERE purpose = 'sign-in'", vec![]).await.unwrap();
                assert_eq!(links, ["payer@example.com"]);
                assert!(
                    store.awaits(ErrandKind::Agreement, "sub_1").await.unwrap(),
                    "it may be older than what is known"
                );
            }
        }
    }

    #[tokio::test]
    async fn each_try_and_each_refund_is_told_however_old_the_invoice() {
        for (store, _folder) in stores().await {
            let learns_of = async |on: i64, change: &dyn Fn(&mut Invoice)| {
                let mut agreement = agreement("sub_1", 2);
                change(&mut agreement.invoices[0]);
                store.send_for(ErrandKind::Agreement, "sub_1", day(on)).await.unwrap();
                let errand = begins(&store, ErrandKind::Agreement, "sub_1", day(on)).await.unwrap();
                let notice = || FollowUp { flow: clock::new_id(), token_hash: clock::new_id() };
                assert!(store.learn(&errand, found(agreement), notice, day(on - 1), day(on)).await.unwrap());
                told(&store).await
            };
            let open = |attempts| {
                move |invoice: &mut Invoice| {
                    (invoice.state, invoice.paid_at, invoice.attempts) = (InvoiceState::Open, None, attempts);
                }
            };
            assert_eq!(learns_of(30, &open(1)).await, ["failed"]);
            assert_eq!(learns_of(33, &open(2)).await, ["failed", "failed"]);
            let paid = |invoice: &mut Invoice| invoice.paid_at = Some(day(34));
            assert_eq!(learns_of(34, &paid).await, ["failed", "failed", "paid"]);
            let refunded = |invoice: &mut Invoice| {
                (invoice.paid_at, invoice.state, invoice.given_back) =
                    (Some(day(34)), InvoiceState::GivenBack, euros(500));
            };
            assert_eq!(learns_of(44, &refunded).await, ["failed", "failed", "paid", "given-back"]);
            assert_eq!(learns_of(45, &refunded).await.len(), 4);
        }
    }

    #[tokio::test]
    async fn what_goes_on_stands_before_what_lasts_longer() {
        for (store, _folder) in stores().await {
            let cancelled = Agreement { cancels_at: Some(day(360)), ..agreement("sub_1", 12) };
            assert!(learns(&store, cancelled, day(1)).await);
            assert!(learns(&store, agreement("sub_2", 1), day(1)).await);
            let who = payer(&store).await;
            store.grant_membership(&who, day(900), day(1)).await.unwrap();
            let kept = store.memberships(&who).await.unwrap();
            let ids = kept.iter().map(|one| one.bought.as_ref().map(|bought| bought.agreement.as_str()));
            assert_eq!(ids.collect::<Vec<_>>(), [Some("sub_2"), Some("sub_1"), None]);
        }
    }

    #[tokio::test]
    async fn a_trial_is_for_the_first_time_and_what_is_nobodys_is_given_back() {
        for (store, _folder) in stores().await {
            let trial = |id| Agreement { status: AgreementStatus::Trialing, ..agreement(id, 1) };
            assert!(learns(&store, trial("sub_1"), day(1)).await);
            assert!(!store.awaits(ErrandKind::End, "sub_1").await.unwrap());
            let ended = Agreement { status: AgreementStatus::Ended, ended_at: Some(day(2)), ..agreement("sub_1", 1) };
            assert!(learns(&store, ended, day(2)).await);
            assert!(learns(&store, trial("sub_2"), day(3)).await);
            assert!(store.awaits(ErrandKind::End, "sub_2").await.unwrap());
            let nobodys = Found { payer: None, ..found(agreement("sub_3", 1)) };
            store.send_for(ErrandKind::Agreement, "sub_3", day(3)).await.unwrap();
            let errand = begins(&store, ErrandKind::Agreement, "sub_3", day(3)).await.unwrap();
            let notice = || FollowUp { flow: clock::new_id(), token_hash: clock::new_id() };
            assert!(store.learn(&errand, nobodys, notice, day(-1), day(3)).await.unwrap());
            assert!(store.awaits(ErrandKind::GiveBack, "sub_3").await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_plan_opens_its_newsletters_alone() {
        for (store, _folder) in stores().await {
            let plan = |opens: &[&str]| Plan {
                id: PlanId::new("monthly"),
                title: "Monthly".to_owned(),
                description: None,
                every: Every::Month,
                prices: vec![euros(500)],
                trial_days: 0,
                opens: opens.iter().copied().map(NewsletterId::new).collect(),
            };
            learns(&store, agreement("sub_1", 1), day(1)).await;
            let who = payer(&store).await;
            let opens = async || store.reading(&who, day(1)).await.unwrap().opens;
            store.keep_openings(&[plan(&["weekly"])]).await.unwrap();
            assert_eq!(opens().await, Opens::These(vec![NewsletterId::new("weekly")]));
            store.keep_openings(&[]).await.unwrap();
            assert_eq!(opens().await, Opens::These(vec![NewsletterId::new("weekly")]), "not sold any more");
            store.grant_membership(&who, day(2), day(1)).await.unwrap();
            assert_eq!(opens().await, Opens::Everything);
            store.grant_membership(&who, day(1), day(1)).await.unwrap();
            store.keep_openings(&[plan(&[])]).await.unwrap();
            assert_eq!(opens().await, Opens::Everything);
        }
    }

    /// What the provider has of one agreement, from news to news: bought, renewed, failed twice, paid, made dearer,
    /// cancelled, gone on with, given back, cancelled and over.
    fn history() -> Vec<Agreement> {
        let with = |base: &Agreement, status, state, attempts| {
            let mut next = Agreement { status, ..base.clone() };
            let newest = next.invoices.first_mut().unwrap();
            (newest.state, newest.attempts, newest.paid_at) =
                (state, attempts, (state == InvoiceState::Paid).then(|| day(31)));
            next
        };
        use AgreementStatus::{Active, Ended, PastDue};
        let (first, second) = (agreement("sub_1", 1), agreement("sub_1", 2));
        let paid = with(&second, Active, InvoiceState::Paid, 3);
        let dearer = Agreement { plan: Some(PlanId::new("yearly")), price: euros(5000), ..paid.clone() };
        let cancelled = Agreement { cancels_at: Some(day(60)), ..dearer.clone() };
        let mut back = with(&cancelled, Active, InvoiceState::GivenBack, 3);
        back.invoices[0].given_back = euros(500);
        vec![
            first,
            with(&second, Active, InvoiceState::Open, 0),
            with(&second, PastDue, InvoiceState::Open, 1),
            with(&second, PastDue, InvoiceState::Open, 2),
            paid,
            dearer.clone(),
            cancelled,
            dearer,
            back.clone(),
            Agreement { status: Ended, ended_at: Some(day(45)), ..back },
        ]
    }

    /// One of two processes, and what it has in hand: an errand that it began, and the answer that it got.
    #[derive(Default)]
    struct Process(Option<(Errand, Option<Agreement>)>);

    impl Process {
        /// Begins what is due, asks the provider, or writes what it said: one of them.
        async fn steps(&mut self, store: &Store, provider: &Agreement, now: DateTime<Utc>) -> bool {
            self.0 = match self.0.take() {
                None => begins(store, ErrandKind::Agreement, "sub_1", now).await.map(|errand| (errand, None)),
                Some((errand, None)) => Some((errand, Some(provider.clone()))),
                Some((errand, Some(answer))) => {
                    learns_by(store, &errand, answer, now).await;
                    return true;
                }
            };
            self.0.is_some()
        }
    }

    async fn kept(store: &Store) -> (Membership, Vec<(DateTime<Utc>, Money, InvoiceState)>) {
        let membership = store.memberships(&payer(store).await).await.unwrap().remove(0);
        (membership, store.invoices_of(&AgreementId::new("sub_1")).await.unwrap())
    }

    /// News arrive in any order, late, twice or while an answer is on its way, to two processes, one of which may sleep
    /// through its lease.
    async fn lives_through(orders: &[u8]) -> (Membership, Vec<(DateTime<Utc>, Money, InvoiceState)>) {
        let (store, _folder) = sqlite().await;
        let (history, mut present, mut now) = (history(), 0, day(50));
        let mut undelivered: Vec<usize> = vec![0, 0];
        let mut processes = [Process::default(), Process::default()];
        let mut orders = orders.iter().copied();
        while let Some(order) = orders.next().or(Some(255)) {
            match order % 8 {
                0 | 1 if present + 1 < history.len() => {
                    present += 1;
                    undelivered.extend([present, present]);
                }
                2 | 3 if !undelivered.is_empty() => {
                    let event = undelivered.swap_remove(usize::from(order / 8) % undelivered.len());
                    let errand = Some((ErrandKind::Agreement, "sub_1".to_owned()));
                    store.hear(vec![Heard { event: format!("evt_{event}"), errand }], now).await.unwrap();
                }
                4 => now += Duration::seconds(40),
                5 | 6 => drop(processes[usize::from(order) % 2].steps(&store, &history[present], now).await),
                // Everything still to come comes.
                7 if order == 255 => {
                    let rest = history.len() - 1 - present;
                    undelivered.extend((present + 1..=present + rest).flat_map(|event| [event, event]));
                    present += rest;
                    for event in undelivered.drain(..).rev() {
                        let errand = Some((ErrandKind::Agreement, "sub_1".to_owned()));
                        store.hear(vec![Heard { event: format!("evt_{event}"), errand }], now).await.unwrap();
                    }
                    while store.awaits(ErrandKind::Agreement, "sub_1").await.unwrap() {
                        now += Duration::seconds(40);
                        for process in &mut processes {
                            process.steps(&store, &history[present], now).await;
                        }
                    }
                    return kept(&store).await;
                }
                _ => {}
            }
        }
        unreachable!("the last order ends it")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn all_orders_of_news_end_in_the_same_state(orders in prop::collection::vec(0_u8..=254, 0..120)) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let (lived, told_at_the_end) = runtime.block_on(async {
                let (store, _folder) = sqlite().await;
                learns(&store, history().pop().unwrap(), day(50)).await;
                (lives_through(&orders).await, kept(&store).await)
            });
            prop_assert_eq!(lived, told_at_the_end);
        }
    }
}
