//! What the pages show to readers who sign in, and have signed in.

use serde::Serialize;

use super::context::Moment;
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

/// Each of these pages, with something of everything.
pub(super) fn samples() -> Vec<ReaderPage> {
    let (text, email) = (|text: &str| text.to_owned(), "reader@example.com".to_owned());
    let error = |field| vec![FieldError { field, message: text("type it again") }];
    let at = Moment { minute: text("23 November 2026, 08:00"), ..Moment::default() };
    let browser = text("Firefox · Linux");
    let session = SessionLine { id: text("17"), browser, signed_in: at.clone(), seen: at, is_this: true };
    let link = |is_same_browser| ReaderPage::SignInLink {
        token: text("token"),
        email: text("reader@example.com"),
        code: text("7Q4M-X2VD"),
        is_same_browser,
    };
    vec![
        ReaderPage::SignIn { action: text("/sign-in?next=/account"), email: email.clone(), errors: error("email") },
        ReaderPage::SignInCode {
            notices: vec![Notice::new(NoticeKind::CheckYourMail, vec![])],
            minutes: 10,
            errors: error("code"),
        },
        link(true),
        link(false),
        ReaderPage::SignInExpired,
        ReaderPage::Account {
            notices: vec![Notice::new(NoticeKind::SignedIn, vec![])],
            email,
            sessions: vec![session.clone(), SessionLine { browser: String::new(), is_this: false, ..session }],
        },
    ]
}
