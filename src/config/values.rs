//! One value at a time: text in; out comes what it stands for, or what is wrong with it.

use std::net::{IpAddr, SocketAddr};

use chrono::{Duration, Weekday};
use ipnet::IpNet;
use url::{Host, Url};

use crate::diagnostic::{Wrong, codes, did_you_mean, nearest};
use crate::model::{EmailAddress, Money, Rate};
use crate::zone::Zone;

use super::{Encryption, Secret, Store, Topic, is_loopback};

/// How lengths of time are written, in seconds, from the longest.
const UNITS: [(&str, i64); 4] = [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60), ("s", 1)];

/// A length of time: `5m`, `24h`, `90s`, `2d`; at most ten years.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let wrong = || {
        let message = format!("`{text}` is not a length of time");
        Wrong::new(&codes::SETTINGS_DURATION, message, "write a whole number and `s`, `m`, `h` or `d`, such as `5m`")
    };
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let (_, seconds) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = number.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
    let duration = number.checked_mul(seconds).and_then(Duration::try_seconds).ok_or_else(wrong)?;
    if duration <= Duration::days(3660) { Ok(duration) } else { Err(wrong()) }
}

/// How a length of time is written: in days only from three on.
pub(super) fn duration_text(duration: Duration) -> String {
    let seconds = duration.num_seconds();
    let is_fitting = |length: i64| seconds % length == 0 && (seconds >= 3 * length || length < 24 * 60 * 60);
    let fitting = UNITS.into_iter().find(|(_, length)| seconds > 0 && is_fitting(*length));
    fitting.map_or_else(|| format!("{seconds}s"), |(unit, length)| format!("{}{unit}", seconds / length))
}

/// So many messages in a second, a minute, an hour or a day: `10/s`, `100/m`.
pub(super) fn rate(text: &str) -> Result<Rate, Wrong> {
    let wrong = || {
        let message = format!("`{text}` is not a number of messages in a time");
        Wrong::new(&codes::SETTINGS_VALUE, message, "write a whole number, `/`, and `s`, `m`, `h` or `d`: `100/m`")
    };
    let (messages, unit) = text.split_once('/').filter(|(_, unit)| unit.len() == 1).ok_or_else(wrong)?;
    let is_number = messages.bytes().all(|byte| byte.is_ascii_digit());
    let messages = messages.parse().ok().filter(|messages| is_number && (1..=1_000_000).contains(messages));
    let per = duration(&format!("1{unit}")).map_err(|_| wrong())?;
    Ok(Rate { messages: messages.ok_or_else(wrong)?, per })
}

/// How a number of messages in a time is written.
pub(super) fn rate_text(rate: Rate) -> String {
    format!("{}/{}", rate.messages, duration_text(rate.per).trim_start_matches(|letter: char| letter.is_ascii_digit()))
}

/// A length of time that is not nothing.
pub(super) fn some_time(text: &str) -> Result<Duration, Wrong> {
    let nothing = || Wrong::new(&codes::SETTINGS_DURATION, "this must be longer than nothing", "write `1s` or more");
    duration(text).and_then(|duration| if duration.is_zero() { Err(nothing()) } else { Ok(duration) })
}

/// A zone of the IANA database.
pub(super) fn zone(text: &str) -> Result<Zone, Wrong> {
    Zone::parse(text).ok_or_else(|| {
        let city = text.rsplit('/').next().unwrap_or(text).replace(' ', "_");
        let is_in_city = |name: &&str| name.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city));
        let likely = Zone::names().find(is_in_city).or_else(|| nearest(text, Zone::names()));
        let help = match likely {
            Some(name) => format!("did you mean `{name}`?"),
            None => "write a continent and a city of the IANA database, such as `Europe/Berlin`".to_owned(),
        };
        Wrong::new(&codes::SETTINGS_ZONE, format!("there is no time zone `{text}`"), help)
    })
}

/// Where readers find the publication: https, or http on this machine; nothing after the host.
pub(super) fn publication_url(text: &str) -> Result<Url, Wrong> {
    let url = web_url(text)?;
    let wrong = |message: &str, help: String| Err(Wrong::new(&codes::SETTINGS_URL, message, help));
    let host = url.host_str().unwrap_or_default();
    let bare = &url[..url::Position::BeforePath];
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return wrong("a publication has a host of its own, without a path after it", format!("write `{bare}`"));
    }
    if url.scheme() == "http" && !is_loopback(host) {
        let help = format!("write `https://{host}` and let a proxy before Pressrun hold the certificate");
        return wrong("readers' links would travel unencrypted: `http` is for this machine only", help);
    }
    Ok(url)
}

