//! The pages on which readers act: sign up, confirm, leave; what happened; what went wrong; the outbox.
//!
//! Whoever answers a request brings the facts; here is only how they are put. No page needs a script.

use serde::{Deserialize, Serialize};
use tera::Context;

use super::Imprint;
use super::account::{self, AccountPage};
use super::billing::{self, PlansPage, SwitchPage};
use super::choices::ChoicesForm;
use super::context::{PageMeta, SignUp, SiteContext, context, page_context};
use super::sample::Sample;
use super::theme::RenderError;

/// A page on which a reader acts, or is told what happened.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum ReaderPage {
    /// The sign-up form: `POST /subscribe`.
    Subscribe(SignUpPage),
    /// What a confirmation link shows: a button, `POST /confirm/TOKEN`.
    Confirm {
        /// The link's token.
        token: String,
        /// What is confirmed: each newsletter and how often it comes.
        newsletters: Vec<(String, String)>,
    },
    /// What a goodbye link shows: a button, `POST /unsubscribe/TOKEN`.
    Unsubscribe {
        /// The link's token.
        token: String,
        /// The newsletter's title.
        newsletter: String,
    },
    /// What was chosen about a newsletter, to be changed: `POST /preferences/TOKEN`.
    Preferences(Box<Preferences>),
    /// The form to sign in: `POST /sign-in`.
    SignIn {
        /// Where the form is sent, with the page to go to.
        action: String,
        /// The address as it was typed.
        email: String,
        /// What has to be put right.
        errors: Vec<FieldError>,
    },
    /// The form for the mailed code: `POST /sign-in/code`.
    SignInCode {
        /// That a mail is on its way, just after it was asked for.
        notices: Vec<Notice>,
        /// How long link and code work.
        minutes: i64,
        /// What is wrong with the code.
        errors: Vec<FieldError>,
    },
    /// What a link to sign in shows: a button, `POST /sign-in/TOKEN`.
    SignInLink {
        /// The link's token.
        token: String,
        /// Who would sign in.
        email: String,
        /// The code, for the browser that asked.
        code: String,
        /// Whether this browser is the one that asked.
        is_same_browser: bool,
    },
    /// A link to sign in that is unknown, used or too old.
    SignInExpired,
    /// A reader's account.
    Account(Box<AccountPage>),
    /// What a link to a new address, or back to the old one, shows: a button, `POST /address/TOKEN`.
    Address {
        /// The link's token.
        token: String,
        /// The address that the account would have.
        email: String,
        /// Whether it is the one that it had before.
        is_back: bool,
    },
    /// What erasing means, and a button: `POST /account/erase`.
    Erase {
        /// Whether the reader signed in a moment ago; else they are asked to.
        is_recent: bool,
        /// Whether they pay for a membership.
        pays: bool,
    },
    /// The reader is erased.
    Erased,
    /// What can be bought: `POST /billing/checkout`, or `POST /billing/switch` for whoever has bought.
    Plans(PlansPage),
    /// What going over to another plan costs: `POST /billing/switch` again does it.
    Switch(Box<SwitchPage>),
    /// On the way to a page of the payment provider.
    HandOver {
        /// Where it is.
        address: String,
    },
    /// What happened.
    Notices {
        /// In order.
        notices: Vec<Notice>,
    },
    /// A link that is unknown, used or too old: one page for all of them, so that it tells nothing.
    Expired,
    /// A goodbye link that is nobody's: cut short, forged, or of somebody who was erased.
    NobodysLeave,
    /// What went wrong.
    Problem {
        /// The HTTP status.
        status: u16,
        /// In a few words.
        title: String,
        /// What the reader can do.
        message: String,
        /// The number under which the log knows the cause; empty: none.
        request: String,
    },
    /// The mails in the outbox.
    OutboxList {
        /// The latest first.
        mails: Vec<OutboxEntry>,
    },
    /// One mail of the outbox.
    OutboxMail(OutboxMail),
}

