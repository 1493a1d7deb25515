mod moves;

use chrono::TimeDelta;

use super::*;
use crate::clock;
use crate::config::{self, Source};
use crate::model::{Choices, SuppressionReason};
use crate::store::Person;
use crate::store::fresh::stores;

/// A publication with two newsletters, whose readers come and go.
struct Audience<'s> {
    store: &'s Store,
    settings: Settings,
    keys: ServerKeys,
    now: DateTime<Utc>,
}

impl<'s> Audience<'s> {
    async fn of(store: &'s Store) -> Audience<'s> {
        let text = "[[newsletters]]\nid = \"wire\"\ntitle = \"The Wire\"\n[[newsletters]]\nid = \"weekly\"\n\
            title = \"The Week\"\ncadences = [\"weekly\"]\ndefault-cadence = \"weekly\"\n";
        let settings = config::read(&Source { text: text.to_owned(), ..Source::default() }).0;
        let now = clock::now();
        for newsletter in &settings.newsletters {
            store.enter_newsletter(newsletter.id.clone(), vec![], now).await.unwrap();
        }
        Audience { store, settings, keys: ServerKeys::new(*b"key", []), now }
    }

    fn asker(&self, client: &str) -> Asker<'_> {
        Asker { store: self.store, keys: &self.keys, client: client.parse().unwrap(), now: self.now }
    }

    /// What the reader hears, and the token of their link.
    async fn signs_up(&self, address: &str, client: &str) -> (Asked, String) {
        let (asked, flow) = self.requests(address, client).await;
        (asked, self.keys.sign(tokens::CONFIRM, &flow))
    }

    /// What the reader hears, and the flow that their browser knows.
    async fn requests(&self, address: &str, client: &str) -> (Asked, String) {
        let choices = offered(&self.settings).map(|newsletter| choice(newsletter, Some(Cadence::Daily))).collect();
        let (person, language) = (Person::default(), "en".to_owned());
        let request = Request { email: EmailAddress::parse(address).unwrap(), person, choices, language };
        let flow = flow_id(clock::random());
        (self.asker(client).sign_up(request, flow.clone()).await.unwrap(), flow)
    }

    /// Whoever knows the flow asks for another mail; the newer flow.
    async fn asks_again(&self, flow: &str, client: &str) -> Option<String> {
        let again = flow_id(clock::random());
        let asked = self.asker(client).sign_up_again(flow, again.clone()).await.unwrap();
        asked.map(|asked| assert_eq!(asked, Asked::Accepted)).map(|()| again)
    }

    async fn awaits(&self, flow: &str) -> bool {
        self.asker("192.0.2.1").awaiting(&self.keys.sign(tokens::CONFIRM, flow)).await.unwrap().is_some()
    }

    async fn confirms(&self, token: &str) -> Option<Confirmed> {
        self.tries(token, "192.0.2.1").await.ok()
    }

    async fn tries(&self, token: &str, client: &str) -> Result<Confirmed, Unopened> {
        let (link, welcome) = ((token, "Europe/Paris"), flow_id(clock::random()));
        self.asker(client).confirm(&self.settings, link, welcome).await.unwrap()
    }

    /// How many notices wait to be sent.
    async fn notices(&self) -> i64 {
        let waiting = self.store.waiting_deliveries().await.unwrap();
        waiting.iter().filter(|(issue, _)| issue.is_none()).map(|(_, count)| count).sum()
    }

    async fn imports(&self, file: &str) -> Imported {
        let options = ImportOptions { newsletters: vec![NewsletterId::new("wire")], ..ImportOptions::default() };
        import(self.store, &self.keys, &self.settings, file.as_bytes(), &options, self.now).await.unwrap()
    }

    /// `wire daily active; …` of one reader.
    async fn standing_of(&self, address: &str) -> String {
        let people = self.store.subscribers_with(&[address]).await.unwrap();
        let subscriptions = people
            .iter()
            .flat_map(|person| &person.subscriptions)
            .map(|theirs| format!("{} {} {}", theirs.newsletter, theirs.cadence().as_str(), theirs.state.as_str()));
        subscriptions.collect::<Vec<_>>().join("; ")
    }