/// An http or https address.
pub(super) fn web_url(text: &str) -> Result<Url, Wrong> {
    let wrong = |message| Wrong::new(&codes::SETTINGS_URL, message, "write it like `https://example.com`");
    let url = Url::parse(text).map_err(|_| wrong(format!("`{text}` is not a web address")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("`{text}` is not an address on the web")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("a web address must not hold a name or a password".to_owned()));
    }
    Ok(url)
}

/// A short name that can stand in an address.
pub(super) fn short_name(text: &str) -> Result<String, Wrong> {
    let fits = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    let is_id = text.len() <= 64 && text.chars().all(fits) && !text.starts_with('-') && !text.ends_with('-');
    if is_id && !text.is_empty() {
        return Ok(text.to_owned());
    }
    let message = format!("`{text}` cannot be an id, because ids are part of addresses");
    let letters: String = text.to_lowercase().chars().map(|letter| if fits(letter) { letter } else { '-' }).collect();
    let words: Vec<&str> = letters.split('-').filter(|word| !word.is_empty()).collect();
    let help = match words.join("-") {
        id if id.is_empty() || id.len() > 64 => "use lower-case letters, digits and dashes, at most 64".to_owned(),
        id => format!("write `{id}`"),
    };
    Err(Wrong::new(&codes::SETTINGS_VALUE, message, help))
}

/// Control characters, the line breaks of Unicode, and marks that turn the direction of writing unseen: headers and
/// pages must not be steered by what an editor pastes.
pub fn is_unfit(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}')
        || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether `text` looks like a language tag (RFC 5646, 2.1); whether it is registered is not asked.
pub fn is_language_tag(text: &str) -> bool {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let first = text.split('-').next().unwrap_or_default();
    let is_language = (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_language && text.split('-').all(is_part)
}

/// A language tag.
pub(super) fn language(text: &str) -> Result<String, Wrong> {
    let help = "write the language's code, such as `en`, `de` or `pt-BR`";
    let wrong = || Wrong::new(&codes::SETTINGS_VALUE, format!("`{text}` is not a language tag"), help);
    if is_language_tag(text) { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// The days of the week, as they are written.
pub(super) const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];

/// One of a few words.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = did_you_mean(text, words.iter().copied(), format!("write one of `{}`", words.join("`, `")));
        Wrong::new(&codes::SETTINGS_VALUE, format!("`{text}` is not a word that is known here"), help)
    })
}

