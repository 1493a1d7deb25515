//! The plain text of an article, from its Markdown events: what a reader without HTML gets, meant to be read.
//!
//! Lines are at most 72 characters but for addresses and code. Links are numbered in the text and listed below it.

use pulldown_cmark::{Event, LinkType, Tag, TagEnd};

use super::Events;
use super::address::Place;
use super::html;
use super::notes::{Drawing, Notes, Piece, pieces};

/// How wide a line may be.
pub(super) const WIDTH: usize = 72;

/// Writes `events` as text, the notes and then the links below it.
pub(super) fn text(place: Place<'_>, events: &Events) -> String {
    let notes = Notes::of(events);
    let (out, margins, line, lists, links, open_links, rows) = Default::default();
    let (notes, wants_gap, is_code) = (&notes, false, false);
    let mut writer = Writer { place, notes, out, margins, line, wants_gap, lists, links, open_links, rows, is_code };
    writer.walk(events);
    writer.write_notes();
    writer.write_links();
    writer.out.truncate(writer.out.trim_end().len());
    writer.out
}

/// Breaks `words` into lines of at most `width` characters; a longer word keeps a line to itself.
pub(super) fn wrapped(words: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in words.split('\n') {
        let (mut line, mut length) = (String::new(), 0);
        for word in paragraph.split_whitespace() {
            let letters = word.chars().count();
            if length > 0 && length + 1 + letters > width {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += letters;
        }
        lines.push(line);
    }
    lines
}

/// `words` as a headline: wrapped, and as long a rule below it.
pub(super) fn underlined(words: &str, width: usize, rule: char) -> Vec<String> {
    let mut lines = wrapped(words, width);
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    lines.push(rule.to_string().repeat(longest));
    lines
}

/// What stands at the left of a block's lines: in lists and quotes.
struct Margin {
    first: Option<String>,
    rest: String,
}

struct Writer<'a> {
    place: Place<'a>,
    notes: &'a Notes<'a>,
    out: String,
    margins: Vec<Margin>,
    line: String,
    wants_gap: bool,
    lists: Vec<Option<u64>>,
    links: Vec<String>,
    open_links: Vec<(usize, Option<String>)>,
    rows: Vec<Vec<String>>,
    is_code: bool,
}