    async fn leave_token_of(&self, address: &str) -> String {
        let people = self.store.subscribers_with(&[address]).await.unwrap();
        let wire = people[0].subscriptions.iter().find(|theirs| theirs.newsletter.as_str() == "wire").unwrap();
        subscription_token(self.keys.current(), Purpose::Leave, &wire.id)
    }
}

const READER: &str = "reader@example.com";

#[tokio::test]
async fn of_a_hundred_clicks_one_confirms() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        let (_, token) = audience.signs_up(READER, "192.0.2.1").await;
        assert_eq!(audience.standing_of(READER).await, "weekly weekly pending; wire daily pending");
        assert!(audience.asker("192.0.2.1").awaiting(&token).await.unwrap().is_some());
        let clicks: Vec<_> = (0..100)
            .map(|_| {
                let (store, keys, settings) = (store.clone(), audience.keys.clone(), audience.settings.clone());
                let (token, client, now) = (token.clone(), "192.0.2.1".parse().unwrap(), audience.now);
                tokio::spawn(async move {
                    let asker = Asker { store: &store, keys: &keys, client, now };
                    asker.confirm(&settings, (&token, ""), flow_id(clock::random())).await.unwrap().ok()
                })
            })
            .collect();
        let mut confirmed = Vec::new();
        for click in clicks {
            confirmed.extend(click.await.unwrap());
        }
        assert_eq!(confirmed.iter().map(|confirmed| confirmed.is_first).collect::<Vec<_>>(), [true]);
        assert_eq!(audience.standing_of(READER).await, "weekly weekly active; wire daily active");
        assert!(audience.asker("192.0.2.1").awaiting(&token).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_newer_link_ends_the_older_one_but_a_refused_request_does_not() {
    for (store, _folder) in stores().await {
        let mut audience = Audience::of(&store).await;
        let (_, flow) = audience.requests(READER, "192.0.2.1").await;
        let first = audience.keys.sign(tokens::CONFIRM, &flow);
        let (asked, too_soon) = audience.signs_up("Reader@EXAMPLE.com", "192.0.2.1").await;
        assert_eq!((asked, audience.notices().await), (Asked::Accepted, 1));
        assert!(audience.awaits(&flow).await);
        assert_eq!(audience.confirms(&too_soon).await, None);
        audience.now += TimeDelta::seconds(61);
        let second = audience.asks_again(&flow, "192.0.2.1").await.unwrap();
        let second = audience.keys.sign(tokens::CONFIRM, &second);
        assert_eq!(audience.notices().await, 1, "the dead link is not mailed");
        assert_eq!(audience.confirms(&first).await, None);
        audience.now += CONFIRM_WITHIN - TimeDelta::seconds(1);
        assert!(audience.confirms(&second).await.is_some());
    }
}

#[tokio::test]
async fn a_link_holds_for_three_days() {
    for (store, _folder) in stores().await {
        let mut audience = Audience::of(&store).await;
        let (_, token) = audience.signs_up(READER, "192.0.2.1").await;
        audience.now += CONFIRM_WITHIN;
        assert_eq!(audience.confirms(&token).await, None);
    }
}

#[tokio::test]
async fn nobody_is_flooded_and_no_client_asks_for_ever() {
    for (store, _folder) in stores().await {
        let mut audience = Audience::of(&store).await;
        for minute in 0..50 {
            audience.now += TimeDelta::seconds(61);
            let client = format!("2001:db8:0:{minute:x}::1");
            assert_eq!(audience.signs_up(READER, &client).await.0, Asked::Accepted);
            let sent = i64::from(audience.notices().await > 0);
            assert_eq!(sent, 1);
        }
        let mut refused = 0;
        for host in 0..25 {
            let client = format!("2001:db8:1:1::{host:x}");
            let (asked, _) = audience.signs_up(&format!("reader{host}@example.com"), &client).await;
            refused += u32::from(asked == Asked::TooOften);
        }
        assert_eq!(refused, 5, "a /64 counts as one client");
        assert_eq!(audience.notices().await, 21);
        audience.now += TimeDelta::hours(1);
        assert_eq!(audience.signs_up("late@example.com", "2001:db8:1:1::ff").await.0, Asked::Accepted);
    }
}

#[tokio::test]
async fn while_a_link_waits_nobody_else_has_another_sent() {
    for (store, _folder) in stores().await {
        let mut audience = Audience::of(&store).await;
        let (_, first) = audience.requests(READER, "192.0.2.1").await;
        for minute in 0..20 {
            audience.now += TimeDelta::seconds(61);
            let (asked, other) = audience.requests(READER, &format!("192.0.2.{minute}")).await;
            assert_eq!((asked, audience.awaits(&other).await), (Asked::Accepted, false));
        }
        assert!(audience.awaits(&first).await, "a flood leaves the first one alone");
        let mut live = 0;
        for _ in 0..9 {
            audience.now += TimeDelta::seconds(61);
            let again = audience.asks_again(&first, "198.51.100.1").await.unwrap();
            live += u32::from(audience.awaits(&again).await);
        }
        assert_eq!(live, 4, "whoever asked first can ask again, five times an hour in all");
        audience.now += TimeDelta::hours(1);
        let (_, later) = audience.requests(READER, "192.0.2.99").await;
        assert!(audience.awaits(&later).await);
        assert_eq!(audience.asks_again("unknown", "192.0.2.1").await, None);
        audience.now += CONFIRM_WITHIN;
        assert_eq!(audience.asks_again(&first, "192.0.2.1").await, None);
    }
}

#[tokio::test]
async fn whoever_confirms_for_the_first_time_is_welcomed() {
    for (store, _folder) in stores().await {
        let mut audience = Audience::of(&store).await;
        let (_, token) = audience.signs_up(READER, "192.0.2.1").await;
        let confirmed = audience.confirms(&token).await.unwrap();
        assert_eq!(confirmed.time_zone.as_deref(), Some("Europe/Paris"));
        let rhythms: Vec<String> = confirmed.subscriptions.iter().map(|theirs| theirs.service.rhythm.key()).collect();
        assert_eq!(rhythms, ["weekly|||Europe/Paris", "daily|||Europe/Paris"]);
        let sql = "SELECT f.id FROM flows f JOIN deliveries d ON d.flow = f.id WHERE f.purpose = 'welcome'";
        let welcomes: Vec<String> = store.rows(sql, vec![]).await.unwrap();
        let flow = store.flow(&welcomes[0]).await.unwrap().unwrap();
        let welcome = flow.read::<crate::store::Welcome>().unwrap();
        assert_eq!(welcome.subscriptions.keys().map(NewsletterId::as_str).collect::<Vec<_>>(), ["weekly", "wire"]);
        assert_eq!(store.subscribers_with(&[READER]).await.unwrap()[0].details[1].as_deref(), Some("en"));

        audience.now += TimeDelta::hours(2);
        let (_, token) = audience.signs_up(READER, "192.0.2.1").await;
        assert!(!audience.confirms(&token).await.unwrap().is_first);
        assert_eq!(store.rows::<String>(sql, vec![]).await.unwrap(), welcomes, "once is enough");
    }
}

#[tokio::test]
async fn forged_links_are_tried_thirty_times_an_hour_and_keep_no_right_one_from_its_reader() {
    for (store, _folder) in stores().await {
        let mut audience = Audience::of(&store).await;
        let (_, token) = audience.signs_up(READER, "192.0.2.1").await;
        for forged in 0..30 {
            let tried = audience.tries(&format!("forged {forged}"), "203.0.113.5").await;
            assert_eq!(tried, Err(Unopened::Dead));
        }
        assert_eq!(audience.tries("one more", "203.0.113.5").await, Err(Unopened::TooManyTries));
        assert!(!audience.asker("203.0.113.5").forged().await.unwrap());
        assert!(audience.tries(&token, "203.0.113.5").await.is_ok(), "others may share the address");
        for _ in 0..40 {
            let again = audience.tries(&token, "203.0.113.6").await;
            assert_eq!(again, Err(Unopened::Dead), "a used link is no forgery");
        }
        audience.now += TimeDelta::hours(1);
        assert_eq!(audience.tries("forged", "203.0.113.5").await, Err(Unopened::Dead));
    }
}

#[tokio::test]
async fn one_network_alone_shuts_nobody_else_out() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        let mut accepted = 0;
        for number in 0..220 {
            let asked =
                audience.signs_up(&format!("r{number}@example.com"), &format!("2001:db8:7:{number:x}::1")).await.0;
            accepted += u32::from(asked == Asked::Accepted);
        }
        assert_eq!(accepted, 200);
        assert_eq!(audience.signs_up(READER, "2001:db8:8::1").await.0, Asked::Accepted);
    }
}