/// The word for `value`.
pub(super) fn word_for<T: PartialEq>(value: &T, words: &[(&'static str, T)]) -> Option<&'static str> {
    words.iter().find(|(_, known)| known == value).map(|(word, _)| *word)
}

/// What something costs: at least one of a currency's smallest unit.
pub(super) fn price(text: &str) -> Result<Money, Wrong> {
    Money::parse(text).filter(|price| price.minor > 0).ok_or_else(|| {
        let help = "write an amount and the code of its currency, such as `5 EUR` or `4.50 USD`";
        Wrong::new(&codes::SETTINGS_VALUE, format!("`{text}` is not a price"), help)
    })
}

/// A mail address.
pub(super) fn address(text: &str) -> Result<EmailAddress, Wrong> {
    EmailAddress::parse(text).map_err(|error| {
        Wrong::new(&codes::SETTINGS_ADDRESS, format!("`{text}` is not a mail address"), error.to_string())
    })
}

/// `news@example.com`, or `The Example <news@example.com>`.
pub(super) fn sender(text: &str) -> Result<(Option<String>, EmailAddress), Wrong> {
    let Some((name, rest)) = text.split_once('<') else { return Ok((None, address(text)?)) };
    let name = name.trim().trim_matches('"').trim();
    let inner = rest.trim_end().strip_suffix('>').ok_or_else(|| {
        let help = "write it like `The Example <news@example.com>`";
        Wrong::new(&codes::SETTINGS_ADDRESS, format!("`{text}` does not end in `>`"), help)
    })?;
    Ok(((!name.is_empty()).then(|| name.to_owned()), address(inner)?))
}

/// How long the local part of the mailbox for bounces may be: with `+` and the 49 characters that name a delivery, 64
/// octets are the most that servers take (RFC 5321, 4.5.3.1.1).
pub const LONGEST_MAILBOX: usize = 14;

/// The mailbox of bounces: room is needed for what tells one mail's from another's.
pub(super) fn bounces_to(text: &str) -> Result<EmailAddress, Wrong> {
    let mailbox = address(text)?;
    if mailbox.mailbox().user().len() <= LONGEST_MAILBOX {
        return Ok(mailbox);
    }
    let message = format!("the part before the `@` is longer than {LONGEST_MAILBOX} characters");
    Err(Wrong::new(&codes::SETTINGS_ADDRESS, message, "write a shorter one, such as `bounces@mail.example.com`"))
}

/// An address of this machine that nobody else reaches, with its port.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, Wrong> {
    let address: Option<SocketAddr> = text.parse().ok();
    address.filter(|address| address.ip().to_canonical().is_loopback()).ok_or_else(|| {
        let help = "write an address of this machine with a port, such as `127.0.0.1:2424`";
        Wrong::new(&codes::SETTINGS_ADDRESS, format!("`{text}` is not an address of this machine with a port"), help)
    })
}

/// A topic of SNS by its ARN; its host is that of its region.
pub(super) fn topic(text: &str) -> Result<Topic, Wrong> {
    let parts: Vec<&str> = text.split(':').collect();
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    match parts.as_slice() {
        ["arn", partition, "sns", region, account, name]
            if [partition, region, account, name].iter().all(|part| is_word(part)) && !region.contains('.') =>
        {
            let suffix = if *partition == "aws-cn" { ".cn" } else { "" };
            Ok(Topic { arn: text.to_owned(), host: format!("sns.{region}.amazonaws.com{suffix}") })
        }
        _ => {
            let help = "write it as the SNS console shows it, such as `arn:aws:sns:eu-west-1:123456789012:bounces`";
            Err(Wrong::new(&codes::SETTINGS_VALUE, format!("`{text}` is not the ARN of a topic of SNS"), help))
        }
    }
}

/// A relay's address: none is the outbox, else host, port and how the line is encrypted.
pub(super) fn relay(text: &str) -> Result<Option<(String, u16, Encryption)>, Wrong> {
    let wrong = |message: &str| {
        let help = "write `outbox`, `smtp://mail.example.com:587` or `smtps://mail.example.com:465`";
        Wrong::new(&codes::SETTINGS_RELAY, message, help)
    };
    if text == "outbox" {
        return Ok(None);
    }
    let url = Url::parse(text).map_err(|_| wrong("this names no relay"))?;
    let host = url.host_str().and_then(|host| Host::parse(host).ok()).ok_or_else(|| wrong("this names no relay"))?;
    if !url.username().is_empty() || url.password().is_some() {
        let help = "name the account with `user`, and its password with `password-file` or in the environment";
        return Err(Wrong::new(&codes::SETTINGS_SECRET, "a relay's address holds no name and no password", help));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("a relay's address ends with its port"));
    }
    let host = host.to_string().trim_matches(['[', ']']).to_owned();
    let (port, encryption) = match url.scheme() {
        "smtp" if is_loopback(&host) => (587, Encryption::None),
        "smtp" => (587, Encryption::StartTls),
        "smtps" => (465, Encryption::Tls),
        _ => return Err(wrong("a relay is the outbox or speaks SMTP")),
    };
    Ok(Some((host, url.port().unwrap_or(port), encryption)))
}

/// The database's address.
pub fn store_address(text: &str) -> Result<Store, Wrong> {
    let wrong = |message: &str| {
        let help = "write `sqlite:data/pressrun.db` or `postgres://user@host/name`";
        Wrong::new(&codes::SETTINGS_URL, message, help)
    };
    if let Some(file) = text.strip_prefix("sqlite:") {
        let file = file.strip_prefix("//").unwrap_or(file);
        let is_file = !file.is_empty() && !file.starts_with(':') && !file.contains('?');
        return if is_file { Ok(Store::Sqlite(file.to_owned())) } else { Err(wrong("this names no file")) };
    }
    let url = Url::parse(text).map_err(|_| wrong("this names no database"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(wrong("the database is SQLite or PostgreSQL"));
    }
    Ok(Store::Postgres(Secret::new(text)))
}

/// Whether a database's address holds a password.
pub(super) fn holds_password(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password"))
}

/// An address, or a range such as `10.0.0.0/8`.
pub fn network(text: &str) -> Result<IpNet, Wrong> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        let message = format!("`{text}` is not an address or a range of addresses");
        Wrong::new(&codes::SETTINGS_VALUE, message, "write it like `10.0.0.1` or `10.0.0.0/8`")
    })
}
