//! Everything that readers are told, in their language: the word files of the theme, `templates/words/LANGUAGE.ftl`,
//! in the format of Project Fluent.
//!
//! A language that lacks a message says it in English. Which languages there are is known from the names of the files
//! alone. Nothing is marked for the direction of text: the same words stand in pages, subjects and plain text.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_langneg::{NegotiationStrategy, negotiate_languages};
use tera::{Kwargs, State, Value};
use unic_langid::{CharacterDirection, LanguageIdentifier};

use crate::model::Money;

/// What is said where a language has no words of its own.
const ENGLISH: &str = "en";
/// Currencies that have a sign of their own everywhere.
const SYMBOLS: [(&str, &str); 4] = [("EUR", "€"), ("USD", "$"), ("GBP", "£"), ("JPY", "¥")];
/// No browser asks for more languages than a person speaks.
const MOST_ASKED: usize = 16;

/// The words of one language.
pub struct Words {
    language: LanguageIdentifier,
    bundle: FluentBundle<Arc<FluentResource>>,
}

impl Words {
    /// The message `key` with its values, such as `say("leave-title", &[("newsletter", title.into())])`; without a
    /// value that the message names, its name stands there.
    pub fn say(&self, key: &str, values: &[(&str, FluentValue<'_>)]) -> String {
        let values = values.iter().map(|(name, value)| (*name, value.clone())).collect();
        let said = self.try_to_say(key, &values);
        debug_assert!(said.is_ok(), "{said:?}");
        said.unwrap_or_else(|_| key.to_owned())
    }

    /// An amount of money as the language writes it: `€4.50`, `4,50 €`, `CHF 4.50`.
    pub fn money(&self, money: Money) -> String {
        let mark = self.say("decimal-mark", &[]).chars().next().unwrap_or('.');
        let code = money.currency.code();
        let symbol = SYMBOLS.iter().find(|(known, _)| *known == code).map(|(_, symbol)| *symbol);
        let key = if symbol.is_some() { "money-symbol" } else { "money-code" };
        let currency = symbol.unwrap_or(code).to_owned();
        self.say(key, &[("amount", money.digits(mark).into()), ("currency", currency.into())])
    }

    /// BCP 47.
    pub fn language(&self) -> String {
        self.language.to_string()
    }

    fn try_to_say(&self, key: &str, values: &FluentArgs<'_>) -> Result<String, String> {
        let pattern = self.bundle.get_message(key).and_then(|message| message.value());
        let pattern = pattern.ok_or_else(|| format!("there are no words for `{key}`"))?;
        let mut errors = Vec::new();
        let said = self.bundle.format_pattern(pattern, Some(values), &mut errors).into_owned();
        match errors.first() {
            None => Ok(said),
            Some(error) => Err(format!("the words for `{key}` in `{}` cannot be said: {error}", self.language)),
        }
    }

    /// The function `t` of templates: `t(key="leave-title", newsletter=title)`.
    pub(super) fn template_function(
        self: &Arc<Words>,
    ) -> impl Fn(Kwargs, &State<'_>) -> tera::TeraResult<String> + use<> {
        let words = Arc::clone(self);
        move |arguments, _| {
            let key: String = arguments.must_get("key")?;
            let named = arguments.iter().filter_map(|(name, value)| Some((name.as_str()?.to_owned(), value)));
            let values = named.filter(|(name, _)| name != "key").map(|(name, value)| (name, fluent(value))).collect();
            words.try_to_say(&key, &values).map_err(tera::Error::message)
        }
    }
}

/// Numbers choose plural forms; all else is text.
fn fluent(value: &Value) -> FluentValue<'static> {
    match value.as_i64() {
        Some(number) => number.into(),
        None => value.to_string().into(),
    }
}

/// Which way a language is written: `ltr` or `rtl`.
pub(super) fn direction(language: &str) -> &'static str {
    let language = language.parse::<LanguageIdentifier>();
    let is_rtl = language.is_ok_and(|language| language.character_direction() == CharacterDirection::RTL);
    if is_rtl { "rtl" } else { "ltr" }
}

/// Those of `known` that suits best what is asked for: a language, or the value of an Accept-Language header (RFC
/// 9110, 12.5.4); none if none suits.
pub(super) fn best<'a>(known: impl IntoIterator<Item = &'a Arc<Words>>, asked: &str) -> Option<&'a Arc<Words>> {
    let mut ranges: Vec<(f32, LanguageIdentifier)> = asked.split(',').take(MOST_ASKED).filter_map(weighed).collect();
    ranges.sort_by(|one, other| other.0.total_cmp(&one.0));
    let asked: Vec<LanguageIdentifier> = ranges.into_iter().map(|(_, language)| language).collect();
    let known: Vec<&Arc<Words>> = known.into_iter().collect();
    let languages: Vec<&LanguageIdentifier> = known.iter().map(|words| &words.language).collect();
    let best = **negotiate_languages(&asked, &languages, None, NegotiationStrategy::Lookup).first()?;
    known.into_iter().find(|words| words.language == *best)
}