#[tokio::test]
async fn a_flood_from_everywhere_is_refused_and_told_once() {
    for (store, _folder) in stores().await {
        let mut audience = Audience::of(&store).await;
        let email = EmailAddress::parse(READER).unwrap();
        let everyone = audience.asker("192.0.2.1").asking(SCOPES, &email).everyone;
        for _ in 0..599 {
            assert!(store.count(everyone.clone(), audience.now).await.unwrap());
        }
        assert_eq!(audience.signs_up(READER, "192.0.2.1").await.0, Asked::Accepted);
        for is_news in [true, false, false] {
            let (asked, _) = audience.signs_up("other@example.com", "192.0.2.2").await;
            assert_eq!(asked, Asked::Flooded { is_news });
        }
        assert_eq!(audience.notices().await, 1);
        audience.now += TimeDelta::seconds(60);
        assert_eq!(audience.signs_up("other@example.com", "192.0.2.2").await.0, Asked::Accepted);
    }
}

#[tokio::test]
async fn a_dead_mailbox_gets_the_same_answer_and_no_mail() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        store.suppress(vec![READER.to_owned()], SuppressionReason::HardBounce, audience.now).await.unwrap();
        assert_eq!(audience.signs_up(READER, "192.0.2.1").await.0, Asked::Accepted);
        assert_eq!(audience.notices().await, 0);
        let other = "other@example.com";
        store.suppress(vec![other.to_owned()], SuppressionReason::Request, audience.now).await.unwrap();
        let (_, token) = audience.signs_up(other, "192.0.2.1").await;
        assert_eq!(audience.notices().await, 1, "who asks for a notice gets it");
        assert!(audience.confirms(&token).await.is_some());
        assert!(store.suppressions_of(&[other]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn leaving_is_once_and_can_be_taken_back_for_an_hour() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        audience.imports("email,state\nreader@example.com,active\n").await;
        let token = audience.leave_token_of(READER).await;
        let asker = audience.asker("192.0.2.1");
        assert!(asker.holder(Purpose::Leave, &token).await.unwrap().is_some());
        assert_eq!(audience.standing_of(READER).await, "wire instant active", "looking changes nothing");
        let left = asker.leave(&token).await.unwrap().unwrap();
        let again = Asker { now: asker.now + TimeDelta::minutes(1), ..asker }.leave(&token).await.unwrap();
        assert_eq!(again.unwrap().ended_at, left.ended_at);
        assert_eq!(audience.standing_of(READER).await, "wire instant ended");
        let proof = undo_token(&audience.keys, &left.id, left.ended_at.unwrap());
        let takes_back = async |proof: &str, now| Asker { now, ..asker }.undo(&left, proof).await.unwrap().len();
        assert_eq!(takes_back("forged", audience.now).await, 0);
        assert_eq!(takes_back(&proof, audience.now + UNDO_WITHIN).await, 0);
        let late = audience.now + UNDO_WITHIN - TimeDelta::seconds(1);
        assert_eq!(takes_back(&proof, late).await, 1);
        assert_eq!(audience.standing_of(READER).await, "wire instant active");
        assert_eq!(takes_back(&proof, late).await, 0);
    }
}

