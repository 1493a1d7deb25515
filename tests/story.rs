//! What is owed to whom: told from the first start to the last reader, on both databases.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use pressrun::audience;
use pressrun::clock;
use pressrun::model::{
    Brake, Cadence, DeliveryState, Durability, IssueEvent, IssueId, IssueState, NewsletterId, OnUnknown, Viewer,
};
use pressrun::publishing::{self, Sent, WaitsFor};
use pressrun::relay::{Phase, Reply};
use pressrun::store::{Claimed, Entries, Fixed, Home, Note, Outcome, Record, Said, Standing, Store};

use crate::relay::{Act, Memory};
use crate::world::{World, article, fixed, ledger_ages, note, on_both_databases, record, run_sql};

on_both_databases! {
    an_empty_ledger_mails_nothing
    what_is_first_seen_too_late_waits_for_an_editor
    each_reader_gets_an_article_once_at_their_cadence
    an_article_in_two_newsletters_reaches_a_reader_once
    a_scheduled_article_goes_at_its_moment
    what_an_editor_did_not_expect_waits
    a_changed_plan_is_not_sent
    a_draft_is_taken_back
    an_older_folder_takes_nothing_back
    an_older_folder_seals_nothing
    an_editors_word_makes_an_older_folder_the_newest
    an_editor_hastens_what_is_held
    a_mail_on_the_wire_is_not_sent_again_by_a_correction
    a_subscription_owes_nothing_older_than_itself
    a_corrected_edition_goes_to_those_not_reached
    a_cancelled_digest_is_made_up_for
    a_goodbye_stops_mail_at_once
    a_paused_issue_writes_no_final_dot
    a_dead_sender_loses_nobody
    what_a_dead_sender_left_in_the_journal_counts
    a_note_in_the_journal_is_not_cancelled
    what_a_sender_knows_of_an_erased_reader_is_not_written
    two_senders_send_each_mail_once
    a_relay_that_says_no_is_remembered
    a_database_that_moved_is_held
    a_restored_digest_is_not_sent_again
    an_approval_is_for_the_audience_that_was_seen
    an_article_dated_after_the_slot_is_not_lost
    a_goodbye_taken_back_gets_the_mail_that_waited
    what_cannot_be_cancelled_is_said
    a_line_that_drops_after_each_dot_is_not_tried_for_ever
    subscribers_only_text_stays_with_subscribers
    what_is_due_counts_from_when_it_could_go
    what_is_paid_for_stays_with_members
}

const DAY: TimeDelta = TimeDelta::days(1);
const HOUR: TimeDelta = TimeDelta::hours(1);

async fn an_empty_ledger_mails_nothing(mut world: World) {
    // A second newsletter is first seen when the archive is there already: `other` was entered with the world, `main`
    // too, so the archive of this story is first seen in time or late, never before the start.
    world.readers(3, "main", Cadence::Instant).await;
    world.readers(3, "main", Cadence::Daily).await;
    for number in 1..=5 {
        let date = (world.now - TimeDelta::days(30 * number)).to_rfc3339();
        world.editor_writes(&format!("old-{number}"), &format!("date: {date}"), "Text.");
    }
    world.passes(DAY * 7).await;
    assert_eq!(world.mails(), 0);
    let plans = world.office(&world.edition()).plans().await.unwrap();
    let waiting: Vec<_> = plans.iter().map(|plan| (plan.articles.len(), plan.waits_for.clone())).collect();
    assert_eq!(waiting, [(5, Some(WaitsFor::Editor(Standing::Late)))]);
}

async fn what_is_first_seen_too_late_waits_for_an_editor(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    let date = (world.now - TimeDelta::hours(25)).to_rfc3339();
    world.editor_writes("late", &format!("date: {date}"), "Text.");
    world.editor_approves().await;
    world.passes(DAY).await;
    assert_eq!(world.mails(), 0);
    assert!(matches!(world.editor_sends("late").await.unwrap(), Sent::Issue(_)));
    world.sender_works().await;
    assert_eq!(world.mails(), 2);
}

/// A first issue was sent and approved, so that the brakes are off for small audiences.
async fn broken_in(world: &mut World) {
    world.editor_writes("first", "", "The first one.");
    world.turn().await;
    world.editor_approves().await;
    world.turn().await;
    world.passes(HOUR).await;
    world.editor_approves().await;
    world.passes(DAY * 8).await;
    world.editor_approves().await;
    world.passes(DAY).await;
}

