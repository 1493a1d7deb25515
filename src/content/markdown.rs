//! Markdown, parsed once.
//!
//! CommonMark with tables, strikethrough, task lists, footnotes and remarks. The events that come out are safe to write
//! as they are: HTML has become text, comments are gone, links that could run a program are only their words, and
//! pictures and links to files are `content/…` paths. Where such a path leads on the web is left to whoever writes
//! pages.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeWithOffset};

use crate::diagnostic::{Wrong, codes};

use super::front_matter::shortened;
use super::problems::Problems;
use super::slug::slugify;
use super::target;

/// A text, parsed once: web page, mail and plain text are all written from these events.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Body {
    /// The events and where each stands in the whole file, in bytes.
    pub events: Vec<(Event<'static>, Range<usize>)>,
    /// How many events come before `<!-- more -->`; none: there is no such line.
    pub preview: Option<usize>,
    /// The ids of the headings in order, by which they can be linked to: unique in the text.
    pub headings: Vec<String>,
    /// Words, for the reading time.
    pub words: usize,
    /// The whole file, front matter included, for diagnostics.
    pub source: Arc<str>,
}

impl Body {
    /// Minutes to read, at 230 words a minute, at least one.
    pub fn minutes(&self) -> usize {
        self.words.div_ceil(230).max(1)
    }
}

/// Quotes, lists and emphasis may stand this deep in each other.
const DEEPEST: usize = 64;

/// A text has at most so many events, about 80 bytes each in memory: a book has fewer.
const MOST_EVENTS: usize = 500_000;

/// Around what is said instead of a reader's first name, where an author wrote `{first_name|reader}`: mails put the
/// name in its place, all others leave the marks out. Private characters of Unicode, which no text of an article needs.
pub const FIRST_NAME_MARKS: [char; 2] = ['\u{e000}', '\u{e001}'];

/// A text with the marks; none where no first name is wanted.
fn marked(text: &str) -> Option<String> {
    let ([begin, end], mut marked, mut rest) = (FIRST_NAME_MARKS, String::new(), text);
    while let Some((before, after)) = rest.split_once("{first_name|")
        && let Some((fallback, after)) = after.split_once('}')
    {
        marked += &format!("{before}{begin}{}{end}", fallback.trim());
        rest = after;
    }
    (!marked.is_empty()).then(|| marked + rest)
}

fn words_of<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    match event {
        Event::Text(text) | Event::Code(text) => Some(text),
        Event::SoftBreak | Event::HardBreak => Some(" "),
        _ => None,
    }
}

/// Parses what stands after byte `start` of `text`, the whole of the file `path`.
pub(super) fn read(path: &str, text: &str, start: usize, problems: &mut Problems<'_>) -> Body {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let undefined = RefCell::new(Vec::new());
    let note_undefined = |link: BrokenLink<'_>| {
        // `[words]` alone are brackets that somebody wrote, not half a link.
        if link.link_type != LinkType::Shortcut && undefined.borrow().len() < 100 {
            undefined.borrow_mut().push((link.span, link.reference.to_string()));
        }
        None
    };
    let parser = Parser::new_with_broken_link_callback(&text[start..], options, Some(note_undefined));
    let (open, ids, body, heading, image, html) = Default::default();
    let mut reader = Reader { path, text, problems, open, ids, body, heading, image, html };
    for (event, range) in TextMergeWithOffset::new(parser.into_offset_iter()) {
        let range = start + range.start..start + range.end;
        if reader.body.events.len() >= MOST_EVENTS {
            let message = format!("the text has more than {MOST_EVENTS} pieces");
            let wrong = Wrong::new(&codes::FILE_TOO_LARGE, message, "split it into several articles");
            reader.problems.at(range, wrong);
            break;
        }
        reader.take(event.into_static(), range);
    }
    let mut body = reader.finish();
    for (span, reference) in undefined.into_inner() {
        let message = format!("`[{}]` is defined nowhere", shortened(&reference));
        let help =
            format!("write the address on a line of its own: `[{}]: https://example.com/`", shortened(&reference));
        problems.at(start + span.start..start + span.end, Wrong::new(&codes::MARKDOWN_UNDEFINED, message, help));
    }
    body.source = Arc::from(text);
    body
}