/// The sign-up form as somebody filled it in.
#[derive(Debug, Clone, Serialize)]
pub struct SignUpPage {
    /// What can be chosen, and what is.
    pub sign_up: SignUp,
    /// The address as it was typed.
    pub email: String,
    /// A name, which our own form does not ask for.
    pub name: String,
    /// What has to be put right.
    pub errors: Vec<FieldError>,
    /// The address that was probably meant; empty: the one that was typed.
    pub meant: String,
    /// Whether it was filled in on another site.
    pub is_from_elsewhere: bool,
}

/// What the link in an issue shows of what its reader chose.
#[derive(Debug, Clone, Serialize)]
pub struct Preferences {
    /// What was done just now.
    pub notices: Vec<Notice>,
    /// The newsletter's title.
    pub newsletter: String,
    /// What can be chosen; none once the reader has left.
    pub form: Option<ChoicesForm>,
    /// Whether there are other newsletters to leave.
    pub has_others: bool,
    /// What has to be put right.
    pub errors: Vec<FieldError>,
}

/// A field of a form that has to be put right.
#[derive(Debug, Clone, Serialize)]
pub struct FieldError {
    /// `email`, `newsletter` or `cadence`.
    pub field: &'static str,
    /// What to do about it.
    pub message: String,
}

/// Something that a reader has just done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    /// What it is.
    pub kind: NoticeKind,
    /// The newsletters that it is about.
    pub names: Vec<String>,
    /// What follows from it, in sentences.
    pub lines: Vec<String>,
    /// How to take it back, or to ask for it again.
    pub undo: Option<UndoForm>,
}

/// What a notice reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A link is on its way to the address.
    CheckYourMail,
    /// Welcome back.
    SignedIn,
    /// The address is confirmed for the first time.
    SignedUp,
    /// The newsletters come from now on.
    Subscribed,
    /// The link does not work any more.
    LinkExpired,
    /// The newsletters do not come any more.
    Left,
    /// A choice was kept.
    Saved,
    /// A link is on its way to the new address of an account.
    NewAddress,
    /// The account has another address.
    AddressMoved,
    /// The payment provider says that what is paid, or by what, has changed.
    BillingUpdated,
    /// The payment provider says that nothing has changed.
    BillingNotUpdated,
}

/// A button that takes something back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UndoForm {
    /// Where the form is sent.
    pub action: String,
    /// The value of its field `token`.
    pub token: String,
}

/// A mail in the outbox, as the list shows it.
#[derive(Debug, Clone, Serialize)]
pub struct OutboxEntry {
    /// The delivery's id: its page is `/outbox/ID/`.
    pub id: String,
    /// To whom.
    pub to: String,
    /// What about.
    pub subject: String,
    /// When, as people write it.
    pub date: String,
}

/// A mail in the outbox.
#[derive(Debug, Clone, Serialize)]
pub struct OutboxMail {
    /// What the list shows of it.
    pub mail: OutboxEntry,
    /// From whom.
    pub from: String,
    /// Where its HTML part is served by itself.
    pub html_address: String,
    /// Its text part.
    pub text: String,
    /// Where the whole message is served.
    pub raw_address: String,
    /// The addresses that it links to.
    pub links: Vec<String>,
}

/// The HTML of a page on which a reader acts.
pub fn reader_page(imprint: &Imprint<'_>, reader: &ReaderPage) -> Result<String, RenderError> {
    // The outbox is for whoever tries the program.
    let is_ours = matches!(reader, ReaderPage::OutboxList { .. } | ReaderPage::OutboxMail(_));
    let in_english = || {
        let Imprint { theme, settings, catalog, base_url, .. } = *imprint;
        Imprint::new(theme, settings, catalog, base_url).speaking(theme.english())
    };
    let ours = is_ours.then(in_english);
    let imprint = ours.as_ref().unwrap_or(imprint);
    let (template, context) = reader.sheet(imprint, &SiteContext::new(imprint));
    imprint.render(template, &context)
}

