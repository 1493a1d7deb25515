//! Settings as publish.toml would say them, defaults filled in, secrets masked.

use toml::Value;

use crate::model::{Cadence, Newsletter, Plan};

use super::values::{WEEKDAYS, duration_text, rate_text, word_for};
use super::{
    Auth, Author, Billing, DkimKey, Encryption, Link, Mail, Publication, Relay, Secret, Sending, Settings, Store,
};

/// What holds in the end, as TOML that can be read again; secrets are `***`, what is not set is left out.
pub fn show(settings: &Settings) -> String {
    let proxies = settings.web.trusted_proxies.iter();
    let mut sections = vec![("[publication]", publication(&settings.publication))];
    sections.extend(settings.authors.iter().map(|author| ("[[authors]]", author_lines(author))));
    sections.extend(settings.newsletters.iter().map(|newsletter| ("[[newsletters]]", newsletter_lines(newsletter))));
    sections.extend(settings.site.links.iter().map(|link| ("[[site.links]]", link_lines(link))));
    sections.push(("[mail]", mail(&settings.mail)));
    sections.extend(settings.mail.relays.iter().map(|one| ("[[mail.relays]]", relay(one))));
    let dkim = &settings.mail.dkim;
    sections.extend(dkim.domain.iter().map(|domain| ("[mail.dkim]", vec![("domain", is(domain.as_str()))])));
    sections.extend(dkim.keys.iter().map(|key| ("[[mail.dkim.keys]]", dkim_key(key))));
    sections.push(("[sending]", sending(&settings.sending)));
    sections.push(("[store]", vec![("url", is(store(&settings.store)))]));
    sections.push(("[web]", vec![("trusted-proxies", is(list(proxies)))]));
    sections.push(("[auth]", auth(&settings.auth)));
    sections.push(("[billing]", billing(&settings.billing)));
    sections.extend(settings.billing.plans.iter().map(|plan| ("[[billing.plans]]", plan_lines(plan))));
    let line = |(key, value): (&str, Option<Value>)| Some(format!("{key} = {}\n", value?));
    let shown =
        |(title, lines): (&str, Lines)| format!("{title}\n{}", lines.into_iter().filter_map(line).collect::<String>());
    sections.into_iter().map(shown).collect::<Vec<_>>().join("\n")
}

/// The settings of a section.
type Lines = Vec<(&'static str, Option<Value>)>;

fn is(value: impl Into<Value>) -> Option<Value> {
    Some(value.into())
}

fn if_set(value: Option<impl Into<Value>>) -> Option<Value> {
    value.map(Into::into)
}

fn if_any(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.into())
}

fn if_some(values: impl IntoIterator<Item = Value>) -> Option<Value> {
    let values: Vec<Value> = values.into_iter().collect();
    (!values.is_empty()).then(|| values.into())
}

fn list(values: impl Iterator<Item: ToString>) -> Vec<Value> {
    values.map(|value| Value::from(value.to_string())).collect()
}

fn masked(_: &Secret) -> Value {
    Value::from("***")
}

fn publication(publication: &Publication) -> Lines {
    vec![
        ("title", is(&*publication.title)),
        ("url", if_set(publication.base_url())),
        ("description", if_any(&publication.description)),
        ("language", is(&*publication.language)),
        ("time-zone", is(publication.zone.name())),
        ("address", if_set(publication.address.as_deref())),
    ]
}

fn author_lines(author: &Author) -> Lines {
    vec![
        ("id", is(&*author.id)),
        ("name", is(&*author.name)),
        ("bio", if_set(author.bio.as_deref())),
        ("image", if_set(author.image.as_deref())),
        ("url", if_set(author.url.as_ref().map(url::Url::as_str))),
    ]
}

fn newsletter_lines(newsletter: &Newsletter) -> Lines {
    vec![
        ("id", is(newsletter.id.as_str())),
        ("title", is(&*newsletter.title)),
        ("description", if_any(&newsletter.description)),
        ("from", is(format!("{} <{}>", newsletter.from.name, newsletter.from.address))),
        ("reply-to", if_set(newsletter.reply_to.as_ref().map(ToString::to_string))),
        ("cadences", is(list(newsletter.cadences.iter().copied().map(Cadence::as_str)))),
        ("default-cadence", is(newsletter.default_cadence.as_str())),
        ("digest-hour", is(i64::from(newsletter.digest_time.hour))),
        ("digest-weekday", if_set(word_for(&newsletter.digest_time.weekday, &WEEKDAYS))),
        ("topics", if_some(list(newsletter.topics.iter()))),
        ("access", is(newsletter.access.as_str())),
        ("send", is(newsletter.send.as_str())),
    ]
}