struct Reader<'a, 'p, 't> {
    path: &'a str,
    text: &'a str,
    problems: &'p mut Problems<'t>,
    /// The tags that are open; none for one that was dropped, so that its end shares its fate.
    open: Vec<Option<TagEnd>>,
    ids: HashMap<String, usize>,
    body: Body,
    /// The heading that is open: its event, and its words so far.
    heading: Option<(usize, String)>,
    /// The picture that is open: where it stands, and whether it has words.
    image: Option<(Range<usize>, bool)>,
    /// The HTML block that is open: where it stands, and its text so far.
    html: Option<(Range<usize>, String)>,
}

impl Reader<'_, '_, '_> {
    fn finish(mut self) -> Body {
        let end = self.body.events.last().map_or(0, |(_, range)| range.end);
        let still_open = self.open.into_iter().rev().flatten();
        self.body.events.extend(still_open.map(|tag| (Event::End(tag), end..end)));
        self.body
    }

    fn take(&mut self, event: Event<'static>, range: Range<usize>) {
        match event {
            Event::Start(Tag::HtmlBlock) => self.html = Some((range, String::new())),
            Event::End(TagEnd::HtmlBlock) => self.end_html_block(),
            Event::Start(tag) => self.start(tag, range),
            Event::End(_) => self.end(range),
            _ if self.open.len() > DEEPEST => {}
            Event::Html(text) | Event::InlineHtml(text) => self.html(&text, range),
            event => {
                let is_code = matches!(self.open.last(), Some(Some(TagEnd::CodeBlock)));
                let named = match &event {
                    Event::Text(text) if !is_code => {
                        self.note_lost_footnotes(&range);
                        marked(text)
                    }
                    _ => None,
                };
                self.leaf(named.map_or(event, |text| Event::Text(text.into())), range);
            }
        }
    }

    fn leaf(&mut self, event: Event<'static>, range: Range<usize>) {
        if let Some(words) = words_of(&event) {
            self.body.words += words.split_whitespace().count();
            if let Some((_, text)) = &mut self.heading {
                text.push_str(words);
            }
            if let Some((_, has_words)) = &mut self.image {
                *has_words |= !words.trim().is_empty();
            }
        }
        self.body.events.push((event, range));
    }

    /// Footnotes without a definition come as the text that they are.
    fn note_lost_footnotes(&mut self, range: &Range<usize>) {
        let text = self.text.get(range.clone()).unwrap_or_default();
        for (at, _) in text.match_indices("[^").filter(|(at, _)| !text[..*at].ends_with('\\')) {
            let label = text[at + 2..].split([']', ' ', '\n', '[']).next().unwrap_or_default();
            if label.is_empty() || !text[at + 2 + label.len()..].starts_with(']') || self.problems.is_full() {
                continue;
            }
            let message = format!("the footnote `[^{}]` says nothing", shortened(label));
            let help = format!("write it on a line of its own: `[^{}]: What it says`", shortened(label));
            let place = range.start + at..range.start + at + label.len() + 3;
            self.problems.at(place, Wrong::new(&codes::MARKDOWN_UNDEFINED, message, help));
        }
    }

    fn start(&mut self, tag: Tag<'static>, range: Range<usize>) {
        if self.open.len() >= DEEPEST {
            self.too_deep(range);
            return;
        }
        let end = tag.to_end();
        let tag = match tag {
            Tag::Link { link_type, dest_url, title, id } => {
                self.link(&dest_url, link_type, &range).map(|dest_url| Tag::Link { link_type, dest_url, title, id })
            }
            Tag::Image { link_type, dest_url, title, id } => {
                let target = self.allowed(target::picture(self.path, &dest_url), &range);
                let dest_url = CowStr::from(target.unwrap_or_default());
                self.image = Some((range.clone(), false));
                Some(Tag::Image { link_type, dest_url, title, id })
            }
            Tag::Heading { .. } => {
                self.heading = Some((self.body.events.len(), String::new()));
                Some(tag)
            }
            tag => Some(tag),
        };
        self.open.push(tag.is_some().then_some(end));
        self.body.events.extend(tag.map(|tag| (Event::Start(tag), range)));
    }

    fn too_deep(&mut self, range: Range<usize>) {
        if self.open.len() == DEEPEST {
            let message = format!("more than {DEEPEST} quotes, lists and emphases stand inside each other");
            let help = "take away `>`, indentation or asterisks that were not meant";
            self.problems.at(range.start..range.start + 1, Wrong::new(&codes::MARKDOWN_NESTING, message, help));
        }
        self.open.push(None);
    }

    fn end(&mut self, range: Range<usize>) {
        let Some(Some(tag)) = self.open.pop() else { return };
        match tag {
            TagEnd::Heading(_) => self.end_heading(),
            TagEnd::Image => self.end_image(),
            _ => {}
        }
        self.body.events.push((Event::End(tag), range));
    }

    fn end_heading(&mut self) {
        let Some((index, text)) = self.heading.take() else { return };
        let id = self.new_id(&text);
        if let Some((Event::Start(Tag::Heading { id: place, .. }), _)) = self.body.events.get_mut(index) {
            *place = Some(CowStr::from(id.clone()));
        }
        self.body.headings.push(id);
    }

    /// The words as an address; with a number from 1 on where an earlier heading has it.
    fn new_id(&mut self, text: &str) -> String {
        let base = Some(slugify(text)).filter(|slug| !slug.is_empty()).unwrap_or_else(|| "section".to_owned());
        let mut id = base.clone();
        while self.ids.contains_key(&id) {
            let number = self.ids.entry(base.clone()).or_default();
            *number += 1;
            id = format!("{base}-{number}");
        }
        self.ids.insert(id.clone(), 0);
        id
    }

    fn end_image(&mut self) {
        if let Some((range, false)) = self.image.take() {
            let message = "the picture has no words for who cannot see it";
            let help = "say between the brackets what it shows: `![What it shows](picture.jpg)`";
            self.problems.at(range, Wrong::new(&codes::IMAGE_ALT, message, help));
        }
    }

    fn link(&mut self, written: &str, link_type: LinkType, range: &Range<usize>) -> Option<CowStr<'static>> {
        if link_type == LinkType::Email {
            return Some(CowStr::from(format!("mailto:{written}")));
        }
        self.allowed(target::link(self.path, written), range).map(CowStr::from)
    }

    fn allowed(&mut self, target: Result<String, Wrong>, range: &Range<usize>) -> Option<String> {
        target.map_err(|wrong| self.problems.at(range.clone(), wrong)).ok()
    }

    fn html(&mut self, text: &str, range: Range<usize>) {
        if let Some((_, block)) = &mut self.html {
            block.push_str(text);
            return;
        }
        let visible = without_comments(text);
        if !visible.is_empty() {
            self.note_html(&visible, range.clone());
            self.leaf(Event::Text(CowStr::from(visible)), range);
        }
    }

    fn end_html_block(&mut self) {
        let Some((range, text)) = self.html.take() else { return };
        let visible = without_comments(&text);
        if is_more(&text) && self.open.is_empty() {
            self.body.preview.get_or_insert(self.body.events.len());
        } else if !visible.trim().is_empty() && self.open.len() < DEEPEST {
            self.note_html(&visible, range.clone());
            self.body.events.push((Event::Start(Tag::Paragraph), range.clone()));
            self.leaf(Event::Text(CowStr::from(visible.trim().to_owned())), range.clone());
            self.body.events.push((Event::End(TagEnd::Paragraph), range));
        }
    }

    /// One warning for each element: closing tags are not noted by themselves.
    fn note_html(&mut self, visible: &str, range: Range<usize>) {
        if !visible.starts_with("</") {
            let message = "HTML is shown to readers as it was typed";
            let help = "write it as Markdown, or put backticks around what is meant to be seen";
            self.problems.at(range, Wrong::new(&codes::MARKDOWN_HTML, message, help));
        }
    }
}

fn is_more(html: &str) -> bool {
    let words = html.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
    words.is_some_and(|words| words.trim() == "more")
}

/// Takes comments out; one that never ends stays, so that its author sees what it swallowed.
fn without_comments(html: &str) -> String {
    let mut visible = String::new();
    let mut rest = html;
    while let Some((before, comment)) = rest.split_once("<!--") {
        let Some((_, after)) = comment.split_once("-->") else { break };
        visible.push_str(before);
        rest = after;
    }
    visible + rest
}