impl Writer<'_> {
    fn walk(&mut self, events: &Events) {
        for piece in pieces(events) {
            match piece {
                Piece::Start(tag, _) => self.start(tag),
                Piece::End(tag) => self.end(tag),
                Piece::Leaf(Event::Text(text)) if self.is_code => {
                    text.lines().for_each(|line| self.push(&format!("    {line}")));
                }
                Piece::Leaf(leaf) => self.leaf(leaf),
                Piece::Picture(drawing) if drawing.is_figure => self.figure(&drawing),
                Piece::Picture(drawing) => self.line += &drawing.alt,
            }
        }
        self.end_block();
    }

    fn leaf(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) | Event::Code(text) => {
                self.line.extend(text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
            }
            Event::FootnoteReference(label) => {
                self.line.extend(self.notes.number(label).map(raised));
            }
            Event::SoftBreak => self.line.push(' '),
            Event::HardBreak => self.line.push('\n'),
            Event::Rule => {
                self.line.push_str("* * *");
                self.end_block();
            }
            Event::TaskListMarker(is_done) => self.line.push_str(if *is_done { "[x] " } else { "[ ] " }),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        if html::is_block(&tag.to_end()) && !matches!(tag, Tag::TableHead | Tag::TableRow | Tag::TableCell) {
            self.end_line();
        }
        match tag {
            Tag::CodeBlock(_) => self.is_code = true,
            Tag::BlockQuote(kind) => {
                self.gap();
                self.margins.push(Margin { first: None, rest: "> ".to_owned() });
                if let Some(kind) = kind {
                    self.line += &self.place.say(html::quote_key(*kind));
                    self.end_block();
                }
            }
            Tag::List(first) => self.lists.push(*first),
            Tag::Item => self.item(),
            Tag::Table(_) => self.rows.clear(),
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            // What is written out as an address needs no number.
            Tag::Link { link_type: LinkType::Email | LinkType::Autolink, .. } => self.open_links.push((0, None)),
            Tag::Link { dest_url, .. } => self.open_links.push((self.line.len(), self.place.link(dest_url))),
            _ => {}
        }
    }

    fn item(&mut self) {
        let marker = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", number.saturating_sub(1))
            }
            _ => "- ".to_owned(),
        };
        self.margins.push(Margin { rest: " ".repeat(marker.len()), first: Some(marker) });
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.end_block(),
            TagEnd::Heading(_) => {
                let words = std::mem::take(&mut self.line);
                self.headline(&words);
            }
            TagEnd::BlockQuote(_) => {
                self.end_line();
                self.margins.pop();
                self.wants_gap = true;
            }
            TagEnd::Item => {
                self.end_line();
                self.margins.pop();
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.wants_gap = self.wants_gap || self.lists.is_empty();
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.line).replace('\n', " ");
                if let Some(row) = self.rows.last_mut() {
                    row.push(cell);
                }
            }
            TagEnd::CodeBlock => (self.is_code, self.wants_gap) = (false, true),
            TagEnd::Table => self.table(),
            TagEnd::Link => self.end_link(),
            _ => {}
        }
    }

    fn end_link(&mut self) {
        let Some((start, Some(address))) = self.open_links.pop() else { return };
        let words = self.line.get(start..).unwrap_or_default();
        if words == address {
            return;
        }
        let known = self.links.iter().position(|link| *link == address);
        let number = known.unwrap_or_else(|| {
            self.links.push(address);
            self.links.len() - 1
        });
        self.line.push_str(&format!(" [{}]", number + 1));
    }

    fn end_line(&mut self) {
        let words = std::mem::take(&mut self.line);
        if !words.trim().is_empty() {
            for line in wrapped(words.trim(), self.room()) {
                self.push(&line);
            }
        }
    }

    fn end_block(&mut self) {
        if !self.line.trim().is_empty() {
            self.end_line();
            self.wants_gap = true;
        }
    }

    fn room(&self) -> usize {
        let margins: usize = self.margins.iter().map(|margin| margin.rest.len()).sum();
        WIDTH.saturating_sub(margins).max(20)
    }

    /// The empty line that the last block asked for.
    fn gap(&mut self) {
        if std::mem::take(&mut self.wants_gap) && !self.out.is_empty() {
            let margins = self.margins.iter().filter(|margin| margin.first.is_none());
            let margin: String = margins.map(|margin| margin.rest.as_str()).collect();
            self.out.push_str(margin.trim_end());
            self.out.push('\n');
        }
    }

    fn push(&mut self, line: &str) {
        self.gap();
        let start = self.out.len();
        for margin in &mut self.margins {
            match margin.first.take() {
                Some(first) => self.out.push_str(&first),
                None => self.out.push_str(&margin.rest),
            }
        }
        self.out.push_str(line);
        self.out.truncate(start + self.out[start..].trim_end().len());
        self.out.push('\n');
    }

    fn headline(&mut self, words: &str) {
        self.wants_gap = true;
        for line in underlined(words, self.room(), '-') {
            self.push(&line);
        }
        self.wants_gap = true;
    }

    fn figure(&mut self, drawing: &Drawing<'_>) {
        self.end_line();
        let words = [drawing.alt.as_str()].into_iter().chain(drawing.title.split('|')).map(str::trim);
        let words: Vec<&str> = words.filter(|words| !words.is_empty()).collect();
        if !words.is_empty() {
            self.line = format!("[Picture: {}]", words.join(" · "));
        }
        self.end_block();
    }

    /// In columns where they fit; else each row as a list of what its cells say.
    fn table(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let columns = rows.first().map_or(0, Vec::len);
        let width =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let fits = widths.iter().sum::<usize>() + 3 * columns.saturating_sub(1) <= self.room();
        if fits {
            self.columns(&rows, &widths);
        } else {
            self.records(&rows);
        }
        self.wants_gap = true;
    }

    fn columns(&mut self, rows: &[Vec<String>], widths: &[usize]) {
        for (index, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            self.push(&cells.join("   "));
            if index == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                self.push(&rules.join("   "));
            }
        }
    }

    fn records(&mut self, rows: &[Vec<String>]) {
        let Some((head, rows)) = rows.split_first() else { return };
        for row in rows {
            for (title, cell) in head.iter().zip(row) {
                self.line = if title.is_empty() { cell.clone() } else { format!("{title}: {cell}") };
                self.end_line();
            }
            self.wants_gap = true;
        }
    }

    fn write_notes(&mut self) {
        let notes = self.notes;
        for (events, number) in notes.texts().zip(1..) {
            if number == 1 {
                self.headline(&self.place.say("notes"));
            }
            let marker = format!("{} ", raised(number));
            self.margins.push(Margin { rest: " ".repeat(marker.chars().count()), first: Some(marker) });
            self.walk(events);
            self.margins.pop();
            self.wants_gap = false;
        }
    }

    fn write_links(&mut self) {
        for (link, number) in std::mem::take(&mut self.links).into_iter().zip(1..) {
            if number == 1 {
                self.headline(&self.place.say("links"));
                self.wants_gap = false;
            }
            self.push(&format!("[{number}] {link}"));
        }
    }
}

/// A number in raised digits.
fn raised(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |letter: char| letter.to_digit(10).and_then(|digit| DIGITS.get(digit as usize)).copied();
    number.to_string().chars().filter_map(digit).collect()
}
