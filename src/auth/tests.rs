use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};

use super::*;
use crate::clock;
use crate::model::{EmailAddress, NewsletterId};
use crate::store::fresh::stores;
use crate::store::{Newcomer, Store, Unopened};

const READER: &str = "reader@example.com";
const HERE: &str = "192.0.2.1";

/// A store that knows one reader, and who asks it what.
#[derive(Clone)]
struct Door {
    store: Store,
    keys: ServerKeys,
    now: DateTime<Utc>,
}

impl Door {
    async fn of(store: &Store) -> Door {
        let (now, wire) = (clock::now(), NewsletterId::new("wire"));
        store.enter_newsletter(wire.clone(), vec![], now).await.unwrap();
        let email = EmailAddress::parse(READER).unwrap();
        let subscription = (wire, crate::model::Cadence::Daily, crate::model::SubscriptionState::Active);
        let newcomer = Newcomer {
            email,
            name: None,
            details: [None, None, None],
            created_at: now,
            subscription,
            wish: crate::model::Wish::default(),
        };
        store.import(vec![newcomer], now).await.unwrap();
        Door { store: store.clone(), keys: ServerKeys::new(*b"key", []), now }
    }

    fn asker(&self, client: &str) -> Asker<'_> {
        Asker { store: &self.store, keys: &self.keys, client: client.parse().unwrap(), now: self.now }
    }

    /// What the mail would bring: token and code.
    async fn asks(&self, address: &str, cookie: &str) -> (String, String) {
        let (email, dice) = (EmailAddress::parse(address).unwrap(), clock::random::<32>());
        let (cookie, language) = (cookie.to_owned(), "en".to_owned());
        let request = SignIn { email, errand: Errand::default(), cookie, language };
        assert_eq!(self.asker(HERE).ask_to_sign_in(request, dice).await.unwrap(), Asked::Accepted);
        let token = self.keys.sign(SIGN_IN, &URL_SAFE_NO_PAD.encode(dice));
        let code = sign_in::code_of(&token);
        (token, code)
    }

    fn browser(cookie: &str) -> NewBrowser {
        NewBrowser { cookie: cookie.to_owned(), before: None, family: "Firefox".to_owned() }
    }

    async fn follows(&self, token: &str, cookie: &str, session: &str) -> Result<Errand, Unopened> {
        let (means, browser) = ((token, Some(cookie), false), Door::browser(session));
        self.asker(HERE).by_link(means, browser).await.unwrap()
    }

    async fn types(&self, code: &str, cookie: &str, client: &str) -> Result<Errand, Unopened> {
        let browser = Door::browser(&URL_SAFE_NO_PAD.encode(clock::random::<32>()));
        self.asker(client).by_code((code, cookie), browser).await.unwrap()
    }

    async fn sessions(&self) -> usize {
        let people = self.store.subscribers_with(&[READER]).await.unwrap();
        sessions(&self.store, &people[0].id, self.now).await.unwrap().len()
    }
}

#[tokio::test]
async fn of_a_hundred_clicks_one_gets_a_session() {
    for (store, _folder) in stores().await {
        let door = Door::of(&store).await;
        let (token, _) = door.asks(READER, "cookie").await;
        let clicks: Vec<_> = (0..100)
            .map(|number| {
                let (door, token) = (door.clone(), token.clone());
                tokio::spawn(async move { door.follows(&token, "cookie", &format!("session {number}")).await.is_ok() })
            })
            .collect();
        let mut signed_in = 0;
        for click in clicks {
            signed_in += usize::from(click.await.unwrap());
        }
        assert_eq!((signed_in, door.sessions().await), (1, 1));
    }
}

#[tokio::test]
async fn five_codes_are_looked_at_and_no_more() {
    for (store, _folder) in stores().await {
        let mut door = Door::of(&store).await;
        let (token, code) = door.asks(READER, "cookie").await;
        let guesses: Vec<_> = (0..20)
            .map(|number| {
                let door = door.clone();
                let client = format!("198.51.100.{number}");
                tokio::spawn(async move { door.types("0000-0000", "cookie", &client).await.is_ok() })
            })
            .collect();
        for guess in guesses {
            assert!(!guess.await.unwrap());
        }
        assert_eq!(door.types(&code, "cookie", HERE).await.unwrap_err(), Unopened::Dead, "the sixth is not looked at");
        assert!(door.follows(&token, "cookie", "s").await.is_ok(), "whoever has the mail is not shut out by guesses");
        door.now += Duration::seconds(61);
        let (_, code) = door.asks(READER, "cookie").await;
        for _ in 0..4 {
            assert!(door.types("0000-0000", "cookie", HERE).await.is_err());
        }
        assert!(door.types(&code, "cookie", HERE).await.is_ok(), "the fifth is");
    }
}

#[tokio::test]
async fn an_address_gets_five_mails_an_hour_whoever_asks() {
    for (store, _folder) in stores().await {
        let mut door = Door::of(&store).await;
        let start = door.now;
        for number in 0..400 {
            door.now = start + Duration::seconds(number * 8);
            let client =
                if number % 2 == 0 { format!("198.51.100.{}", number / 2) } else { format!("2001:db8::{number:x}") };
            let (email, language) = (EmailAddress::parse(READER).unwrap(), "en".to_owned());
            let request = SignIn { email, errand: Errand::default(), cookie: format!("cookie {number}"), language };
            let asked = door.asker(&client).ask_to_sign_in(request, clock::random()).await.unwrap();
            let expected = if number % 2 == 1 && number > 40 { Asked::TooOften } else { Asked::Accepted };
            assert_eq!(asked, expected, "one network of /64 is one client ({number})");
        }
        let mailed = "SELECT COUNT(*) FROM flows WHERE expires_at > created_at";
        assert_eq!(store.row(mailed, vec![]).await.unwrap(), Some(5_i64));
    }
}