async fn each_reader_gets_an_article_once_at_their_cadence(mut world: World) {
    for cadence in Cadence::ALL {
        world.readers(3, "main", cadence).await;
    }
    broken_in(&mut world).await;
    let before = world.mails();
    assert_eq!(before, 9, "everybody has the first article: {:?}", world.inboxes());
    world.editor_writes("second", "", "Text.");
    world.turn().await;
    world.passes(TimeDelta::minutes(10)).await;
    assert_eq!(world.mails() - before, 3, "the instant readers have it after the undo time");
    world.passes(DAY).await;
    assert_eq!(world.mails() - before, 6, "the daily readers a day later");
    world.editor_writes("third", "", "Text.");
    world.passes(DAY * 7).await;
    let inboxes = world.inboxes();
    assert_eq!(inboxes["instant-1@example.com"].len(), 3);
    assert_eq!(inboxes["daily-1@example.com"].len(), 3);
    assert_eq!(inboxes["weekly-1@example.com"].len(), 2, "one digest for both: {:?}", inboxes["weekly-1@example.com"]);
    world.passes(DAY * 14).await;
    assert_eq!(world.inboxes(), inboxes, "nothing new, no mail");
}

async fn an_article_in_two_newsletters_reaches_a_reader_once(mut world: World) {
    world.readers(4, "main", Cadence::Instant).await;
    world.readers(2, "other", Cadence::Instant).await;
    world.editor_writes("both", "newsletters: [main, other]", "Text.");
    world.turn().await;
    world.editor_approves().await;
    world.passes(HOUR).await;
    world.editor_approves().await;
    world.passes(HOUR).await;
    assert!(world.inboxes().values().all(|mails| mails.len() == 1), "{:?}", world.inboxes());
    assert_eq!(world.mails(), 4);
}

async fn a_scheduled_article_goes_at_its_moment(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    broken_in(&mut world).await;
    let moment = world.now + DAY;
    world.editor_writes("planned", &format!("date: {}", moment.to_rfc3339()), "Text.");
    world.passes(DAY - TimeDelta::minutes(5)).await;
    assert_eq!(world.mails(), 2, "not before");
    world.passes(TimeDelta::minutes(5)).await;
    world.sender_works().await;
    eprintln!(
        "{:?} {:?}",
        world.store.issues().await.unwrap(),
        world
            .office(&world.edition())
            .plans()
            .await
            .unwrap()
            .iter()
            .map(|p| (p.articles.clone(), p.waits_for.clone(), p.count.clone()))
            .collect::<Vec<_>>()
    );
    assert_eq!(world.mails(), 4, "not after, for it was sealed its undo time before");
}

async fn what_an_editor_did_not_expect_waits(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    world.editor_writes("one", "", "Text.");
    world.passes(DAY).await;
    let waits_for = |plans: Vec<publishing::Plan>| plans[0].waits_for.clone();
    let plans = world.office(&world.edition()).plans().await.unwrap();
    assert_eq!(waits_for(plans), Some(WaitsFor::Approval(Brake::FirstIssue)));
    assert_eq!(world.mails(), 0);
    world.editor_approves().await;
    world.passes(HOUR).await;
    assert_eq!(world.mails(), 2);

    world.readers(20, "main", Cadence::Instant).await;
    world.editor_writes("two", "", "Text.");
    world.passes(HOUR).await;
    let plans = world.office(&world.edition()).plans().await.unwrap();
    let brake = Brake::AudienceGrew { recipients: 20, largest: 2 };
    assert_eq!(waits_for(plans), Some(WaitsFor::Approval(brake)));
    world.editor_approves().await;
    world.passes(HOUR).await;
    assert_eq!(world.mails(), 22);

    for slug in ["three", "four", "five"] {
        world.editor_writes(slug, "", "Text.");
    }
    world.turn().await;
    let plans = world.office(&world.edition()).plans().await.unwrap();
    assert_eq!(waits_for(plans), Some(WaitsFor::Approval(Brake::ThirdInAnHour)));
    world.passes(HOUR * 3).await;
    assert_eq!(world.mails(), 82, "an hour later it is no longer the third");
}