#[tokio::test]
async fn whoever_left_everything_comes_back_to_everything() {
    for (store, _folder) in stores().await {
        let mut audience = Audience::of(&store).await;
        audience.imports("email,state,newsletter\nreader@example.com,active,wire;weekly\n").await;
        let wire = NewsletterId::new("wire");
        store.unsubscribe(READER.to_owned(), Some(wire), "editor", audience.now).await.unwrap();
        audience.imports("email,state,newsletter\nother@example.com,active,wire;weekly\n").await;
        audience.now += TimeDelta::seconds(1);
        store.unsubscribe("other@example.com".to_owned(), None, "link", audience.now).await.unwrap();
        let other = &store.subscribers_with(&["other@example.com"]).await.unwrap()[0].subscriptions[0];
        let proof = undo_token(&audience.keys, &other.id, audience.now);
        let undone = audience.asker("192.0.2.1").undo(other, &proof).await.unwrap();
        assert_eq!(undone.len(), 2);
        assert_eq!(audience.standing_of("other@example.com").await, "weekly weekly active; wire instant active");
        assert_eq!(audience.standing_of(READER).await, "weekly weekly active; wire instant ended");
    }
}

/// What the database says of the one subscription of [`READER`], and the rhythms of its newsletter.
async fn service_of(store: &Store) -> (Subscription, Vec<String>) {
    let theirs = store.subscribers_with(&[READER]).await.unwrap().remove(0).subscriptions.remove(0);
    (theirs, store.rows("SELECT rhythm FROM rhythms ORDER BY rhythm", vec![]).await.unwrap())
}