fn link_lines(link: &Link) -> Lines {
    vec![("title", is(&*link.title)), ("url", is(link.url.as_str()))]
}

fn mail(mail: &Mail) -> Lines {
    vec![
        ("bounces-to", if_set(mail.bounces_to.as_ref().map(ToString::to_string))),
        ("lmtp", if_set(mail.lmtp.map(|address| address.to_string()))),
        ("postmark-password", mail.postmark_password.as_ref().map(masked)),
        ("ses-topic", if_set(mail.ses_topic.as_ref().map(|topic| &*topic.arn))),
    ]
}

fn relay(relay: &Relay) -> Lines {
    let Relay::Smtp(smtp) = relay else { return vec![("url", is("outbox"))] };
    let scheme = if smtp.encryption == Encryption::Tls { "smtps" } else { "smtp" };
    let host = if smtp.host.contains(':') { format!("[{}]", smtp.host) } else { smtp.host.clone() };
    vec![
        ("url", is(format!("{scheme}://{host}:{}", smtp.port))),
        ("user", if_set(smtp.login.as_ref().map(|(user, _)| user.as_str()))),
        ("password", smtp.login.as_ref().map(|(_, password)| masked(password))),
        ("connections", is(i64::try_from(smtp.connections).unwrap_or(i64::MAX))),
        ("messages", is(i64::try_from(smtp.messages).unwrap_or(i64::MAX))),
        ("rate", if_set(smtp.rate.map(rate_text))),
        ("for", is(smtp.carries.as_str())),
    ]
}

fn dkim_key(key: &DkimKey) -> Lines {
    vec![("selector", is(&*key.selector)), ("key-file", is(&*key.file))]
}

fn sending(sending: &Sending) -> Lines {
    vec![
        ("on-unknown", is(sending.on_unknown.as_str())),
        ("durability", is(sending.durability.as_str())),
        ("undo", is(duration_text(sending.undo))),
        ("max-lateness", is(duration_text(sending.max_lateness))),
        ("plan-drift", is(sending.plan_drift)),
        ("retry-waits", is(list(sending.retry_waits.iter().copied().map(duration_text)))),
        ("give-up-after", if_set(sending.give_up_after.map(duration_text))),
    ]
}

fn store(store: &Store) -> String {
    match store {
        Store::Sqlite(file) => format!("sqlite:{file}"),
        Store::Postgres(address) => without_password(address.reveal()),
    }
}

/// The address, with `***` for whatever could be a password.
fn without_password(address: &str) -> String {
    let Ok(mut url) = url::Url::parse(address) else { return "***".to_owned() };
    let holds_one = url.password().is_some();
    if holds_one && url.set_password(Some("***")).is_err() || url.query_pairs().any(|(key, _)| key == "password") {
        return "***".to_owned();
    }
    url.to_string()
}

fn auth(auth: &Auth) -> Lines {
    vec![("secret", auth.secret.as_ref().map(masked)), ("old-secrets", if_some(auth.old_secrets.iter().map(masked)))]
}

fn billing(billing: &Billing) -> Lines {
    vec![
        ("url", is(billing.url.as_str())),
        ("key", billing.key.as_ref().map(masked)),
        ("webhook-secrets", if_some(billing.webhook_secrets.iter().map(masked))),
        ("grace", is(duration_text(billing.grace))),
    ]
}

fn plan_lines(plan: &Plan) -> Lines {
    vec![
        ("id", is(plan.id.as_str())),
        ("title", is(&*plan.title)),
        ("description", if_set(plan.description.as_deref())),
        ("every", is(plan.every.as_str())),
        ("prices", is(list(plan.prices.iter()))),
        ("trial-days", is(i64::from(plan.trial_days))),
        ("opens", if_some(list(plan.opens.iter()))),
    ]
}