#[tokio::test]
async fn what_was_mailed_works_after_the_server_key_was_changed() {
    for (store, _folder) in stores().await {
        let mut door = Door::of(&store).await;
        let (_, code) = door.asks(READER, "cookie").await;
        door.keys = ServerKeys::new(*b"new", [b"key".to_vec()]);
        assert!(door.types(&code, "cookie", HERE).await.is_ok());
    }
}

#[tokio::test]
async fn ten_thousand_wrong_codes_open_nothing_and_the_client_is_stopped() {
    let (store, _folder) = stores().await.into_iter().next().unwrap();
    let mut door = Door::of(&store).await;
    let (mut looked_at, mut stopped) = (0, 0);
    for number in 0..10_000 {
        if number % 2_000 == 0 {
            door.now += Duration::hours(1);
            door.asks(READER, "cookie").await;
        }
        match door.types(&format!("{number:08}"), "cookie", HERE).await {
            Ok(_) => panic!("{number:08} opened it"),
            Err(Unopened::Dead) => looked_at += 1,
            Err(Unopened::TooManyTries) => stopped += 1,
        }
    }
    assert_eq!((looked_at, stopped), (5 * 30, 10_000 - 5 * 30), "30 an hour are heard at all");
    assert_eq!(door.sessions().await, 0);
}

#[tokio::test]
async fn a_link_holds_for_ten_minutes_and_not_before_it_was_made() {
    for (store, _folder) in stores().await {
        let mut door = Door::of(&store).await;
        let asked = door.now;
        let (token, _) = door.asks(READER, "cookie").await;
        for (at, expected) in [
            (asked + SIGN_IN_WITHIN + Duration::seconds(1), None),
            (asked - Duration::hours(2), None),
            (asked + SIGN_IN_WITHIN - Duration::seconds(1), Some(true)),
        ] {
            door.now = at;
            let link = door.asker(HERE).open_link(&token, Some("cookie")).await.unwrap();
            assert_eq!(link.map(|link| link.is_same_browser), expected);
            assert_eq!(door.follows(&token, "cookie", "session").await.is_ok(), expected.is_some());
        }
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_or_old() {
    for (store, _folder) in stores().await {
        let door = Door::of(&store).await;
        let (token, _) = door.asks(READER, "cookie").await;
        door.follows(&token, "cookie", "session").await.unwrap();
        let began = door.now;
        let holds = async |days: i64| session(&store, "session", began + Duration::days(days)).await.unwrap().is_some();
        assert!(!holds(15).await, "idle for too long");
        assert!(!holds(-1).await, "from a time when it had not begun");
        for days in [13, 26, 29] {
            assert!(holds(days).await, "seen every few days");
        }
        assert!(!holds(30).await, "its time is over");
        assert!(session(&store, "another", began).await.unwrap().is_none());
        assert!(!store.forget_the_past(began + Duration::days(31)).await.unwrap());
        let rows = "SELECT id FROM sessions UNION ALL SELECT id FROM flows";
        assert!(!store.has_any(rows, vec![]).await.unwrap(), "what is over is forgotten");
    }
}

#[tokio::test]
async fn what_happened_is_remembered_without_what_it_was_done_with() {
    for (store, _folder) in stores().await {
        let mut door = Door::of(&store).await;
        let (token, code) = door.asks(READER, "cookie").await;
        door.asks(READER, "cookie").await;
        door.asks("unknown@example.com", "cookie").await;
        assert!(door.types("0000-0000", "cookie", HERE).await.is_err());
        door.follows(&token, "cookie", "session").await.unwrap();
        let who = session(&store, "session", door.now).await.unwrap().unwrap();
        door.now += Duration::seconds(1);
        store.sign_out(&who, None, door.now).await.unwrap();
        assert_eq!(session(&store, "session", door.now).await.unwrap(), None);
        let events = store.account_events(&who.subscriber, 10).await.unwrap();
        let mut shown: Vec<_> = events.iter().map(|event| format!("{} {}", event.event, event.detail)).collect();
        shown.sort();
        let expected = [
            "sign-in-asked ", "sign-in-failed wrong code", "sign-in-not-mailed limit", "signed-in link, Firefox",
            "signed-out everywhere",
        ];
        assert_eq!(shown, expected);
        let all = "SELECT id || event || coalesce(subscriber, '') || who || detail FROM audit
            UNION ALL SELECT id || id_hash || browser FROM sessions
            UNION ALL SELECT id || payload || token_hash || coalesce(code_hash, '') || browser_hash FROM flows";
        let all = store.rows::<String>(all, vec![]).await.unwrap().concat();
        assert!(all.contains("r…@e….com"));
        for secret in [READER, &token, &code, "cookie", "session"] {
            assert!(!all.contains(secret), "{secret}");
        }
    }
}