#[tokio::test]
async fn what_a_reader_chooses_is_kept() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        audience.imports("email,state,time_zone\nreader@example.com,active,Asia/Tokyo\n").await;
        let (theirs, _) = service_of(&store).await;
        let id = theirs.id.clone();
        let choose = async |choices: Choices| {
            store.choose(id.clone(), move |_| choices, "link", audience.now).await.unwrap().unwrap()
        };
        let topics = vec!["law".to_owned(), "security".to_owned()];
        let weekly = Choices { hour: Some(8), topics, ..Choices::of(Cadence::Weekly) };
        let chosen = choose(weekly.clone()).await;
        let (kept, rhythms) = service_of(&store).await;
        assert_eq!((&kept, kept.service.choices(audience.now)), (&chosen, weekly));
        assert_eq!(kept.service.rhythm.key(), "weekly|8||Asia/Tokyo");
        assert!(rhythms.contains(&"weekly|8||Asia/Tokyo".to_owned()), "{rhythms:?}");
        let person = Person { time_zone: Some("Europe/Paris".to_owned()), ..Person::default() };
        store.keep_person(kept.subscriber.clone(), person, audience.now).await.unwrap();
        let (kept, rhythms) = service_of(&store).await;
        assert_eq!(kept.service.rhythm.key(), "weekly|8||Europe/Paris");
        assert!(rhythms.contains(&"weekly|8||Europe/Paris".to_owned()), "{rhythms:?}");

        let number = "UPDATE newsletters SET sequence = 1";
        store.write(move |transaction| Box::pin(transaction.execute(number, vec![]))).await.unwrap();
        let returning = choose(Choices::of(Cadence::Instant)).await;
        assert_eq!((returning.cadence(), returning.service.rhythm.cadence), (Cadence::Instant, Cadence::Weekly));
        let sql = "SELECT COUNT(*) FROM consents WHERE event = 'changed'";
        assert_eq!(store.row(sql, vec![]).await.unwrap(), Some(2_i64));
        choose(Choices::of(Cadence::Instant)).await;
        assert_eq!(store.row(sql, vec![]).await.unwrap(), Some(2_i64), "nothing changed");
        store.leave(id.clone(), "link", audience.now).await.unwrap();
        assert_eq!(store.choose(id, |choices| choices, "link", audience.now).await.unwrap(), None);
    }
}