async fn a_changed_plan_is_not_sent(mut world: World) {
    let words = |sent: Result<Sent, publishing::SendError>| sent.unwrap_err().to_string();
    world.readers(2, "main", Cadence::Instant).await;
    world.editor_writes("plan", "", "As planned.");
    let plan = world.editor_plans("plan").await;
    world.readers(13, "main", Cadence::Instant).await;
    let refused = world.editor_sends_plan("plan", &plan).await;
    assert!(words(refused).contains("was for 2 readers, and now it would go to 13"));
    world.reader_leaves("instant-1@example.com").await;
    world.editor_writes("plan", "", "Something else.");
    let refused = world.editor_sends_plan("plan", &plan).await;
    assert!(words(refused).contains("is not what would be sent now"));
    let plan = world.editor_plans("plan").await;
    world.reader_leaves("instant-2@example.com").await;
    let sent = world.editor_sends_plan("plan", &plan).await;
    assert!(matches!(sent.unwrap(), Sent::Issue(_)), "goodbyes never refuse");
}

async fn a_draft_is_taken_back(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    world.editor_writes("draft", "", "Text.");
    world.turn().await;
    world.editor_writes("draft", "draft: true", "Text.");
    world.turn().await;
    world.editor_approves().await;
    world.passes(DAY).await;
    assert_eq!(world.mails(), 0);
    assert!(world.editor_sends("draft").await.unwrap_err().to_string().contains("is a draft"));
}

async fn an_older_folder_takes_nothing_back(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    let older = world.edition();
    world.now += TimeDelta::minutes(1);
    world.editor_writes("news", "", "Text.");
    world.turn().await;
    world.office(&older).tick(&mut publishing::Memory::default()).await.unwrap();
    let plans = world.office(&world.edition()).plans().await.unwrap();
    assert_eq!(plans[0].waits_for, Some(WaitsFor::Approval(Brake::FirstIssue)), "still owed, not withdrawn");
}

async fn an_older_folder_seals_nothing(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    broken_in(&mut world).await;
    let moment = (world.now + HOUR).to_rfc3339();
    world.editor_writes("planned", &format!("date: {moment}"), "Text.");
    world.turn().await;
    let (planned, mut elsewhere) = (world.edition(), publishing::Memory::at("elsewhere".to_owned()));
    world.office(&planned).tick(&mut elsewhere).await.unwrap();
    // It is taken back here; the other machine never hears of that.
    std::fs::remove_file(world.path("content/planned.md")).unwrap();
    world.rereads();
    world.turn().await;
    world.now += HOUR * 2;
    let done = world.office(&planned).tick(&mut elsewhere).await.unwrap();
    assert_eq!((done.sealed, done.behind_since.is_some()), (0, true));
    // A machine that comes with what others had before is no news; nor is an editor's command there.
    let mut newcomer = publishing::Memory::at("newcomer".to_owned());
    assert!(world.office(&planned).tick(&mut newcomer).await.unwrap().behind_since.is_some());
    let (newsletter, article) = (&planned.settings.newsletters[0], article(&planned, "planned"));
    let refused = world.office(&planned).send_article(newsletter, article, None).await;
    assert!(refused.unwrap_err().to_string().contains("older than the content of"));
    // The machine that had the newest goes back on purpose; then the others are not behind any more.
    world.editor_writes("planned", &format!("date: {moment}"), "Text.");
    assert_eq!(world.edition().content_revision, planned.content_revision);
    assert_eq!(world.turn().await.sealed, 1);
    assert_eq!(world.office(&planned).tick(&mut elsewhere).await.unwrap().behind_since, None);
}

async fn an_editors_word_makes_an_older_folder_the_newest(mut world: World) {
    world.turn().await;
    let older = world.edition();
    world.editor_writes("news", "", "Text.");
    world.turn().await;
    let mut elsewhere = publishing::Memory::at("elsewhere".to_owned());
    assert!(world.office(&older).tick(&mut elsewhere).await.unwrap().behind_since.is_some());
    world.store.set_newest_revision(&older.content_revision, world.now).await.unwrap();
    assert_eq!(world.office(&older).tick(&mut elsewhere).await.unwrap().behind_since, None);
    let mut here = publishing::Memory::at("here".to_owned());
    assert!(world.office(&world.edition()).tick(&mut here).await.unwrap().behind_since.is_some());
}

async fn an_editor_hastens_what_is_held(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    broken_in(&mut world).await;
    world.now = clock::now(); // the sender's own clock rules when a mail is due
    world.editor_writes("news", "", "Text.");
    world.turn().await;
    world.sender_works().await;
    assert_eq!(world.mails(), 2, "held for the undo time");
    world.editor_sends("news").await.unwrap();
    world.sender_works().await;
    assert_eq!(world.mails(), 4);
}

