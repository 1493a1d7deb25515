//! What the mails say that somebody asked for by an act of theirs.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tera::Context;

use super::Imprint;
use super::context::Moment;
use super::mail::{Letter, NoticeMail, notice_context};
use super::sample::Sample;
use super::theme::RenderError;

/// What a reader is mailed who wants to sign in.
#[derive(Debug, Clone)]
pub struct SignInMail<'a> {
    /// The link, from scheme to token.
    pub sign_in_address: &'a str,
    /// The code, as it is shown.
    pub code: &'a str,
    /// The family of the browser that asked; empty: unknown.
    pub browser: &'a str,
    /// When somebody asked.
    pub requested_at: DateTime<Utc>,
    /// How long link and code work.
    pub minutes: i64,
}

#[derive(Serialize)]
struct SignIn {
    sign_in_address: String,
    code: String,
    browser: String,
    requested: Moment,
    minutes: i64,
}

/// The notice that lets a reader sign in.
pub fn sign_in(imprint: &Imprint<'_>, request: &SignInMail<'_>) -> Result<NoticeMail, RenderError> {
    letter(imprint, request).printed(imprint)
}

/// What the owner of an address is mailed to which an account is to move, or from which it has moved.
#[derive(Debug, Clone)]
pub struct AddressMail<'a> {
    /// The link that moves it, or moves it back; from scheme to token.
    pub link: &'a str,
    /// Whether it moves it back.
    pub is_back: bool,
    /// How long the link works.
    pub hours: i64,
    /// When the move was asked for, or done.
    pub at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Address {
    link: String,
    is_back: bool,
    hours: i64,
    at: Moment,
}

/// The notice that confirms a new address, or says at the old one that it was changed (OWASP ASVS 5.0, 6.3.7).
pub fn address(imprint: &Imprint<'_>, request: &AddressMail<'_>) -> Result<NoticeMail, RenderError> {
    address_letter(imprint, request).printed(imprint)
}

fn address_letter(imprint: &Imprint<'_>, request: &AddressMail<'_>) -> Letter<Address> {
    let mut mail = notice_context(imprint, request.at);
    mail.home_address.clear();
    mail.links.clear();
    let AddressMail { link, is_back, hours, .. } = *request;
    let content = Address { link: link.to_owned(), is_back, hours, at: mail.date.clone() };
    Letter { folder: "address", mail, content }
}

fn letter(imprint: &Imprint<'_>, request: &SignInMail<'_>) -> Letter<SignIn> {
    // One link and no other: it is clear what is clicked, and nothing else to click by mistake.
    let mut mail = notice_context(imprint, request.requested_at);
    mail.home_address.clear();
    mail.links.clear();
    let content = SignIn {
        sign_in_address: request.sign_in_address.to_owned(),
        code: request.code.to_owned(),
        browser: request.browser.to_owned(),
        requested: mail.date.clone(),
        minutes: request.minutes,
    };
    Letter { folder: "sign-in", mail, content }
}

/// Each of these templates with what it is given.
pub(super) fn samples(sample: &Sample<'_>) -> Vec<(String, Context)> {
    let request = SignInMail {
        sign_in_address: "https://example.com/sign-in/token",
        code: "7Q4M-X2VD",
        browser: "Firefox · Linux",
        requested_at: sample.at,
        minutes: 10,
    };
    let address = |is_back| {
        let link = "https://example.com/address/token";
        address_letter(&sample.imprint, &AddressMail { link, is_back, hours: 24, at: sample.at }).samples()
    };
    [letter(&sample.imprint, &request).samples(), address(false), address(true)].concat()
}