#[tokio::test]
async fn only_a_plain_word_makes_a_reader_active() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        let file = "\u{feff}E-Mail,Email,State,Cadence,colour\n\
            x,a@example.com,ACTIVE,daily,red\nx,b@example.com,inactive,,\nx,c@example.com,unsubscribed,,\n\
            x,d@example.com,pending,,\nx,not an address,active,,\nx,e@example.com,active,hourly,\n\
            x,f@example.com,bounced,,\nx,a@example.com,active,daily,\nx,g@example.com,,,\n";
        let imported = audience.imports(file).await;
        assert_eq!(imported.unread_columns, ["e_mail", "colour"]);
        let Imported { rows, imported, updated, unchanged, suppressed, rejected, report, .. } = imported;
        assert_eq!((rows, imported, updated, unchanged, suppressed, rejected), (9, 3, 0, 1, 1, 4));
        let report: Vec<String> = report.iter().map(|line| format!("{}: {}", line.line, line.reason)).collect();
        insta::assert_snapshot!("what_was_not_imported", report.join("\n"));
        assert_eq!(audience.standing_of("a@example.com").await, "wire daily active");
        assert_eq!(audience.standing_of("b@example.com").await, "");
        assert_eq!(audience.standing_of("c@example.com").await, "wire instant ended");
        assert_eq!(audience.standing_of("d@example.com").await, "wire instant pending");
        assert_eq!(store.suppressions_of(&["f@example.com"]).await.unwrap().len(), 1);
        assert_eq!(audience.notices().await, 0, "an import mails nobody");
    }
}

#[tokio::test]
async fn an_import_revives_nobody() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        let file = "email,state\nleft@example.com,active\nkept@example.com,active\n";
        audience.imports(file).await;
        store.unsubscribe("left@example.com".to_owned(), None, "editor", audience.now).await.unwrap();
        store.suppress(vec!["kept@example.com".to_owned()], SuppressionReason::Complaint, audience.now).await.unwrap();
        let again = audience.imports(file).await;
        assert_eq!((again.imported, again.updated, again.unchanged, again.suppressed), (0, 0, 0, 2));
        assert_eq!(audience.standing_of("left@example.com").await, "wire instant ended");
    }
}

#[tokio::test]
async fn whoever_stands_in_a_file_twice_is_known_the_second_time() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        // So far apart that the first is still being written when the second is read.
        let others: String = (1..1_000).map(|number| format!("r{number}@example.com,active\n")).collect();
        let imported = audience.imports(&format!("email,state\n{READER},ended\n{others}{READER},active\n")).await;
        assert_eq!((imported.imported, imported.suppressed), (1_000, 1));
        assert_eq!(audience.standing_of(READER).await, "wire instant ended");
    }
}