/// The key of what happened, in few words: the last of several says what they came to.
fn heading(notices: &[Notice]) -> &'static str {
    match notices.last().map(|notice| notice.kind) {
        Some(NoticeKind::CheckYourMail) => "check-your-mail-title",
        Some(NoticeKind::SignedIn) => "signed-in-title",
        Some(NoticeKind::SignedUp) => "signed-up-title",
        Some(NoticeKind::Subscribed) => "subscribed-title",
        Some(NoticeKind::LinkExpired) => "expired-title",
        Some(NoticeKind::Left) => "left-title",
        Some(NoticeKind::NewAddress) => "check-your-mail-title",
        Some(NoticeKind::AddressMoved) => "address-moved-title",
        Some(NoticeKind::BillingUpdated) => "billing-updated-title",
        Some(NoticeKind::BillingNotUpdated) => "billing-not-updated-title",
        Some(NoticeKind::Saved) | None => "saved-title",
    }
}

/// Each of these templates with what it is given.
pub(super) fn samples(sample: &Sample<'_>) -> Vec<(String, Context)> {
    let site = SiteContext::new(&sample.imprint);
    let pages = ReaderPage::samples(&site.sign_up, sample.choices()).into_iter();
    let sheets = pages.map(|page| page.sheet(&sample.imprint, &site));
    sheets.map(|(template, context)| (template.to_owned(), context)).collect()
}

impl SignUpPage {
    /// The form as it is first shown.
    pub fn new(sign_up: SignUp) -> SignUpPage {
        let (email, name) = (String::new(), String::new());
        SignUpPage { sign_up, email, name, errors: Vec::new(), meant: String::new(), is_from_elsewhere: false }
    }
}

impl Notice {
    /// A notice about these newsletters that nothing follows from.
    pub fn new(kind: NoticeKind, names: Vec<String>) -> Notice {
        Notice { kind, names, lines: Vec::new(), undo: None }
    }
}

impl Preferences {
    fn title(&self) -> &'static str {
        if self.notices.is_empty() { "preferences-title" } else { heading(&self.notices) }
    }
}

fn outbox_samples() -> Vec<ReaderPage> {
    let text = |text: &str| text.to_owned();
    let mail = OutboxEntry {
        id: text("17"),
        to: text("reader@example.com"),
        subject: text("A headline"),
        date: text("23 November 2026, 08:00"),
    };
    vec![
        ReaderPage::OutboxList { mails: vec![mail.clone()] },
        ReaderPage::OutboxMail(OutboxMail {
            mail,
            from: text("The Wire <wire@example.com>"),
            html_address: text("/outbox/17/html"),
            text: text("Good morning."),
            raw_address: text("/outbox/17/eml"),
            links: vec![text("https://example.com/")],
        }),
    ]
}

