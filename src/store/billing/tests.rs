use super::*;
use crate::clock;
use crate::model::{AgreementStatus, Currency, Every, Money, News, NewsletterId, Opens, Plan, PlanId, Reading};
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
            vec![News { id: event.to_owned(), at: day(1), errand: Some((ErrandKind::Agreement, "sub_1".to_owned())) }]
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
            assert!(store.awaits(ErrandKind::Agreement, "sub_1").await.unwrap(), "it may be older than what is known");
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
            (invoice.paid_at, invoice.state, invoice.given_back) = (Some(day(34)), InvoiceState::GivenBack, euros(500));
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
                store.hear(vec![News { id: format!("evt_{event}"), at: now, errand }], now).await.unwrap();
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
                    store.hear(vec![News { id: format!("evt_{event}"), at: now, errand }], now).await.unwrap();
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
