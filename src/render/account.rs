//! What the pages show to readers who sign in, and have signed in.

use serde::Serialize;

use super::billing::{MembershipPart, sample_memberships};
use super::choices::{ChoicesForm, Offer};
use super::context::{Moment, NamedAddress};
use super::pages::{FieldError, Notice, NoticeKind, ReaderPage};

/// One of a reader's sessions.
#[derive(Debug, Clone, Serialize)]
pub struct SessionLine {
    /// What ends it: the value of the field `session` of `POST /sign-out`.
    pub id: String,
    /// The browser's family; empty: unknown.
    pub browser: String,
    /// When they signed in.
    pub signed_in: Moment,
    /// When it was last seen.
    pub seen: Moment,
    /// Whether it is the one that looks.
    pub is_this: bool,
}

/// Everything that a reader sees and changes about themselves.
#[derive(Debug, Clone, Serialize)]
pub struct AccountPage {
    /// What has just happened.
    pub notices: Vec<Notice>,
    /// Their address.
    pub email: String,
    /// How they want to be called.
    pub name: String,
    /// Whose clock their hours are read from.
    pub zones: Vec<Offer>,
    /// The languages that there are words in.
    pub languages: Vec<Offer>,
    /// Their membership, if they have one.
    pub membership: Option<MembershipPart>,
    /// Where plans are shown, if any are sold.
    pub sells: bool,
    /// The address of their own feed, if they are a member.
    pub feed: Option<String>,
    /// The next mails: when, and of which newsletter.
    pub next_mails: Vec<(String, String)>,
    /// What they get.
    pub newsletters: Vec<ChoicesForm>,
    /// What they could get: the title, and the id as address.
    pub others: Vec<NamedAddress>,
    /// Whether they signed in a moment ago; else they are asked to before their address changes.
    pub is_recent: bool,
    /// What has to be put right.
    pub errors: Vec<FieldError>,
    /// Where they have signed in.
    pub sessions: Vec<SessionLine>,
}

/// Each of these pages, with something of everything.
pub(super) fn samples(form: ChoicesForm) -> Vec<ReaderPage> {
    let (text, email) = (|text: &str| text.to_owned(), "reader@example.com".to_owned());
    let error = |field| vec![FieldError { field, message: text("type it again") }];
    let at = Moment { minute: text("23 November 2026, 08:00"), ..Moment::default() };
    let browser = text("Firefox · Linux");
    let session = SessionLine { id: text("17"), browser, signed_in: at.clone(), seen: at.clone(), is_this: true };
    let link = |is_same_browser| ReaderPage::SignInLink {
        token: text("token"),
        email: text("reader@example.com"),
        code: text("7Q4M-X2VD"),
        is_same_browser,
    };
    let zone = Offer::new("Europe/Berlin", "Europe/Berlin", true);
    let account = AccountPage {
        notices: vec![Notice::new(NoticeKind::SignedIn, vec![])],
        email: email.clone(),
        name: text("Ada"),
        zones: vec![zone],
        languages: vec![Offer::new("de", "Deutsch", true)],
        membership: None,
        sells: true,
        feed: Some(text("https://example.com/feed/token")),
        next_mails: vec![(at.minute, text("The Wire"))],
        others: vec![NamedAddress::new("The Weekly", "weekly")],
        newsletters: vec![form],
        is_recent: true,
        errors: [error("pause"), error("email")].concat(),
        sessions: vec![session.clone(), SessionLine { browser: String::new(), is_this: false, ..session }],
    };
    let address = |is_back| ReaderPage::Address { token: text("token"), email: text("reader@example.com"), is_back };
    let members = sample_memberships().into_iter();
    let members = members.map(|part| AccountPage { membership: Some(part), ..account.clone() });
    let mut pages: Vec<ReaderPage> = members.map(|page| ReaderPage::Account(Box::new(page))).collect();
    pages.extend([
        ReaderPage::SignIn { action: text("/sign-in?next=/account"), email, errors: error("email") },
        ReaderPage::SignInCode {
            notices: vec![Notice::new(NoticeKind::CheckYourMail, vec![])],
            minutes: 10,
            errors: error("code"),
        },
        link(true),
        link(false),
        ReaderPage::SignInExpired,
        ReaderPage::Account(Box::new(AccountPage { is_recent: false, ..account.clone() })),
        ReaderPage::Account(Box::new(account)),
        address(false),
        address(true),
        ReaderPage::Erase { is_recent: true, pays: true },
        ReaderPage::Erase { is_recent: false, pays: false },
        ReaderPage::Erased,
    ]);
    pages
}