#[tokio::test]
async fn what_is_exported_comes_back_the_same() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        let until = (audience.now + TimeDelta::days(9)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let file = format!(
            "email,name,newsletter,cadence,state,time_zone,language,tags,created_at,hour,weekday,topics,paused_until\n\
            a@example.com,'=1+1,wire;weekly,daily,active,Europe/Berlin,de,\"one,two\",2026-03-01,6,sat,law;sea,{until}\n\
            b@example.com,\"O\"\"Neil, B\",wire,instant,ended,,,,2026-03-02T10:00:00Z,,,,\n\
            c@example.com,,wire,weekly,pending,,,,2026-03-03,,,,\nd@example.com,,wire,weekly,active,,,,2026-03-03,,,,\n\
            e@example.com,,wire,instant,active,,,,2026-03-03,,,sea,{until}\n"
        );
        audience.imports(&file).await;
        let person = store.subscribers_with(&["e@example.com"]).await.unwrap().remove(0);
        let service = &person.subscriptions[0].service;
        assert_eq!(
            (service.rhythm.cadence, service.returns_to_instant),
            (Cadence::Daily, true),
            "as if they had paused"
        );
        store.suppress(vec!["d@example.com".to_owned()], SuppressionReason::Complaint, audience.now).await.unwrap();
        store
            .suppress(vec!["stranger@example.com".to_owned()], SuppressionReason::Request, audience.now)
            .await
            .unwrap();
        let exported = exported(&store).await;
        assert!(exported.contains("\nstranger@example.com,,,,suppressed,"), "{exported}");
        assert!(exported.contains("d@example.com,,wire,weekly,suppressed,"), "{exported}");
        let unchanged = audience.imports(&exported).await;
        assert!(exported.contains(&format!(",6,sat,law;sea,{until}")), "{exported}");
        assert_eq!((unchanged.unchanged, unchanged.suppressed, unchanged.rows), (5, 2, 7));
        let later = exported.replace(",6,", ",23,");
        assert_eq!(audience.imports(&later).await.updated, 2);
        assert_eq!(audience.imports(&exported).await.updated, 2);
        for (other, _folder) in stores().await {
            Audience::of(&other).await.imports(&exported).await;
            let without =
                |text: &str| text.lines().filter(|line| !line.starts_with("d@")).collect::<Vec<_>>().join("\n");
            assert_eq!(without(&exported_sorted(&other).await), without(&exported_sorted(&store).await));
        }
    }
}

async fn exported(store: &Store) -> String {
    let mut file = Vec::new();
    export(store, None, &mut file).await.unwrap();
    String::from_utf8(file).unwrap()
}

async fn exported_sorted(store: &Store) -> String {
    let text = exported(store).await;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[tokio::test]
async fn a_large_file_is_read_in_pieces() {
    for (store, _folder) in stores().await {
        let audience = Audience::of(&store).await;
        let rows = (0..10_000).map(|row| format!("reader{row}@example.com,active\n"));
        let file = format!("email,state\n{}", rows.collect::<String>());
        let imported = audience.imports(&file).await;
        assert_eq!((imported.imported, imported.rejected), (10_000, 0));
        assert_eq!(audience.imports(&file).await.unchanged, 10_000);
    }
}

#[test]
fn a_name_is_one_visible_line() {
    assert_eq!(clean_name("  Ann Example "), Ok(Some("Ann Example".to_owned())));
    assert_eq!(clean_name("  "), Ok(None));
    for hidden in ["a\r\nBcc: x@example.com", "a\u{0}", "a\u{85}b", "a\u{2028}b", "a\u{202e}b", "a\u{200b}b"] {
        assert!(clean_name(hidden).is_err(), "{hidden:?}");
    }
    assert!(clean_name(&"a".repeat(201)).is_err());
}

#[test]
fn nobody_gets_more_mail_than_they_asked_for() {
    let text = "[[newsletters]]\nid = \"wire\"\ncadences = [\"instant\", \"weekly\"]\n[[newsletters]]\nid = \"daily\"\ncadences = [\"daily\"]\n";
    let (settings, _) = config::read(&Source { text: text.to_owned(), ..Source::default() });
    let chosen =
        |wanted| settings.newsletters.iter().map(|newsletter| choice(newsletter, wanted).cadence).collect::<Vec<_>>();
    assert_eq!(chosen(Some(Cadence::Daily)), [Cadence::Weekly, Cadence::Daily]);
    assert_eq!(chosen(Some(Cadence::Weekly)), [Cadence::Weekly, Cadence::Daily], "the least frequent there is");
    assert_eq!(chosen(None), [Cadence::Instant, Cadence::Daily]);
}
