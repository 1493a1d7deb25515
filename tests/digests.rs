//! Who gets which digest when: told on both databases.

use chrono::{DateTime, TimeDelta, Utc};
use pressrun::model::{Cadence, Choices, EmailAddress, IssueEvent, IssueKind};
use pressrun::publishing::{Memory, Office};

use crate::world::{World, on_both_databases};

on_both_databases! {
    each_reader_gets_it_at_their_own_hour
    a_set_of_articles_is_one_issue
    a_pause_ends_in_one_digest
    a_long_gap_is_cut
    a_cancelled_digest_leaves_everybody_as_they_were
    two_schedulers_make_one_run
    slots_that_were_missed_become_one
    a_new_hour_makes_up_for_nothing
    topics_hold_for_what_comes_at_once
    a_date_that_moves_takes_its_mail_along
    what_waits_is_not_planned_every_second
    an_editor_looks_ahead_and_sends_what_is_due
    the_page_of_a_digest_tells_nothing_that_is_paid_for
}

const DAY: TimeDelta = TimeDelta::days(1);

impl World {
    /// A reader of `main`, by their own clock.
    async fn reader(&self, name: &str, cadence: Cadence, time_zone: &str) {
        self.imports(&format!("email,time_zone,cadence\n{name}@example.com,{time_zone},{}\n", cadence.as_str())).await;
    }

    /// A reader changes their mind.
    async fn chooses(&self, name: &str, change: impl FnOnce(&mut Choices) + Send + 'static) {
        let email = EmailAddress::parse(&format!("{name}@example.com")).unwrap();
        let people = self.store.subscribers_with(&[email.key()]).await.unwrap();
        let choose = |mut choices: Choices| {
            change(&mut choices);
            choices
        };
        let subscription = people[0].subscriptions[0].id.clone();
        assert!(self.store.choose(subscription, choose, "test", self.now).await.unwrap().is_some());
    }

    /// A newsletter that has sent before, to so many that no brake holds the next ones.
    async fn broken_in(&mut self) {
        self.readers(100, "main", Cadence::Instant).await;
        self.editor_writes("first", "tags: [first]", "Text.");
        self.editor_sends("first").await.unwrap();
        self.turn().await;
        self.now += TimeDelta::hours(2);
    }

    /// What a reader has in a moment: each issue by its moment, with the articles in it.
    async fn got(&self, name: &str) -> Vec<(String, Vec<String>)> {
        let email = format!("{name}@example.com");
        let mut got = Vec::new();
        for issue in self.store.issues().await.unwrap().into_iter().rev() {
            if self.store.delivery_to(&issue.id, &email).await.unwrap().is_some() {
                let titles = self.store.issue_titles(&issue.id).await.unwrap();
                let titles = titles.iter().map(|title| title.trim_start_matches("About ").to_owned()).collect();
                got.push((issue.send_at.format("%d %H:%M").to_string(), titles));
            }
        }
        got
    }