fn weighed(range: &str) -> Option<(f32, LanguageIdentifier)> {
    let (language, weight) = range.split_once(";q=").unwrap_or((range, "1"));
    let weight = weight.trim().parse().unwrap_or(0.0);
    (weight > 0.0).then_some(())?;
    Some((weight, language.trim().parse().ok()?))
}

/// The word files of a theme, each language's in layers: built-in ones first.
#[derive(Default)]
pub(super) struct WordFiles(BTreeMap<String, Vec<Arc<FluentResource>>>);

impl WordFiles {
    /// Adds `LANGUAGE.ftl`; what is wrong with it, and where, is left out of it.
    pub fn add(&mut self, name: &str, text: &str) -> Vec<(Range<usize>, String)> {
        let language = name.strip_suffix(".ftl").and_then(|name| name.parse::<LanguageIdentifier>().ok());
        let Some(language) = language else {
            return vec![(0..0, format!("`{name}` is not named after a language, such as `fr.ftl`"))];
        };
        let (resource, errors) = match FluentResource::try_new(text.to_owned()) {
            Ok(resource) => (resource, Vec::new()),
            Err((resource, errors)) => (resource, errors),
        };
        self.0.entry(language.to_string()).or_default().push(Arc::new(resource));
        errors.into_iter().map(|error| (error.pos, error.kind.to_string())).collect()
    }

    /// The words of every language: English, and the others.
    pub fn words(&self) -> (Arc<Words>, Vec<Arc<Words>>) {
        let others = self.0.keys().filter(|language| *language != ENGLISH);
        (self.words_of(ENGLISH), others.map(|language| self.words_of(language)).collect())
    }

    /// The words of `language`, over the English ones.
    fn words_of(&self, name: &str) -> Arc<Words> {
        let language: LanguageIdentifier = name.parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![language.clone()]);
        bundle.set_use_isolating(false);
        for resource in [ENGLISH, name].into_iter().filter_map(|layer| self.0.get(layer)).flatten() {
            bundle.add_resource_overriding(Arc::clone(resource));
        }
        Arc::new(Words { language, bundle })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &str); 3] = [
        ("en", include_str!("../../templates/words/en.ftl")),
        ("de", include_str!("../../templates/words/de.ftl")),
        ("ar", include_str!("../../templates/words/ar.ftl")),
    ];

    fn built_in() -> Vec<Arc<Words>> {
        let mut files = WordFiles::default();
        for (language, text) in FILES {
            assert_eq!(files.add(&format!("{language}.ftl"), text), [], "{language}");
        }
        let (english, others) = files.words();
        [vec![english], others].concat()
    }

    fn words(language: &str) -> Arc<Words> {
        Arc::clone(best(&built_in(), language).unwrap())
    }

    #[test]
    fn a_reader_is_told_in_the_language_that_suits_best() {
        let all = built_in();
        for (asked, expected) in [
            ("de", Some("de")),
            ("de-AT,de;q=0.9,en;q=0.8", Some("de")),
            ("ar-EG", Some("ar")),
            ("en;q=0.5, ar;q=0.9", Some("ar")),
            ("nl, de;q=0, *;q=0.1", None),
            ("", None),
            ("de;q=x, \u{fffd}", None),
        ] {
            assert_eq!(best(&all, asked).map(|words| words.language()).as_deref(), expected, "{asked}");
        }
    }

    #[test]
    fn what_a_language_lacks_is_said_in_english() {
        let mut files = WordFiles::default();
        assert_eq!(files.add("en.ftl", "leave = Good morning\nconfirm = Goodbye"), []);
        assert_eq!(files.add("fr.ftl", "leave = Bonjour"), []);
        assert_eq!(files.add("fr.ftl", "leave = Salut"), []);
        let (english, others) = files.words();
        assert_eq!((english.say("leave", &[]), english.say("confirm", &[])), ("Good morning".into(), "Goodbye".into()));
        assert_eq!((others[0].say("leave", &[]), others[0].say("confirm", &[])), ("Salut".into(), "Goodbye".into()));
    }

    #[test]
    fn dates_and_money_are_written_as_the_language_writes_them() {
        let values = [("day", 23.into()), ("month", 11.into()), ("year", 2026.into()), ("time", "08:00".into())];
        let dates = ["en", "de", "ar"].map(|language| words(language).say("date-and-time", &values));
        let franc = |text| Money::parse(text).unwrap();
        let said = ["en", "de", "ar"].map(|language| words(language).money(franc("4.5 EUR")));
        assert_eq!(said, ["€4.50", "4,50\u{a0}€", "4.50\u{a0}€"]);
        assert_eq!(words("de").money(franc("500 JPY")), "500\u{a0}¥");
        assert_eq!(words("en").money(franc("12 CHF")), "CHF\u{a0}12.00");
        assert_eq!(dates, ["23 November 2026, 08:00", "23. November 2026, 08:00", "23 نوفمبر 2026، 08:00"]);
    }
}
