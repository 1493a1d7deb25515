//! The rule of `src/lib.rs`: a module uses only modules above it; above `clock` nothing touches the world; SQL stands
//! under `src/store/` only.

use std::fs;
use std::path::{Path, PathBuf};

/// The first module that may touch the world.
const FIRST_DOOR: &str = "clock";

/// What reaches for time, chance, disk, network, environment or database.
const DOORS: &[&str] = &[
    "SystemTime", "Instant::now", "Utc::now", "Local::now", "Timestamp::now", "Zoned::now", "now_v7", "rand::",
    "std::fs", "std::env", "std::process", "std::io::stdin", "TcpStream", "TcpListener", "UdpSocket", "tokio::",
    "reqwest::", "sqlx::", "notify::", "hickory_resolver::",
];

/// How a statement begins.
const STATEMENTS: &[&str] = &[
    "SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "CREATE INDEX ", "ALTER TABLE ", "DROP TABLE ",
    "PRAGMA ", "VACUUM", "BEGIN IMMEDIATE",
];

/// One file of `src/`, without comments and without its tests.
struct Source {
    /// Relative to the package.
    path: String,
    /// The module of lib.rs that it belongs to.
    module: String,
    /// How many `super::` lead from its top level to the crate's root.
    depth: usize,
    code: String,
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let order = order();
    let position = |module: &str| order.iter().position(|known| known == module);
    let mut arrows = Vec::new();
    for source in sources() {
        let Some(own) = position(&source.module) else { continue };
        for used in used_modules(&source, &order) {
            if position(&used).is_some_and(|used| used > own) {
                arrows.push(format!("{}: `{}` uses `{used}`, which stands below it", source.path, source.module));
            }
        }
    }
    assert!(arrows.is_empty(), "src/lib.rs is read from top to bottom, but:\n{}", arrows.join("\n"));
}

#[test]
fn above_the_clock_nothing_touches_the_world() {
    let order = order();
    let first_door = order.iter().position(|module| module == FIRST_DOOR).expect("lib.rs declares the clock");
    let mut touches = Vec::new();
    for source in sources() {
        if !order[..first_door].contains(&source.module) {
            continue;
        }
        for (number, line) in source.code.lines().enumerate() {
            for door in DOORS.iter().filter(|door| line.contains(**door)) {
                touches.push(format!("{}:{}: `{door}` in `{}`", source.path, number + 1, source.module));
            }
        }
    }
    assert!(touches.is_empty(), "these modules must be pure:\n{}", touches.join("\n"));
}

#[test]
fn sql_stands_under_store_only() {
    let mut statements = Vec::new();
    for source in sources().iter().filter(|source| source.module != "store") {
        for (number, line) in source.code.lines().enumerate() {
            let begins =
                |statement: &&&str| line.trim_start().trim_start_matches(['"', 'r', '#']).starts_with(**statement);
            let quotes = |statement: &&&str| line.contains(&format!("\"{statement}"));
            if STATEMENTS.iter().any(|statement| begins(&statement) || quotes(&statement)) || line.contains("sqlx") {
                statements.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(statements.is_empty(), "SQL outside of src/store/:\n{}", statements.join("\n"));
}

#[test]
fn every_file_belongs_to_a_module_of_the_list() {
    let order = order();
    let strays: Vec<_> =
        sources().into_iter().filter(|source| !order.contains(&source.module)).map(|source| source.path).collect();
    assert!(strays.is_empty(), "not in lib.rs: {}", strays.join(", "));
}

/// The modules in the order of lib.rs.
fn order() -> Vec<String> {
    let text = fs::read_to_string(package().join("src/lib.rs")).expect("src/lib.rs is there");
    text.lines().filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect()
}

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&package().join("src"), &mut found);
    assert!(found.len() > 20, "src/ was read");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of src/ can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.extend(source(&path));
        }
    }
}

fn source(path: &Path) -> Option<Source> {
    let relative = path.strip_prefix(package()).ok()?.to_str()?.replace('\\', "/");
    let inside: Vec<&str> = relative.strip_prefix("src/")?.trim_end_matches(".rs").split('/').collect();
    let inside = inside.strip_suffix(&["mod"]).unwrap_or(&inside);
    if inside == ["lib"] || inside == ["main"] || inside.contains(&"tests") {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    Some(Source { module: inside[0].to_owned(), depth: inside.len(), code: code(&text), path: relative })
}

/// Everything that is compiled into the program: no comments and no tests. Lines above the tests stay where they are.
fn code(text: &str) -> String {
    let (before, tests) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((text, ""));
    let after = tests.split_once("\n}\n").map_or("", |(_, after)| after);
    let program = format!("{before}{after}");
    let lines = program.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules of the list that a file names through `crate::` or through as many `super::` as lead to the root.
fn used_modules(source: &Source, order: &[String]) -> Vec<String> {
    let to_root = "super::".repeat(source.depth);
    let mut used = Vec::new();
    for root in ["crate::", to_root.as_str()] {
        for (at, _) in source.code.match_indices(root) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|character| character == ':' || character.is_alphanumeric() || character == '_') {
                continue;
            }
            used.extend(first_names(&source.code[at + root.len()..]));
        }
    }
    used.retain(|name| order.contains(name));
    used
}

/// `a` of `a::b`, and all first names of `{a, b::{c, d}}`.
fn first_names(path: &str) -> Vec<String> {
    let name =
        |text: &str| text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut names = Vec::new();
    let (mut level, mut start) = (0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => level += 1,
            '}' if level == 0 => {
                names.push(name(group[start..at].trim()));
                break;
            }
            '}' => level -= 1,
            ',' if level == 0 => {
                names.push(name(group[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn arrows_are_seen_however_they_are_written() {
    let check = |depth: usize, code: &str, expected: &[&str]| {
        let order: Vec<String> = ["model", "store", "web"].map(str::to_owned).to_vec();
        let source = Source { path: String::new(), module: String::new(), depth, code: code.to_owned() };
        assert_eq!(used_modules(&source, &order), expected, "{code}");
    };
    check(1, "use crate::store::Store;", &["store"]);
    check(2, "use crate::{model::{Access, Viewer}, web, other};", &["model", "web"]);
    check(2, "let x = super::super::web::serve();", &["web"]);
    check(2, "use super::web::serve;", &[]);
    check(1, "fn f(x: &crate::store::Row) {}", &["store"]);
}
