//! The least that a site costs, to hold the program against: `pipeline_floor CONTENT OUT`.
//!
//! Reads each Markdown file below CONTENT, splits the front matter off by its fences, parses with the program's
//! extensions, renders into a small frame and writes `OUT/NAME/index.html`; on as many threads as there are cores, one
//! article at a time each. There is no list, no feed, no check, and no link is looked at.

#![allow(clippy::disallowed_methods, reason = "a program of its own to measure against")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, io, thread};

use pulldown_cmark::{Options, Parser, html};

fn main() -> io::Result<()> {
    let arguments: Vec<PathBuf> =
        env::args().skip(1).filter(|argument| argument != "--bench").map(PathBuf::from).collect();
    let [content, out] = arguments.as_slice() else {
        println!("pipeline_floor CONTENT OUT");
        return Ok(());
    };
    let mut articles = Vec::new();
    find(content, &mut articles)?;
    fs::create_dir_all(out)?;
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..thread::available_parallelism()?.get()).map(|_| scope.spawn(|| work(&articles, &next, out))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| io::Error::other("a thread panicked"))?)
    })
}

fn find(folder: &Path, articles: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find(&entry.path(), articles)?;
        } else if entry.path().extension().is_some_and(|extension| extension == "md") {
            articles.push(entry.path());
        }
    }
    Ok(())
}

fn work(articles: &[PathBuf], next: &AtomicUsize, out: &Path) -> io::Result<()> {
    let mut page = String::new();
    while let Some(path) = articles.get(next.fetch_add(1, Ordering::Relaxed)) {
        let text = fs::read_to_string(path)?;
        let (front_matter, body) = split(&text);
        page.clear();
        page += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>";
        page += value(front_matter, "title: ");
        page += "</title>\n<link rel=\"stylesheet\" href=\"/static/style.css\">\n</head>\n<body>\n<main>\n<h1>";
        page += value(front_matter, "title: ");
        page += "</h1>\n<p>";
        page += value(front_matter, "date: ");
        page += "</p>\n";
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_GFM;
        html::push_html(&mut page, Parser::new_ext(body, options));
        page += "</main>\n</body>\n</html>\n";
        let folder = out.join(path.file_stem().unwrap_or_default());
        fs::create_dir(&folder)?;
        fs::write(folder.join("index.html"), &page)?;
    }
    Ok(())
}

/// What stands between the fences, and what follows.
fn split(text: &str) -> (&str, &str) {
    text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).unwrap_or(("", text))
}

fn value<'t>(front_matter: &'t str, key: &str) -> &'t str {
    front_matter.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim_matches('"')
}
