//! What the mails say that somebody asked for by an act of theirs.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tera::Context;

use super::Imprint;
use super::context::{Moment, context};
use super::mail::{Letter, NoticeMail, notice_context};
use super::sample::Sample;
use super::theme::RenderError;

/// What such a mail is about, as its templates are given it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum NoticeText {
    /// Asks a reader to confirm.
    Confirm {
        /// What is to be confirmed.
        subscriptions: Vec<ConfirmLine>,
        /// The link, from scheme to token.
        confirm_address: String,
        /// When somebody asked.
        requested: Moment,
        /// How many hours the link works.
        hours: i64,
    },
    /// Welcomes a reader who confirmed for the first time.
    Welcome {
        /// What comes to them.
        lines: Vec<WelcomeLine>,
    },
    /// The last mail to somebody who was erased.
    Erased {},
    /// What happened to a membership or to money.
    Bill(Box<BillText>),
    /// Tells editors that too much comes back.
    Stopped {
        /// `complaint`, `authentication` or `gone`.
        what: String,
        /// The titles of what has stopped.
        newsletters: String,
    },
    /// Lets a reader sign in.
    SignIn {
        /// The link, from scheme to token.
        sign_in_address: String,
        /// The code, as it is shown.
        code: String,
        /// The family of the browser that asked; empty: unknown.
        browser: String,
        /// When somebody asked.
        requested: Moment,
        /// How many minutes link and code work.
        minutes: i64,
    },
    /// Confirms a new address, or says at the old one that it was changed (OWASP ASVS 5.0, 6.3.7).
    Address {
        /// The link that moves the account, or moves it back; from scheme to token.
        link: String,
        /// Whether it moves it back.
        is_back: bool,
        /// How many hours the link works.
        hours: i64,
        /// When the move was asked for, or done.
        at: Moment,
    },
}

/// What is told about money.
#[derive(Debug, Clone, Serialize)]
pub struct BillText {
    /// `begun`, `paid`, `failed`, `given-back`, `cancelled` or `ended`.
    pub what: String,
    /// The plan's title.
    pub plan: String,
    /// What was paid, is to be paid, or was given back, with its currency.
    pub amount: String,
    /// When it happened.
    pub at: Moment,
    /// The next payment, or the next try of this one; none: there is none.
    pub next: Option<Moment>,
    /// Until when the reader may read.
    pub reads_until: Moment,
    /// Whether that is over, and the payment still missing.
    pub is_lapsed: bool,
    /// The page on which they change it.
    pub account_address: String,
    /// The page on which they buy.
    pub plans_address: String,
}

/// What a reader who confirms will get.
#[derive(Debug, Clone, Serialize)]
pub struct ConfirmLine {
    /// The newsletter's title.
    pub title: String,
    /// How often it comes.
    pub rhythm: String,
}

/// What comes to a new reader, and the link to choose otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct WelcomeLine {
    /// The newsletter's title.
    pub title: String,
    /// What comes next, in a sentence.
    pub next: String,
    /// The link, from scheme to token.
    pub preferences_address: String,
}

/// The notice of what was done at `at`.
pub fn notice(imprint: &Imprint<'_>, text: &NoticeText, at: DateTime<Utc>) -> Result<NoticeMail, RenderError> {
    letter(imprint, text, at).printed(imprint)
}

fn letter(imprint: &Imprint<'_>, text: &NoticeText, at: DateTime<Utc>) -> Letter {
    let mut mail = notice_context(imprint, at);
    // Where a link opens an account there is no other: it is clear what is clicked, and nothing else by mistake.
    if matches!(text, NoticeText::SignIn { .. } | NoticeText::Address { .. }) {
        mail.home_address.clear();
        mail.links.clear();
    }
    let folder = match text {
        NoticeText::Confirm { .. } => "confirm",
        NoticeText::Welcome { .. } => "welcome",
        NoticeText::Erased {} => "erased",
        NoticeText::Bill(_) => "bill",
        NoticeText::Stopped { .. } => "stopped",
        NoticeText::SignIn { .. } => "sign-in",
        NoticeText::Address { .. } => "address",
    };
    Letter { folder, mail, content: context(text) }
}

/// Each of these templates with what it is given.
pub(super) fn samples(sample: &Sample<'_>) -> Vec<(String, Context)> {
    let (requested, title) = (Moment::new(&sample.imprint, sample.at), &sample.newsletter.title);
    let text = |text: &str| text.to_owned();
    let address = |is_back| {
        let link = text("https://example.com/address/token");
        NoticeText::Address { link, is_back, hours: 24, at: requested.clone() }
    };
    let bill = |what: &str, next: bool| {
        NoticeText::Bill(Box::new(BillText {
            what: text(what),
            plan: text("Monthly"),
            amount: text("€5.00"),
            at: requested.clone(),
            next: next.then(|| requested.clone()),
            reads_until: requested.clone(),
            is_lapsed: what == "failed" && !next,
            account_address: text("https://example.com/account"),
            plans_address: text("https://example.com/plans"),
        }))
    };
    let stopped = |what: &str| NoticeText::Stopped { what: text(what), newsletters: title.clone() };
    let bills = ["begun", "paid", "failed", "given-back", "cancelled", "ended"];
    let bills = bills.into_iter().flat_map(|what| [bill(what, true), bill(what, false)]);
    let notices = [
        NoticeText::Confirm {
            subscriptions: vec![ConfirmLine { title: title.clone(), rhythm: text("each article at once") }],
            confirm_address: text("https://example.com/confirm/token"),
            requested: requested.clone(),
            hours: 72,
        },
        NoticeText::Welcome {
            lines: vec![WelcomeLine {
                title: title.clone(),
                next: text("Each article comes at once."),
                preferences_address: text("https://example.com/preferences/token"),
            }],
        },
        NoticeText::Erased {},
        NoticeText::SignIn {
            sign_in_address: text("https://example.com/sign-in/token"),
            code: text("7Q4M-X2VD"),
            browser: text("Firefox · Linux"),
            requested: requested.clone(),
            minutes: 10,
        },
        address(false),
        address(true),
        stopped("complaint"),
        stopped("policy"),
        stopped("authentication"),
        stopped("gone"),
    ];
    notices.into_iter().chain(bills).flat_map(|text| letter(&sample.imprint, &text, sample.at).samples()).collect()
}