async fn a_mail_on_the_wire_is_not_sent_again_by_a_correction(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Wrong.");
    world.editor_sends("news").await.unwrap();
    let (issue, claimed, now) = in_hand(&world, 1).await;
    let fixed = fixed(now, "<m>");
    assert!(note(&world.store, &claimed[0], "me", &fixed, now).await);
    world.store.move_issue(&issue, IssueEvent::Cancel, world.now).await.unwrap();
    world.editor_sends("news").await.unwrap();
    world.sender_works().await;
    assert_eq!(world.mails(), 1);
    assert!(!world.inboxes().contains_key(claimed[0].to.as_str()));
}

async fn a_subscription_owes_nothing_older_than_itself(mut world: World) {
    world.readers(1, "main", Cadence::Instant).await;
    world.readers(1, "main", Cadence::Daily).await;
    broken_in(&mut world).await;
    world.editor_writes("news", "", "Text.");
    world.turn().await;
    world.readers(3, "main", Cadence::Daily).await;
    world.readers(3, "main", Cadence::Instant).await;
    world.passes(DAY * 2).await;
    let inboxes = world.inboxes();
    assert_eq!(inboxes["daily-1@example.com"].len(), 2);
    assert_eq!(inboxes.get("daily-2@example.com"), None);
    assert_eq!(inboxes.get("instant-2@example.com"), None);
}

async fn the_issue(world: &World) -> IssueId {
    world.store.issues().await.unwrap()[0].id.clone()
}

/// The one issue has begun, and some sender, "me", has claimed so many of its mails.
async fn in_hand(world: &World, mails: i64) -> (IssueId, Vec<Claimed>, DateTime<Utc>) {
    world.store.start_due_issues(world.now).await.unwrap();
    let (issue, now) = (the_issue(world).await, clock::now());
    let claimed = world.store.claim(Some(&issue), "me", now, now + HOUR, mails).await.unwrap();
    (issue, claimed, now)
}

async fn count(world: &World, issue: &IssueId, state: DeliveryState) -> i64 {
    let counts = world.store.count_deliveries(issue).await.unwrap();
    counts.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count)
}

async fn a_corrected_edition_goes_to_those_not_reached(mut world: World) {
    world.readers(10, "main", Cadence::Instant).await;
    world.relay = Memory::deciding(|step| match (step.phase, step.dots) {
        (Phase::MailFrom, 4..) => Act::Refuse(Reply::parse("450 4.3.0 later").unwrap()),
        _ => Act::Accept,
    })
    .with_connections(1);
    world.editor_writes("wrong", "", "Wrong.");
    world.editor_sends("wrong").await.unwrap();
    let (issue, claimed, now) = in_hand(&world, 4).await;
    for claimed in claimed {
        let fixed = fixed(now, "<m>");
        assert!(note(&world.store, &claimed, "me", &fixed, now).await);
        let said = Said { relay: "r".to_owned(), code: Some(250), enhanced: None, text: "ok".to_owned() };
        assert!(record(&world.store, &claimed, "me", Outcome::Sent, said, now).await);
    }
    let moved = world.store.move_issue(&issue, IssueEvent::Cancel, world.now).await.unwrap();
    assert_eq!(moved, Some((IssueState::Sending, Some(IssueState::Cancelled))));
    assert_eq!(count(&world, &issue, DeliveryState::Suppressed).await, 6);
    world.relay = Memory::accepting();
    world.editor_writes("wrong", "", "Right.");
    world.turn().await;
    assert_eq!(world.store.issues().await.unwrap().len(), 1, "a correction is sent only when an editor says so");
    world.editor_sends("wrong").await.unwrap();
    world.sender_works().await;
    assert_eq!(world.mails(), 6);
    assert_eq!(world.store.issues().await.unwrap()[0].article.as_ref().unwrap().1, 2, "the second edition");
}

async fn a_cancelled_digest_is_made_up_for(mut world: World) {
    world.readers(3, "main", Cadence::Daily).await;
    world.editor_writes("one", "", "Text.");
    world.passes(DAY).await;
    world.editor_approves().await;
    world.turn().await;
    let issue = the_issue(&world).await;
    world.store.move_issue(&issue, IssueEvent::Cancel, world.now).await.unwrap();
    world.editor_writes("two", "", "Text.");
    world.passes(DAY * 2).await;
    assert_eq!(world.mails(), 3);
    let titles = world.store.issue_titles(&the_issue(&world).await).await.unwrap();
    assert_eq!(titles.len(), 2, "{titles:?}");
}

