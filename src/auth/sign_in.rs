//! Signing in: a link and a code in one mail, for the browser that asked.
//!
//! Follows OWASP ASVS 5.0, 6.5 and 6.6: ten minutes, single use, 256 bits in the link and 40 in the code, hashes at
//! rest, five wrong codes. Whoever asks, the answer and the work are the same for every address.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::model::EmailAddress;
use crate::render::{Imprint, Moment, NoticeText};
use crate::store::{Flow, NewSignIn, Proof, Result, Unopened, read_payload};

use super::session::{NewBrowser, begin};
use super::{Asked, Asker, ServerKeys, mac, token_hash};

/// How long link and code hold (OWASP ASVS 5.0, 6.5.5).
pub const SIGN_IN_WITHIN: Duration = Duration::minutes(10);
/// How long "send it again" knows to whom.
const ASKED_WITHIN: Duration = Duration::hours(1);
/// What tokens of signing in are signed for; the purpose of their flows.
pub const SIGN_IN: &str = "sign-in";
/// What a sign-in is counted under: for its client, for everybody, for its address.
const SCOPES: [&str; 3] = ["sign-in-client", "sign-in", "sign-in-address"];
/// Crockford's base 32: no letter that is read as another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What a flow carries from the request to the mail and to the page after it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Errand {
    /// The page of this site to go to, if one was asked for.
    pub next: Option<String>,
    /// The family of the browser that asked; empty: unknown.
    pub browser: String,
}

/// What somebody asks for on the page to sign in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// Who.
    pub email: EmailAddress,
    /// What it is for.
    pub errand: Errand,
    /// What the asking browser keeps: 256 bits that nobody can guess, as text.
    pub cookie: String,
    /// The language of the page, as BCP 47 names it.
    pub language: String,
}

/// What a mailed link opens, before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLink {
    /// Who would sign in, so that nobody is let into the account of another unawares.
    pub email: EmailAddress,
    /// Whether the browser is the one that asked.
    pub is_same_browser: bool,
    /// The code, for typing into the browser that asked.
    pub code: String,
}

impl Asker<'_> {
    /// Asks for a link and a code: the same rows for any address. `dice` are 256 bits that nobody can guess.
    pub async fn ask_to_sign_in(self, sign_in: SignIn, dice: [u8; 32]) -> Result<Asked> {
        let SignIn { email, errand, cookie, language } = sign_in;
        let asking = self.asking(SCOPES, &email);
        let sign_in = new_sign_in(self.keys, &errand, token_hash(&cookie), dice);
        self.asked(self.store.ask_to_sign_in(sign_in, (email, language), asking, self.now).await?).await
    }

    /// For whom and with what this browser asked within the last hour.
    pub async fn last_asked(self, cookie: &str) -> Result<Option<(EmailAddress, Errand)>> {
        let last = self.store.last_asked(&token_hash(cookie), self.now - ASKED_WITHIN).await?;
        last.map(|(email, payload)| Ok((email, read_payload(&payload)?))).transpose()
    }

    /// What a mailed link opens in the browser with this cookie; none for one that is unknown, used or too old. Changes
    /// nothing.
    pub async fn open_link(self, token: &str, cookie: Option<&str>) -> Result<Option<OpenLink>> {
        let browser_hash = token_hash(cookie.unwrap_or_default());
        let live = self.store.live_sign_in(&token_hash(token), &browser_hash, self.now).await?;
        Ok(live.map(|(email, is_same_browser)| OpenLink { email, is_same_browser, code: shown(&code_of(token)) }))
    }

    /// Uses a mailed link: of many at once, exactly one begins a session. In a browser that did not ask, only if that
    /// is meant; the code then goes on for the one that did.
    pub async fn by_link(
        self,
        (token, cookie, is_meant_here): (&str, Option<&str>, bool),
        browser: NewBrowser,
    ) -> Result<Result<Errand, Unopened>> {
        let browser_hash = token_hash(cookie.unwrap_or_default());
        let proof = Proof::Link { token_hash: token_hash(token), browser_hash, is_meant_here };
        finish(self.store.sign_in(proof, begin(browser, self.now), self.forged_links(), self.now).await?)
    }

    /// Uses a typed code, in the browser that asked. A wrong one counts against the flow and against the client.
    pub async fn by_code(self, (typed, cookie): (&str, &str), browser: NewBrowser) -> Result<Result<Errand, Unopened>> {
        let Asker { store, keys, now, .. } = self;
        let tries = self.wrong_codes();
        let tried = match store.try_code(token_hash(cookie), tries.clone(), now).await? {
            Err(Unopened::TooManyTries) => return Ok(Err(Unopened::TooManyTries)),
            Err(Unopened::Dead) => None,
            Ok(tried) => Some(tried),
        };
        let is_right =
            |(flow, kept): &(String, String)| keys.verifies("code", &format!("{flow}|{}", plain(typed)), kept);
        if let Some((flow, _)) = tried.clone().filter(is_right) {
            return finish(store.sign_in(Proof::Code { flow }, begin(browser, now), tries, now).await?);
        }
        store.wrong_code(tried.map(|(flow, _)| flow), tries, now).await?;
        Ok(Err(Unopened::Dead))
    }
}

/// A new link and code, for the browser with this hash. `dice` are 256 bits that nobody can guess.
pub fn new_sign_in(keys: &ServerKeys, errand: &Errand, browser_hash: String, dice: [u8; 32]) -> NewSignIn {
    let flow = URL_SAFE_NO_PAD.encode(dice);
    let token = keys.sign(SIGN_IN, &flow);
    NewSignIn {
        code_hash: keys.sign("code", &format!("{flow}|{}", code_of(&token))),
        browser_hash,
        payload: serde_json::json!(errand).to_string(),
        link: keys.follow_up(SIGN_IN, flow),
        within: SIGN_IN_WITHIN,
    }
}

fn finish(signed_in: Result<String, Unopened>) -> Result<Result<Errand, Unopened>> {
    signed_in.map_or_else(|why| Ok(Err(why)), |payload| read_payload(&payload).map(Ok))
}

/// What the mail with link and code says.
pub fn sign_in_text(imprint: &Imprint<'_>, flow: &Flow, token: &str) -> Result<NoticeText> {
    Ok(NoticeText::SignIn {
        sign_in_address: format!("{}/sign-in/{token}", imprint.base_url),
        code: shown(&code_of(token)),
        browser: flow.read::<Errand>()?.browser,
        requested: Moment::new(imprint, flow.created_at),
        minutes: SIGN_IN_WITHIN.num_minutes(),
    })
}

/// Eight characters, 40 bits (OWASP ASVS 5.0, 6.5.4), to be had only with the token.
pub(super) fn code_of(token: &str) -> String {
    let bits =
        mac(token.as_bytes(), "code", "").into_iter().take(5).fold(0_u64, |bits, byte| bits << 8 | u64::from(byte));
    (0..8).rev().map(|place| char::from(ALPHABET[usize::try_from(bits >> (5 * place) & 31).unwrap_or(0)])).collect()
}

/// As it is shown: two groups of four.
fn shown(code: &str) -> String {
    let (first, second) = code.split_at_checked(4).unwrap_or((code, ""));
    format!("{first}-{second}")
}

/// A code as it was meant: in any case, with spaces and dashes anywhere, and with letters that look like digits.
fn plain(typed: &str) -> String {
    let meant = |letter: char| match letter.to_ascii_uppercase() {
        'O' => Some('0'),
        'I' | 'L' => Some('1'),
        letter => letter.is_ascii_alphanumeric().then_some(letter),
    };
    typed.chars().take(64).filter_map(meant).collect()
}