    /// Time passes in steps of five minutes, without the sender.
    async fn turns(&mut self, time: TimeDelta) {
        let end = self.now + time;
        while self.now < end {
            self.now = (self.now + TimeDelta::minutes(5)).min(end);
            self.turn().await;
        }
    }
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn mails(expected: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let titles = |titles: &[&str]| titles.iter().map(|title| (*title).to_owned()).collect();
    expected.iter().map(|(at, articles)| ((*at).to_owned(), titles(articles))).collect()
}

async fn each_reader_gets_it_at_their_own_hour(mut world: World) {
    world.broken_in().await;
    for (name, zone) in
        [("kiritimati", "Pacific/Kiritimati"), ("baker", "Etc/GMT+12"), ("nepal", "Asia/Kathmandu"), ("plain", "")]
    {
        world.reader(name, Cadence::Daily, zone).await;
    }
    world.reader("late", Cadence::Daily, "Europe/Berlin").await;
    world.chooses("late", |choices| choices.hour = Some(22)).await;
    world.reader("weekly", Cadence::Weekly, "Asia/Tokyo").await;
    world.editor_writes("news", "", "Text.");
    world.turns(DAY * 6).await;
    assert_eq!(world.got("kiritimati").await, mails(&[("07 17:00", &["news"])]));
    assert_eq!(world.got("baker").await, mails(&[("07 19:00", &["news"])]));
    assert_eq!(world.got("late").await, mails(&[("07 21:00", &["news"])]));
    assert_eq!(world.got("nepal").await, mails(&[("08 01:15", &["news"])]));
    assert_eq!(world.got("plain").await, mails(&[("08 07:00", &["news"])]));
    assert_eq!(world.got("weekly").await, mails(&[("11 22:00", &["news"])]), "Monday at seven in Tokyo");
}

async fn a_set_of_articles_is_one_issue(mut world: World) {
    world.broken_in().await;
    for name in ["all", "again", "red", "blue", "both", "none"] {
        world.reader(name, Cadence::Daily, "").await;
    }
    world.chooses("red", |choices| choices.topics = vec!["red".to_owned()]).await;
    world.chooses("blue", |choices| choices.topics = vec!["blue".to_owned()]).await;
    world.chooses("both", |choices| choices.topics = vec!["blue".to_owned(), "red".to_owned()]).await;
    world.chooses("none", |choices| choices.topics = vec!["green".to_owned()]).await;
    world.editor_writes("rose", "tags: [red]", "Text.");
    world.editor_writes("sky", "tags: [blue]", "Text.");
    world.turns(DAY).await;
    let digests = world.store.issues().await.unwrap().into_iter().filter(|issue| issue.article.is_none()).count();
    assert_eq!(digests, 3, "for rose, for sky, and for both");
    assert_eq!(world.got("red").await, mails(&[("08 07:00", &["rose"])]));
    assert_eq!(world.got("blue").await, mails(&[("08 07:00", &["sky"])]));
    for name in ["all", "again", "both"] {
        assert_eq!(world.got(name).await[0].1.len(), 2, "{name}");
    }
    // Another topic brings what comes, not what came.
    world.chooses("none", |choices| choices.topics = Vec::new()).await;
    world.chooses("red", |choices| choices.topics = vec!["blue".to_owned()]).await;
    world.editor_writes("sea", "tags: [blue]", "Text.");
    world.turns(DAY).await;
    assert_eq!(world.got("none").await, mails(&[("09 07:00", &["sea"])]));
    assert_eq!(world.got("red").await[1], mails(&[("09 07:00", &["sea"])])[0]);
}

async fn a_pause_ends_in_one_digest(mut world: World) {
    world.broken_in().await;
    world.reader("rests", Cadence::Instant, "").await;
    world.reader("idle", Cadence::Instant, "").await;
    let until = moment("2026-01-10T00:00:00Z");
    world.chooses("rests", move |choices| choices.paused_until = Some(until)).await;
    for slug in ["one", "two"] {
        world.editor_writes(slug, "", "Text.");
        world.turns(DAY).await;
    }
    assert_eq!(world.got("rests").await, []);
    world.chooses("idle", move |choices| choices.paused_until = Some(until)).await;
    world.turns(moment("2026-01-10T12:00:00Z") - world.now).await;
    assert_eq!(world.got("rests").await, mails(&[("10 07:00", &["two", "one"])]));
    world.editor_writes("three", "", "Text.");
    world.turns(TimeDelta::minutes(10)).await;
    assert_eq!(world.got("rests").await[1], mails(&[("10 12:10", &["three"])])[0], "each at once again");
    assert_eq!(world.got("idle").await.last(), mails(&[("10 12:10", &["three"])]).last(), "nothing was owed");
}

async fn a_long_gap_is_cut(mut world: World) {
    world.broken_in().await;
    world.reader("away", Cadence::Weekly, "").await;
    for number in 0..23 {
        let more = if number == 20 { "featured: true\n" } else { "" };
        let tag = ["red", "blue"][number % 2];
        world.now += TimeDelta::seconds(1);
        world.editor_writes(&format!("n{number}"), &format!("{more}tags: [{tag}]"), "Text.");
    }
    world.turns(DAY * 5).await;
    let got = world.got("away").await;
    let expected = ["n20", "n22", "n18", "n16", "n14", "n12", "n10", "n8", "n6", "n4", "n21", "n19", "n17"];
    assert_eq!(got[0].1[..expected.len()], expected, "the featured one, then section by section");
    assert_eq!(got[0].1.len(), 20);
    world.sender_works().await;
    let digest = world.relay.final_dots().into_iter().find(|dot| dot.envelope.to.as_str().starts_with("away")).unwrap();
    assert!(String::from_utf8_lossy(&digest.message).contains("3 more articles stand in the archive"));
}

async fn a_cancelled_digest_leaves_everybody_as_they_were(mut world: World) {
    world.broken_in().await;
    for name in ["early", "new", "over"] {
        world.reader(name, Cadence::Daily, "").await;
    }
    let until = moment("2026-01-08T08:00:00Z");
    world.chooses("early", move |choices| choices.paused_until = Some(until)).await;
    world.editor_writes("one", "", "Text.");
    world.turns(DAY).await;
    world.editor_writes("two", "", "Text.");
    world.chooses("over", |choices| choices.cadence = Cadence::Daily).await;
    world.turn().await;
    world.chooses("over", |choices| choices.cadence = Cadence::Instant).await;
    world.turns(moment("2026-01-09T06:55:00Z") - world.now).await;
    let sealed: Vec<_> =
        world.store.issues().await.unwrap().into_iter().filter(|issue| issue.send_at > world.now).collect();
    assert_eq!(sealed.len(), 2, "one article for two of them, two for the one who paused");
    for issue in sealed {
        world.store.move_issue(&issue.id, IssueEvent::Cancel, world.now).await.unwrap();
    }
    world.turns(DAY).await;
    let last = |got: Vec<(String, Vec<String>)>| got.last().cloned().unwrap();
    assert_eq!(last(world.got("early").await), mails(&[("10 07:00", &["two", "one"])])[0]);
    assert_eq!(last(world.got("new").await), mails(&[("10 07:00", &["two"])])[0]);
    assert_eq!(last(world.got("over").await), mails(&[("10 07:00", &["two"])])[0], "a last digest, again");
    world.editor_writes("three", "", "Text.");
    world.turns(TimeDelta::minutes(10)).await;
    assert_eq!(last(world.got("over").await).1, ["three"], "and then each at once");
}

async fn two_schedulers_make_one_run(mut world: World) {
    world.broken_in().await;
    for number in 0..40 {
        world.reader(&format!("r{number}"), Cadence::Daily, "").await;
    }
    world.editor_writes("news", "", "Text.");
    world.turn().await;
    world.now = moment("2026-01-08T06:56:00Z");
    let turns = || async {
        for _ in 0..4 {
            let mut memory = Memory::default();
            world.office(&world.edition()).tick(&mut memory).await.unwrap();
        }
    };
    tokio::join!(turns(), turns(), turns());
    let digests = world.store.issues().await.unwrap().into_iter().filter(|issue| issue.article.is_none()).count();
    assert_eq!(digests, 1);
    for number in 0..40 {
        assert_eq!(world.got(&format!("r{number}")).await, mails(&[("08 07:01", &["news"])]));
    }
}

async fn slots_that_were_missed_become_one(mut world: World) {
    world.broken_in().await;
    world.reader("daily", Cadence::Daily, "").await;
    world.reader("weekly", Cadence::Weekly, "").await;
    world.editor_writes("one", "", "Text.");
    world.turn().await;
    world.editor_writes("two", "", "Text.");
    world.turn().await;
    world.now = moment("2026-01-13T20:00:00Z"); // nothing ran for six days, a Monday among them
    world.turns(TimeDelta::minutes(5)).await;
    assert_eq!(world.got("daily").await, mails(&[("13 20:10", &["two", "one"])]));
    assert_eq!(world.got("weekly").await, [], "its Monday is more than a day ago");
    world.turns(DAY * 6).await;
    assert_eq!(world.got("daily").await.len(), 1);
    assert_eq!(world.got("weekly").await, mails(&[("19 07:00", &["two", "one"])]));
}

async fn a_new_hour_makes_up_for_nothing(mut world: World) {
    world.broken_in().await;
    world.reader("daily", Cadence::Daily, "").await;
    world.editor_writes("one", "", "Text.");
    world.turns(moment("2026-01-08T08:00:00Z") - world.now).await;
    world.editor_writes("two", "", "Text.");
    world.chooses("daily", |choices| choices.hour = Some(9)).await;
    world.turns(TimeDelta::minutes(30)).await;
    assert_eq!(world.got("daily").await.len(), 1, "yesterday's nine o'clock is over");
    world.turns(TimeDelta::minutes(30)).await;
    assert_eq!(world.got("daily").await, mails(&[("08 07:00", &["one"]), ("08 09:00", &["two"])]));
}

async fn topics_hold_for_what_comes_at_once(mut world: World) {
    world.broken_in().await;
    world.reader("red", Cadence::Instant, "").await;
    world.chooses("red", |choices| choices.topics = vec!["red".to_owned()]).await;
    world.editor_writes("sky", "tags: [blue]", "Text.");
    world.turns(TimeDelta::hours(1)).await;
    world.editor_writes("rose", "tags: [blue, red]", "Text.");
    world.turns(TimeDelta::hours(2)).await;
    world.chooses("red", |choices| *choices = Choices::of(Cadence::Daily)).await;
    world.editor_writes("sea", "tags: [blue]", "Text.");
    world.turns(DAY).await;
    let got: Vec<_> = world.got("red").await.into_iter().map(|(_, articles)| articles).collect();
    assert_eq!(got, [["rose"], ["sea"]], "the sky is neither made up for nor in the digest");
}

async fn a_date_that_moves_takes_its_mail_along(mut world: World) {
    world.broken_in().await;
    world.reader("daily", Cadence::Daily, "").await;
    world.readers(300, "main", Cadence::Instant).await; // so many more than before that each issue waits
    world.editor_writes("news", "date: 2026-01-07T18:00:00Z", "Text.");
    world.turns(TimeDelta::hours(5)).await;
    let plans = world.office(&world.edition()).plans().await.unwrap();
    assert_eq!(plans.iter().map(|plan| plan.count.recipients).max(), Some(300), "it waits for an approval");
    world.editor_writes("news", "date: 2026-01-09T18:00:00Z", "Text.");
    world.turns(moment("2026-01-09T17:55:00Z") - world.now).await;
    assert_eq!(world.got("daily").await, []);
    world.editor_approves().await;
    world.turn().await;
    assert_eq!(world.got("instant-1").await[1], mails(&[("09 18:00", &["news"])])[0]);
    world.turns(DAY).await;
    assert_eq!(world.got("daily").await, mails(&[("10 07:00", &["news"])]));
}

async fn what_waits_is_not_planned_every_second(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    let mut memory = Memory::default();
    let edition = world.edition();
    let done = world.office(&edition).tick(&mut memory).await.unwrap();
    assert_eq!((done.waiting, memory.wake_at() - world.now), (1, TimeDelta::minutes(1)));
    world.now += TimeDelta::seconds(1);
    let asleep = world.office(&edition).tick(&mut memory).await.unwrap();
    assert_eq!((asleep.waiting, memory.wake_at() - world.now), (1, TimeDelta::seconds(59)), "nothing was planned");
    world.editor_approves().await;
    let done = world.office(&edition).tick(&mut memory).await.unwrap();
    assert_eq!(done.sealed, 1, "an approval is seen at once");
    world.now += TimeDelta::minutes(1);
    world.office(&edition).tick(&mut memory).await.unwrap();
    world.reader("early", Cadence::Daily, "Asia/Kathmandu").await;
    let before = memory.wake_at();
    world.office(&edition).tick(&mut memory).await.unwrap();
    assert_ne!(memory.wake_at(), before, "and so is a new hour");
}

async fn an_editor_looks_ahead_and_sends_what_is_due(mut world: World) {
    world.broken_in().await;
    world.reader("plain", Cadence::Daily, "").await;
    world.reader("tokyo", Cadence::Daily, "Asia/Tokyo").await;
    world.editor_writes("planned", "date: 2026-01-08T05:00:00Z", "Text.");
    let plans = |at: &'static str, world: &World| {
        let (store, edition, now) = (world.store.clone(), world.edition(), world.now);
        async move {
            let newsletter = &edition.settings.newsletters[0];
            let plans =
                Office { store: &store, edition: &edition, now }.digest_plans(newsletter, moment(at)).await.unwrap();
            plans.iter().map(|plan| (plan.articles.len(), plan.count.recipients)).collect::<Vec<_>>()
        }
    };
    assert_eq!(plans("2026-01-08T04:00:00Z", &world).await, [], "not out yet");
    assert_eq!(plans("2026-01-08T08:00:00Z", &world).await, [(1, 1)], "for who wakes up in Europe");
    world.turns(moment("2026-01-07T23:00:00Z") - world.now).await;
    world.now = moment("2026-01-08T07:30:00Z");
    let edition = world.edition();
    let newsletter = &edition.settings.newsletters[0];
    let sent = world.office(&edition).run_digests(newsletter, world.now).await.unwrap();
    assert_eq!(sent.len(), 1);
    assert_eq!(world.got("plain").await, mails(&[("08 07:30", &["planned"])]), "without undo time");
    let again = world.office(&edition).run_digests(newsletter, world.now).await.unwrap();
    assert_eq!(again, []);
    world.turns(DAY).await;
    assert_eq!(world.got("plain").await.len(), 1);
    assert_eq!(world.got("tokyo").await, mails(&[("08 22:00", &["planned"])]));
}

async fn the_page_of_a_digest_tells_nothing_that_is_paid_for(mut world: World) {
    world.broken_in().await;
    world.reader("plain", Cadence::Daily, "").await;
    let date = world.now.to_rfc3339();
    let paid = format!(
        "---\nid: paid\ntitle: About paid\ndate: {date}\nnewsletters: [main]\naccess: paid\n---\nKept words.\n"
    );
    std::fs::write(world.path("content/paid.md"), paid).unwrap();
    world.rereads();
    world.turns(DAY * 2).await;
    assert_eq!(world.got("plain").await, mails(&[("08 07:00", &["paid"])]));
    let issues = world.store.issues().await.unwrap();
    let digest = issues.iter().find(|issue| issue.kind == IssueKind::Digest).unwrap();
    let page = world.store.issue_page(&digest.id).await.unwrap().unwrap();
    assert!(page.contains("About paid") && !page.contains("Kept words"), "{page}");
}