async fn a_goodbye_stops_mail_at_once(mut world: World) {
    world.readers(3, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    let (issue, claimed, now) = in_hand(&world, 3).await;
    let gone = &claimed[0];
    world.reader_leaves(gone.to.as_str()).await;
    let fixed = fixed(now, "<m>");
    assert!(!note(&world.store, gone, "me", &fixed, now).await, "claimed, but not sent");
    world.store.give_back("me", now).await.unwrap();
    world.sender_works().await;
    assert_eq!(world.mails(), 2);
    assert!(!world.inboxes().contains_key(gone.to.as_str()));
    assert_eq!(world.store.issue(&issue).await.unwrap().unwrap().state, IssueState::Finished);
}

async fn a_paused_issue_writes_no_final_dot(mut world: World) {
    world.readers(3, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    let (issue, claimed, now) = in_hand(&world, 1).await;
    world.store.move_issue(&issue, IssueEvent::Pause, world.now).await.unwrap();
    let fixed = fixed(now, "<m>");
    assert!(!note(&world.store, &claimed[0], "me", &fixed, now).await);
    assert!(world.store.claim(Some(&issue), "me", now, now + HOUR, 3).await.unwrap().is_empty());
    world.store.give_back("me", now).await.unwrap();
    world.store.move_issue(&issue, IssueEvent::Resume, world.now).await.unwrap();
    world.sender_works().await;
    assert_eq!(world.mails(), 3);
}

async fn a_dead_sender_loses_nobody(mut world: World) {
    world.readers(4, "main", Cadence::Instant).await;
    world.relay = Memory::deciding(|step| match (step.phase, step.dots) {
        (Phase::Answer, 1) => Act::TakeAndDrop,
        _ => Act::Accept,
    })
    .with_connections(1); // so that there is exactly one second dot
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    world.store.start_due_issues(world.now).await.unwrap();
    let issue = the_issue(&world).await;
    let (now, over) = (clock::now(), clock::now() - HOUR);
    // A sender dies with one delivery claimed and one noted, an hour ago.
    let claimed = world.store.claim(Some(&issue), "dead", now, over + TimeDelta::seconds(30), 2).await.unwrap();
    let fixed = fixed(over, "<the-same@example.com>");
    assert!(note(&world.store, &claimed[1], "dead", &fixed, over).await);
    world.sender_works().await;
    // One mail was taken without an answer: it is unknown, and is sent again half a minute later.
    assert_eq!(count(&world, &issue, DeliveryState::Unknown).await, 1);
    let dots = world.relay.final_dots();
    assert_eq!(dots.len(), 4);
    let again = dots.iter().find(|dot| dot.delivery == claimed[1].id).unwrap();
    assert!(String::from_utf8_lossy(&again.message).contains("Message-ID: <the-same@example.com>"));
    assert_eq!(world.store.attempts(&claimed[1].id).await.unwrap().len(), 2);
    assert!(!record(&world.store, &claimed[0], "dead", Outcome::Sent, nothing(), now).await);
}

/// Four claimed deliveries, of which one was sent, one is noted, the note of one does not hold, and one has none. All that
/// stands in the journal of "me" alone.
async fn left_in_the_journal(world: &mut World) -> (IssueId, Vec<Claimed>, DateTime<Utc>) {
    world.readers(4, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    let (issue, claimed, now) = in_hand(world, 4).await;
    world.reader_leaves(claimed[2].to.as_str()).await;
    let fixed = fixed(now, "<m@example.com>");
    let notes = claimed[..3].iter().map(|one| Note { claim: one.claim(), fixed: fixed.clone(), at: now }).collect();
    let noted = Entries { notes, records: vec![] };
    let holding = world.store.append_journal(("me", 1), Durability::Power, &noted, now).await.unwrap();
    assert_eq!(holding, claimed[..2].iter().map(Claimed::claim).collect());
    let record = Record { claim: claimed[0].claim(), outcome: Outcome::Sent, said: nothing(), at: now };
    let recorded = Entries { notes: vec![], records: vec![record] };
    world.store.append_journal(("me", 2), Durability::Power, &recorded, now).await.unwrap();
    assert_eq!(count(world, &issue, DeliveryState::Sending).await, 4);
    (issue, claimed, now)
}

async fn what_a_dead_sender_left_in_the_journal_counts(mut world: World) {
    let (issue, claimed, now) = left_in_the_journal(&mut world).await;
    ledger_ages(&world.address, HOUR * 2).await;
    let released = world.store.release_expired(now, OnUnknown::Resend).await.unwrap();
    assert_eq!(released, 3);
    assert_eq!(count(&world, &issue, DeliveryState::Sent).await, 1);
    assert_eq!(count(&world, &issue, DeliveryState::Unknown).await, 1);
    world.sender_works().await;
    let sent: BTreeSet<_> = world.relay.final_dots().iter().map(|dot| dot.delivery.clone()).collect();
    assert_eq!(sent, [&claimed[1], &claimed[3]].map(|one| one.id.clone()).into());
    let why = world.store.delivery_to(&issue, claimed[1].to.key()).await.unwrap().unwrap();
    assert_eq!(why.message_id.as_deref(), Some("<m@example.com>"), "the repeat is what was noted");
    assert_eq!(world.store.attempts(&claimed[0].id).await.unwrap().len(), 1);
}

async fn a_note_in_the_journal_is_not_cancelled(mut world: World) {
    let (issue, claimed, now) = left_in_the_journal(&mut world).await;
    world.store.move_issue(&issue, IssueEvent::Cancel, now).await.unwrap();
    let mut states = BTreeMap::new();
    for one in &claimed {
        let row = world.store.delivery_to(&issue, one.to.key()).await.unwrap().unwrap();
        states.insert(one.to.to_string(), row.state);
    }
    let wanted = [DeliveryState::Sent, DeliveryState::Sending, DeliveryState::Suppressed, DeliveryState::Suppressed];
    assert_eq!(states, claimed.iter().map(|one| one.to.to_string()).zip(wanted).collect());
    // Its sender lives and goes on: what it knows by heart is written once.
    let record = Record { claim: claimed[1].claim(), outcome: Outcome::Sent, said: nothing(), at: now };
    let recorded = Entries { notes: vec![], records: vec![record] };
    world.store.append_journal(("me", 3), Durability::Power, &recorded, now).await.unwrap();
    world.store.give_back("me", now).await.unwrap();
    assert_eq!(count(&world, &issue, DeliveryState::Sent).await, 2);
    assert_eq!(count(&world, &issue, DeliveryState::Sending).await, 0);
}

async fn what_a_sender_knows_of_an_erased_reader_is_not_written(mut world: World) {
    let (_, claimed, now) = left_in_the_journal(&mut world).await;
    let person = world.store.subscribers_with(&[claimed[1].to.key()]).await.unwrap().remove(0);
    let (who, flow) = ((person.id, claimed[1].to.clone()), audience::flow_id(clock::random()));
    assert!(audience::erase(&world.store, &world.keys, who, "en".to_owned(), flow, now).await.unwrap());
    // The sender, which wrote the note, does not know; and then the relay answers with the address.
    let fixed = Fixed { first_name: "Robin".to_owned(), ..fixed(now, "<m@example.com>") };
    let note = Note { claim: claimed[1].claim(), fixed, at: now };
    let said = Said { code: Some(250), text: claimed[1].to.to_string(), ..nothing() };
    let record = Record { claim: claimed[1].claim(), outcome: Outcome::Sent, said, at: now };
    let entries = Entries { notes: vec![note], records: vec![record] };
    world.store.fold_journal(("me", 3), entries).await.unwrap();
    let attempt = world.store.attempts(&claimed[1].id).await.unwrap().pop().unwrap();
    assert_eq!((attempt.said.code, attempt.said.text.as_str()), (Some(250), ""));
    // A delivery of that name would break the schema.
    run_sql(&world.address, "UPDATE deliveries SET state = 'none' WHERE first_name = 'Robin'".to_owned()).await;
}

fn nothing() -> Said {
    Said { relay: String::new(), code: None, enhanced: None, text: String::new() }
}

async fn two_senders_send_each_mail_once(mut world: World) {
    world.readers(300, "main", Cadence::Instant).await;
    world.relay = world.relay.clone().with_connections(8);
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    tokio::join!(world.sender_works(), world.sender_works(), world.sender_works());
    assert_eq!(world.mails(), 300);
    assert!(world.inboxes().values().all(|mails| mails.len() == 1));
    let issue = the_issue(&world).await;
    assert_eq!(count(&world, &issue, DeliveryState::Sent).await, 300);
}

async fn a_relay_that_says_no_is_remembered(mut world: World) {
    world.now = clock::now(); // what is put off for long is given up
    world.readers(4, "main", Cadence::Instant).await;
    world.relay = Memory::deciding(|step| {
        let to = step.mail.as_ref().map_or("", |(_, envelope)| envelope.to.as_str()).to_owned();
        match (step.phase, to.as_str()) {
            (Phase::RcptTo, "instant-1@example.com") => Act::Refuse(Reply::parse("450 4.2.0 later").unwrap()),
            (Phase::RcptTo, "instant-2@example.com") => Act::Refuse(Reply::parse("550 5.1.1 nobody here").unwrap()),
            _ => Act::Accept,
        }
    });
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    world.sender_works().await;
    let issue = the_issue(&world).await;
    let state = |address: &'static str| {
        let (store, issue) = (world.store.clone(), issue.clone());
        async move { store.delivery_to(&issue, address).await.unwrap().unwrap() }
    };
    let deferred = state("instant-1@example.com").await;
    assert_eq!(deferred.state, DeliveryState::Deferred);
    let attempts = world.store.attempts(&deferred.id).await.unwrap();
    assert_eq!((attempts[0].said.code, attempts[0].said.enhanced.as_deref()), (Some(450), Some("4.2.0")));
    assert_eq!(state("instant-2@example.com").await.state, DeliveryState::Failed);
    assert_eq!(state("instant-3@example.com").await.state, DeliveryState::Sent);
    assert_eq!(world.store.issue(&issue).await.unwrap().unwrap().state, IssueState::Sending, "one is still to come");
}

async fn a_database_that_moved_is_held(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    world.store.hold("it moved".to_owned()).await.unwrap();
    world.passes(DAY * 2).await;
    assert_eq!(world.mails(), 0);
    world.editor_writes("meanwhile", "", "Text.");
    let edition = world.edition();
    world.office(&edition).enter_as_late().await.unwrap();
    world.store.settle(Home { url: String::new(), host: "there".to_owned() }).await.unwrap();
    world.passes(DAY).await;
    assert_eq!(world.mails(), 2, "what was sealed before goes; what came meanwhile waits for an editor");
}

async fn a_restored_digest_is_not_sent_again(mut world: World) {
    world.readers(2, "main", Cadence::Daily).await;
    broken_in(&mut world).await;
    world.editor_writes("news", "", "Text.");
    world.turn().await;
    world.store.hold("it was restored from a backup made before the digest".to_owned()).await.unwrap();
    world.passes(DAY).await;
    let edition = world.edition();
    assert!(world.office(&edition).cancel(&edition.settings.newsletters[0], article(&edition, "first")).await.is_err());
    world.office(&edition).enter_as_late().await.unwrap();
    world.store.settle(Home { url: String::new(), host: "here".to_owned() }).await.unwrap();
    world.passes(HOUR).await;
    assert_eq!(world.mails(), 2, "the slot that has passed stays passed; only the first digest was ever sent");
}

async fn an_approval_is_for_the_audience_that_was_seen(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    let plan = world.editor_plans("news").await;
    world.readers(500, "main", Cadence::Instant).await;
    world.store.approve_plan(&plan, world.now).await.unwrap();
    let _ = world.editor_plans("news").await; // looking again is no new yes
    world.passes(HOUR).await;
    assert_eq!(world.mails(), 0, "the yes was for two readers");
    world.editor_approves().await;
    world.passes(HOUR).await;
    assert_eq!(world.mails(), 500);
}

async fn an_article_dated_after_the_slot_is_not_lost(mut world: World) {
    world.readers(1, "main", Cadence::Daily).await;
    broken_in(&mut world).await;
    // Nothing runs between five to seven and half past seven; an article is dated in between.
    let seven = world.now.date_naive().succ_opt().unwrap().and_hms_opt(7, 0, 0).unwrap().and_utc();
    world.editor_writes("before", "", "Text.");
    world.turn().await;
    world.now = seven + TimeDelta::minutes(30);
    let date = (seven + TimeDelta::minutes(10)).to_rfc3339();
    world.editor_writes("after", &format!("date: {date}"), "Text.");
    world.passes(DAY).await;
    let issues = world.store.issues().await.unwrap();
    let mut titles = Vec::new();
    for issue in &issues {
        titles.extend(world.store.issue_titles(&issue.id).await.unwrap());
    }
    assert!(titles.contains(&"About after".to_owned()) && titles.contains(&"About before".to_owned()), "{titles:?}");
}

async fn a_goodbye_taken_back_gets_the_mail_that_waited(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    world.reader_leaves("instant-1@example.com").await;
    world.reader_comes_back("instant-1@example.com").await;
    world.sender_works().await;
    assert_eq!(world.mails(), 2);
}

async fn what_cannot_be_cancelled_is_said(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    let date = (world.now + DAY).to_rfc3339();
    world.editor_writes("tomorrow", &format!("date: {date}"), "Text.");
    let edition = world.edition();
    let (newsletter, article) = (&edition.settings.newsletters[0], article(&edition, "tomorrow"));
    let refused = world.office(&edition).cancel(newsletter, article).await;
    assert!(refused.unwrap_err().to_string().contains("no mail of `content/tomorrow.md` waits"));
}

async fn a_line_that_drops_after_each_dot_is_not_tried_for_ever(mut world: World) {
    world.readers(1, "main", Cadence::Instant).await;
    world.relay = Memory::deciding(|step| if step.phase == Phase::Answer { Act::TakeAndDrop } else { Act::Accept });
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    world.sender_works().await;
    let issue = the_issue(&world).await;
    let wait = world.store.next_due(Some(&issue)).await.unwrap().unwrap() - clock::now();
    assert!(wait > TimeDelta::minutes(4), "as long as after any other first try, not {wait}");
}

async fn what_is_due_counts_from_when_it_could_go(mut world: World) {
    world.readers(1, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    let issue = the_issue(&world).await;
    let due = async || world.store.next_due(None).await.unwrap();
    for event in [IssueEvent::Pause, IssueEvent::Resume] {
        assert_eq!(due().await, None, "it is not being sent");
        world.now += HOUR;
        world.store.move_issue(&issue, event, world.now).await.unwrap();
    }
    world.store.start_due_issues(world.now).await.unwrap();
    assert_eq!(due().await, Some(world.now), "not since it was sealed");
    let until = world.now + HOUR;
    assert_eq!(world.store.claim(Some(&issue), "me", world.now, until, 1).await.unwrap().len(), 1);
    let is_sending = async |now| world.store.is_sending(now).await.unwrap();
    assert_eq!((is_sending(world.now).await, is_sending(until).await), (true, false), "but for a sender that died");
}

async fn what_is_paid_for_stays_with_members(mut world: World) {
    world.imports("email,state\nmember@example.com,active\nreader@example.com,active\n").await;
    let [member, reader] = ["member@example.com", "reader@example.com"];
    let person = world.store.subscribers_with(&[member]).await.unwrap().remove(0).id;
    // Senders go by the real clock.
    let grants = async |store: &Store, hours| {
        let now = clock::now();
        store.grant_membership(&person, now + HOUR * hours, now).await.unwrap();
    };
    grants(&world.store, 1).await;
    let text = "For everybody.\n\n<!-- more -->\n\nThe paid sentence.";
    let reads = |reader: &str, world: &World| {
        let mail = world.relay.final_dots().into_iter().rfind(|dot| dot.envelope.to.as_str() == reader).unwrap();
        String::from_utf8_lossy(&mail.message).contains("The paid sentence.")
    };
    world.editor_writes("paid", "access: paid", text);
    world.editor_sends("paid").await.unwrap();
    world.sender_works().await;
    assert!(reads(member, &world) && !reads(reader, &world));
    let issue = the_issue(&world).await;
    assert!(!world.store.issue_page(&issue).await.unwrap().unwrap().contains("paid sentence"));
    for (address, page) in &world.edition().site.pages {
        assert!(!String::from_utf8_lossy(&page.body).contains("paid sentence"), "{address}");
    }
    // The membership ends after the next issue was sealed, and before its mail is claimed.
    world.editor_writes("later", "access: paid", text);
    world.editor_sends("later").await.unwrap();
    grants(&world.store, 0).await;
    world.sender_works().await;
    assert_eq!(world.mails(), 4);
    assert!(!reads(member, &world), "who was a member reads as everybody else");
    let reading = world.store.reading(&person, clock::now()).await.unwrap();
    assert_eq!(reading.viewer_of(&[NewsletterId::new("main")]), Viewer::Subscriber);
}

async fn subscribers_only_text_stays_with_subscribers(mut world: World) {
    world.readers(1, "main", Cadence::Instant).await;
    let text = "For everybody.\n\n<!-- more -->\n\nThe secret sentence.";
    world.editor_writes("secret", "access: subscribers", text);
    world.editor_sends("secret").await.unwrap();
    world.sender_works().await;
    let mail = String::from_utf8_lossy(&world.relay.final_dots()[0].message).into_owned();
    assert!(mail.contains("The secret sentence."), "an active subscriber reads it in mail");
    let issue = the_issue(&world).await;
    let page = world.store.issue_page(&issue).await.unwrap().unwrap();
    assert!(page.contains("For everybody.") && !page.contains("secret sentence"));
    for (address, page) in &world.edition().site.pages {
        assert!(!String::from_utf8_lossy(&page.body).contains("secret sentence"), "{address}");
    }
}
