//! Reads `[mail.dkim]`: the keys that mail is signed with (RFC 6376).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::diagnostic::{Wrong, codes};
use crate::model::{EmailAddress, Newsletter};

use super::section::Section;

/// `[mail.dkim]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dkim {
    /// Who vouches for the mail; none: the domain that each is from.
    pub domain: Option<String>,
    /// The first of each kind signs what is new, the others only again what they have signed. None: nothing is signed.
    pub keys: Vec<DkimKey>,
}

/// One of `[[mail.dkim.keys]]`, ready to sign.
#[derive(Debug, Clone)]
pub struct DkimKey {
    /// Under which name its public half is in DNS.
    pub selector: String,
    /// The file that it was read from.
    pub file: String,
    /// What signs; its Debug shows the public half alone.
    pub pair: Arc<Pair>,
    public: String,
}

/// The two kinds of keys (RFC 6376, 3.3; RFC 8463).
#[derive(Debug)]
pub enum Pair {
    /// Of 2048 bits or more (RFC 8301, 3.2).
    Rsa(RsaKeyPair),
    /// For those who verify it; the others have RSA.
    Ed25519(Ed25519KeyPair),
}

/// Who signs a mail, and for whom. Its Display names them, so that the same can sign again.
#[derive(Debug, PartialEq, Eq)]
pub struct Signers<'a> {
    /// The domain that vouches (`d=`).
    pub domain: String,
    /// Each adds a signature.
    pub keys: Vec<&'a DkimKey>,
}

impl Dkim {
    /// Who signs a mail from `from_domain`: those who signed it `before`, if all their keys are still here.
    pub fn signers(&self, from_domain: &str, before: Option<&str>) -> Signers<'_> {
        if let Some((domain, selectors)) = before.map(|before| before.split_once(' ').unwrap_or_default()) {
            let known = |selector: &str| self.keys.iter().find(|key| key.selector == selector);
            if let Some(keys) = selectors.split_terminator(' ').map(known).collect() {
                return Signers { domain: domain.to_owned(), keys };
            }
        }
        let mut keys: Vec<&DkimKey> = Vec::new();
        for key in &self.keys {
            if keys.iter().all(|taken| taken.algorithm() != key.algorithm()) {
                keys.push(key);
            }
        }
        Signers { domain: self.domain.as_deref().unwrap_or(from_domain).to_owned(), keys }
    }
}

impl DkimKey {
    /// Takes a private key as PEM (PKCS #8, or PKCS #1 for RSA); none: it is not one that signs mail.
    pub fn read(selector: String, file: String, pem: &str) -> Option<DkimKey> {
        let (pair, public) = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
            PrivateKeyDer::Pkcs8(der) => match Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der()) {
                Ok(pair) => ed25519(pair),
                Err(_) => rsa(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?)?,
            },
            PrivateKeyDer::Pkcs1(der) => rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()).ok()?)?,
            _ => return None,
        };
        Some(DkimKey { selector, file, pair: Arc::new(pair), public })
    }

    /// How it signs, as `a=` says it.
    pub fn algorithm(&self) -> &'static str {
        match *self.pair {
            Pair::Rsa(_) => "rsa-sha256",
            Pair::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// What has to be in DNS at `SELECTOR._domainkey.DOMAIN` as TXT (RFC 6376, 3.6.1; RFC 8463, 4).
    pub fn record(&self) -> String {
        format!("v=DKIM1; k={}; p={}", self.algorithm().trim_end_matches("-sha256"), self.public)
    }
}

fn rsa(pair: RsaKeyPair) -> Option<(Pair, String)> {
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    let public = BASE64.encode(public.as_ref());
    Some((Pair::Rsa(pair), public))
}

fn ed25519(pair: Ed25519KeyPair) -> (Pair, String) {
    let public = BASE64.encode(pair.public_key());
    (Pair::Ed25519(pair), public)
}

/// The same name, file and public half.
impl PartialEq for DkimKey {
    fn eq(&self, other: &DkimKey) -> bool {
        (&self.selector, &self.file, &self.public) == (&other.selector, &other.file, &other.public)
    }
}

impl Eq for DkimKey {}

impl fmt::Display for Signers<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.keys.is_empty() {
            formatter.write_str(&self.domain)?;
        }
        self.keys.iter().try_for_each(|key| write!(formatter, " {}", key.selector))
    }
}

pub(super) fn dkim(section: Section<'_>, newsletters: &[Newsletter]) -> Dkim {
    let domain = section.value("domain", domain);
    if let Some(domain) = &domain
        && let Some(stranger) =
            newsletters.iter().find(|newsletter| !is_within(newsletter.from.address.domain(), domain))
    {
        let message = format!("`{}` is not from this domain, so that its signatures mean nothing", stranger.id);
        let help = "name a domain that all newsletters are from, or leave the line out";
        section.note("domain", Wrong::new(&codes::SETTINGS_DKIM, message, help));
    }
    let mut taken = BTreeSet::new();
    Dkim { domain, keys: section.sections("keys").into_iter().filter_map(|section| key(section, &mut taken)).collect() }
}

/// Whether `domain` is `parent` or below it (RFC 7489, 3.1.1: relaxed alignment).
fn is_within(domain: &str, parent: &str) -> bool {
    domain.strip_suffix(parent).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn key(section: Section<'_>, taken: &mut BTreeSet<String>) -> Option<DkimKey> {
    let selector = section.needed("selector", |text| {
        // A selector is labels of a domain (RFC 6376, 3.1).
        let name = domain(&format!("{text}.example")).map(|name| name.trim_end_matches(".example").to_owned());
        name.map_err(|_| {
            Wrong::new(&codes::SETTINGS_DKIM, format!("`{text}` is no selector"), "write it like `2026-11`")
        })
    });
    let file = section.needed("key-file", |file| Ok(file.to_owned()));
    let (selector, file, (pem, _)) = (selector?, file?, section.secret("", "key-file")?);
    if !taken.insert(selector.clone()) {
        let help = "give each key a selector of its own";
        section.note("selector", Wrong::new(&codes::SETTINGS_DKIM, "this selector is taken further up", help));
        return None;
    }
    let key = DkimKey::read(selector, file, pem.reveal());
    if key.is_none() {
        let help = "use RSA of 2048 to 8192 bits or Ed25519, as PEM without a password; `pressrun dkim new` makes both";
        let message = "there is no key in it that mail is signed with";
        section.note("key-file", Wrong::new(&codes::SETTINGS_DKIM, message, help));
    }
    key
}

fn domain(text: &str) -> Result<String, Wrong> {
    let address = EmailAddress::parse(&format!("postmaster@{text}"));
    address.map(|address| address.domain().to_owned()).map_err(|_| {
        Wrong::new(&codes::SETTINGS_DKIM, format!("`{text}` is not a domain"), "write it like `example.com`")
    })
}