impl ReaderPage {
    /// Its template, and what that is given.
    pub(super) fn sheet(&self, imprint: &Imprint<'_>, site: &SiteContext) -> (&'static str, Context) {
        let say = |key| imprint.words.say(key, &[]);
        let (template, title) = match self {
            ReaderPage::Subscribe(page) if page.errors.is_empty() => ("site/subscribe.html", say("subscribe")),
            ReaderPage::Subscribe(_) => ("site/subscribe.html", say("form-mistake-title")),
            ReaderPage::Confirm { .. } => ("site/confirm.html", say("confirm")),
            ReaderPage::Unsubscribe { .. } => ("site/unsubscribe.html", say("leave")),
            ReaderPage::Preferences(page) => ("site/preferences.html", say(page.title())),
            ReaderPage::SignIn { .. } => ("site/sign_in.html", say("sign-in")),
            ReaderPage::SignInCode { .. } => ("site/sign_in_code.html", say("check-your-mail-title")),
            ReaderPage::SignInLink { .. } => ("site/sign_in_link.html", say("sign-in")),
            ReaderPage::SignInExpired => ("site/sign_in_expired.html", say("expired-title")),
            ReaderPage::Account(_) => ("site/account.html", say("account")),
            ReaderPage::Address { is_back: false, .. } => ("site/address.html", say("new-address-title")),
            ReaderPage::Address { .. } => ("site/address.html", say("old-address-title")),
            ReaderPage::Erase { .. } => ("site/erase.html", say("erase-title")),
            ReaderPage::Erased => ("site/erased.html", say("erased-mail-kind")),
            ReaderPage::Plans(page) if page.has_one => ("site/plans.html", say("plans-other")),
            ReaderPage::Plans(_) => ("site/plans.html", say("plans")),
            ReaderPage::Switch(_) => ("site/switch.html", say("switch-title")),
            ReaderPage::HandOver { .. } => ("site/hand_over.html", say("hand-over-title")),
            ReaderPage::Notices { notices } => ("site/notices.html", say(heading(notices))),
            ReaderPage::Expired => ("site/expired.html", say("expired-title")),
            ReaderPage::NobodysLeave => ("site/nobodys_leave.html", say("nobodys-leave-title")),
            ReaderPage::Problem { title, .. } => ("site/problem.html", title.clone()),
            ReaderPage::OutboxList { .. } => ("site/outbox.html", "Outbox".to_owned()),
            ReaderPage::OutboxMail(OutboxMail { mail, .. }) => ("site/outbox_mail.html", mail.subject.clone()),
        };
        let page = PageMeta::new(site, &title, "", "");
        (template, page_context(site, Some(page), context(self)))
    }

    pub(super) fn samples(sign_up: &SignUp, form: ChoicesForm) -> Vec<ReaderPage> {
        use NoticeKind::{
            AddressMoved, BillingNotUpdated, BillingUpdated, CheckYourMail, Left, LinkExpired, NewAddress, Saved,
            SignedIn, SignedUp, Subscribed,
        };
        let text = |text: &str| text.to_owned();
        let (token, newsletter) = (text("token"), text("The Wire"));
        let undo = UndoForm { action: text("/unsubscribe/token"), token: token.clone() };
        let lines = vec![text("The Wire: each article comes at once.")];
        let notice = |kind| Notice {
            lines: lines.clone(),
            undo: Some(undo.clone()),
            ..Notice::new(kind, vec![newsletter.clone()])
        };
        let kinds = [CheckYourMail, NewAddress, AddressMoved, SignedIn, SignedUp, Subscribed, LinkExpired, Left, Saved];
        let notices = kinds.into_iter().chain([BillingUpdated, BillingNotUpdated]).map(notice).collect();
        let error = |field| FieldError { field, message: text("type it again") };
        let preferences = Preferences {
            notices: vec![notice(Left)],
            newsletter: newsletter.clone(),
            form: Some(form.clone()),
            has_others: true,
            errors: vec![error("pause")],
        };
        let pages = vec![
            ReaderPage::Subscribe(SignUpPage {
                email: text("reader@example.com"),
                name: text("Ada"),
                errors: ["email", "newsletter", "cadence"].map(error).to_vec(),
                is_from_elsewhere: true,
                ..SignUpPage::new(sign_up.clone())
            }),
            ReaderPage::Subscribe(SignUpPage {
                email: text("reader@gmial.com"),
                meant: text("reader@gmail.com"),
                ..SignUpPage::new(sign_up.clone())
            }),
            ReaderPage::Confirm { token: token.clone(), newsletters: vec![(newsletter.clone(), text("daily"))] },
            ReaderPage::Unsubscribe { token, newsletter: newsletter.clone() },
            ReaderPage::Preferences(preferences.clone().into()),
            ReaderPage::Preferences(Box::new(Preferences { form: None, ..preferences })),
            ReaderPage::Notices { notices: vec![notice(CheckYourMail)] },
            ReaderPage::Notices { notices },
            ReaderPage::Expired,
            ReaderPage::NobodysLeave,
            ReaderPage::Problem {
                status: 404,
                title: text("Not found"),
                message: text("Look in the archive."),
                request: text("17"),
            },
        ];
        [account::samples(form), billing::samples(), pages, outbox_samples()].concat()
    }
}
