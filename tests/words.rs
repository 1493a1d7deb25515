//! The words of all languages: the same messages with the same values, none missing and none too many.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const FILES: [(&str, &str); 3] = [
    ("en", include_str!("../templates/words/en.ftl")),
    ("de", include_str!("../templates/words/de.ftl")),
    ("ar", include_str!("../templates/words/ar.ftl")),
];

/// Each message of a word file, and the values that it names.
fn messages(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut key = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, _)) = line.split_once(" =").filter(|_| !line.starts_with(' ')) {
            name.clone_into(&mut key);
        }
        let values = line.split('$').skip(1).map(|rest| rest.split([' ', '}']).next().unwrap_or_default().to_owned());
        messages.entry(key.clone()).or_default().extend(values);
    }
    messages.remove("");
    messages
}

/// The text of every Rust file and template.
fn read_all(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, found);
        } else if path.extension().is_some_and(|kind| ["rs", "html", "txt", "xml"].iter().any(|known| kind == *known)) {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_language_says_the_same_with_the_same_values() {
    let english = messages(FILES[0].1);
    for (language, text) in FILES {
        let own = messages(text);
        let differs = |key: &&String| own.get(*key) != english.get(*key);
        let wrong: Vec<_> = english.keys().chain(own.keys()).filter(differs).collect();
        assert!(wrong.is_empty(), "{language}: {wrong:?}");
    }
}

#[test]
fn every_message_is_said_somewhere_and_what_is_said_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    read_all(&root.join("src"), &mut sources);
    read_all(&root.join("templates"), &mut sources);
    let english = messages(FILES[0].1);
    let unused: Vec<_> = english.keys().filter(|key| !sources.contains(&format!("\"{key}\""))).collect();
    assert!(unused.is_empty(), "nobody says {unused:?}");
    let said = [".say(\"", " t(key=\""].into_iter().flat_map(|start| sources.split(start).skip(1));
    // The command line says its sentences as they are.
    let said = said.filter_map(|rest| rest.split('"').next()).filter(|key| !key.contains(' '));
    let unknown: Vec<_> = said.filter(|key| !english.contains_key(*key)).collect();
    assert!(unknown.is_empty(), "no words for {unknown:?}");
}
