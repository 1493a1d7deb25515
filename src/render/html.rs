//! HTML from Markdown events, for the web and for mail: one walk, two dresses.
//!
//! On the web looks come from the stylesheet; in mail each element carries its style. HTML written in an article is
//! text by now; no article can break a page or a mail open.

use pulldown_cmark::{Alignment, BlockQuoteKind, CodeBlockKind, Event, HeadingLevel, Tag, TagEnd};

use crate::content::FIRST_NAME_MARKS;

use super::Events;
use super::address::Place;
use super::context::Picture;
use super::mail_html;
use super::notes::{Drawing, Notes, Piece, end_of, pieces, plain};

/// The HTML of `events` for the web, the notes last.
pub(super) fn web(place: Place<'_>, events: &Events) -> String {
    blocks(place, Dress::Web, events).concat()
}

/// The HTML of `events` for mail, block by block, the notes last; `direction` is `ltr` or `rtl`.
pub(super) fn mail_blocks(place: Place<'_>, direction: &str, events: &Events) -> Vec<String> {
    blocks(place, Dress::Mail { is_rtl: direction == "rtl" }, events)
}

/// Where the looks come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dress {
    /// The stylesheet.
    Web,
    /// The elements themselves, mirrored for what is written from the right.
    Mail { is_rtl: bool },
}

fn blocks(place: Place<'_>, dress: Dress, events: &Events) -> Vec<String> {
    let notes = Notes::of(events);
    let mut blocks = written(place, dress, &notes, events);
    let prefix = place.prefix();
    let note = |(events, number): (&Events, usize)| {
        let text = written(place, dress, &notes, events).concat();
        match dress {
            Dress::Web => format!(
                "<li id=\"note-{prefix}-{number}\">{} <a href=\"#mention-{prefix}-{number}\" \
                 aria-label=\"{}\">↩</a></li>\n",
                text.trim_end(),
                escaped(&place.say("note-back"))
            ),
            Dress::Mail { is_rtl } => format!("<li{}>{text}</li>\n", mail_html::style("li", is_rtl)),
        }
    };
    let items: String = notes.texts().zip(1..).map(note).collect();
    match dress {
        _ if items.is_empty() => {}
        Dress::Mail { is_rtl } => blocks.push(mail_html::notes(&items, is_rtl)),
        Dress::Web => {
            let label = escaped(&place.say("notes"));
            blocks.push(format!("<section class=\"notes\" aria-label=\"{label}\">\n<ol>\n{items}</ol>\n</section>\n"));
        }
    }
    blocks
}

impl Place<'_> {
    /// What keeps ids of one text apart from those of another on the same page.
    fn prefix(&self) -> String {
        escaped(self.address.trim_matches('/'))
    }
}

fn written(place: Place<'_>, dress: Dress, notes: &Notes<'_>, events: &Events) -> Vec<String> {
    let mut writer = Writer { place, dress, notes, out: String::new(), inside: Inside::default() };
    let mut blocks = Vec::new();
    for piece in pieces(events) {
        match piece {
            Piece::Start(tag, from) => writer.start(tag, from),
            Piece::End(tag) => writer.end(tag),
            Piece::Leaf(leaf) => writer.leaf(leaf),
            Piece::Picture(drawing) => writer.picture(&drawing),
        }
        if writer.inside.depth == 0 && !writer.out.is_empty() {
            blocks.push(std::mem::take(&mut writer.out));
        }
    }
    blocks
}

struct Writer<'a> {
    place: Place<'a>,
    dress: Dress,
    notes: &'a Notes<'a>,
    out: String,
    inside: Inside,
}

/// What has been opened, and has to be remembered until it is closed.
#[derive(Default)]
struct Inside {
    depth: usize,
    lists: usize,
    links: Vec<bool>,
    mentioned: Vec<usize>,
    anchor: String,
    alignments: Vec<Alignment>,
    cell: usize,
    is_head: bool,
}

impl Writer<'_> {
    fn leaf(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) => match self.dress {
                Dress::Web => push_escaped(&mut self.out, &text.replace(FIRST_NAME_MARKS, "")),
                Dress::Mail { .. } => push_escaped(&mut self.out, text),
            },
            Event::Code(text) => {
                self.open("code");
                push_escaped(&mut self.out, text);
                self.out += "</code>";
            }
            Event::FootnoteReference(label) => self.mention(label),
            Event::SoftBreak => self.out += "\n",
            Event::HardBreak => self.out += "<br>\n",
            Event::Rule => {
                self.open("hr");
                self.out += "\n";
            }
            Event::TaskListMarker(is_done) => self.out += if *is_done { "☑ " } else { "☐ " },
            _ => {}
        }
    }

    /// `<name …>` with its looks.
    fn open(&mut self, name: &str) {
        self.open_with(name, name, "");
    }

    /// The same with attributes, and in mail with the style called `look`.
    fn open_with(&mut self, name: &str, look: &str, attributes: &str) {
        let style = match self.dress {
            Dress::Web => String::new(),
            Dress::Mail { is_rtl } => mail_html::style(look, is_rtl),
        };
        self.out += &format!("<{name}{attributes}{style}>");
    }

    fn in_dress<'b>(&self, on_the_web: &'b str, in_mail: &'b str) -> &'b str {
        if self.dress == Dress::Web { on_the_web } else { in_mail }
    }

    fn start(&mut self, tag: &Tag<'_>, from: &Events) {
        self.inside.depth += usize::from(is_block(&tag.to_end()));
        match tag {
            Tag::Heading { level, id, .. } => self.heading(&heading_element(*level), id.as_deref(), from),
            Tag::Item if is_task(&from[1..]) => self.open_with("li", "task", " class=\"task\""),
            Tag::BlockQuote(Some(kind)) => {
                self.open_with("blockquote", "remark", " class=\"remark\"");
                self.out += "\n";
                self.open("p");
                self.out += &format!("<strong>{}</strong></p>\n", escaped(&self.place.say(quote_key(*kind))));
            }
            Tag::BlockQuote(None) => {
                self.open("blockquote");
                self.out += "\n";
            }
            Tag::CodeBlock(kind) => self.code_block(kind),
            Tag::List(first) => self.list(*first),
            Tag::Table(alignments) => self.table(alignments),
            Tag::TableHead => {
                (self.inside.cell, self.inside.is_head) = (0, true);
                self.out += "<thead>\n<tr>";
            }
            Tag::TableRow => {
                self.inside.cell = 0;
                self.out += "<tr>";
            }
            Tag::TableCell => self.cell(),
            Tag::Link { dest_url, title, .. } => self.link(dest_url, title),
            _ => element(&tag.to_end()).into_iter().for_each(|name| self.open(name)),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        self.inside.depth = self.inside.depth.saturating_sub(usize::from(is_block(&tag)));
        let end = if is_block(&tag) { "\n" } else { "" };
        self.out += &match tag {
            TagEnd::Heading(level) => {
                format!("{}</{}>\n", std::mem::take(&mut self.inside.anchor), heading_element(level))
            }
            TagEnd::CodeBlock => self.in_dress("</code></pre>\n", "</pre>\n").to_owned(),
            TagEnd::Table => format!("</tbody>\n</table>{}\n", self.in_dress("</div>", "")),
            TagEnd::TableHead => {
                self.inside.is_head = false;
                "</tr>\n</thead>\n<tbody>\n".to_owned()
            }
            TagEnd::TableRow => "</tr>\n".to_owned(),
            TagEnd::TableCell => {
                self.inside.cell += 1;
                format!("</{}>", if self.inside.is_head { "th" } else { "td" })
            }
            TagEnd::Link if self.inside.links.pop() != Some(true) => String::new(),
            TagEnd::List(_) => {
                self.inside.lists = self.inside.lists.saturating_sub(1);
                element(&tag).map_or(String::new(), |name| format!("</{name}>\n"))
            }
            tag => element(&tag).map_or(end.to_owned(), |name| format!("</{name}>{end}")),
        };
    }

    fn heading(&mut self, name: &str, id: Option<&str>, from: &Events) {
        let Some(id) = id.filter(|_| self.dress == Dress::Web && !self.place.is_absolute) else {
            return self.open(name);
        };
        let words = plain(&from[..end_of(from, 0)]);
        let label = self.place.imprint.words.say("heading-link", &[("heading", words.into())]);
        let (id, label) = (escaped(id), escaped(&label));
        self.open_with(name, name, &format!(" id=\"{id}\""));
        self.inside.anchor = format!("<a class=\"anchor\" href=\"#{id}\" aria-label=\"{label}\">#</a>");
    }

    fn list(&mut self, first: Option<u64>) {
        self.inside.lists += 1;
        let name = if first.is_some() { "ol" } else { "ul" };
        let start = first.filter(|first| *first != 1).map_or(String::new(), |first| format!(" start=\"{first}\""));
        self.open_with(name, if self.inside.lists > 1 { "inner-list" } else { name }, &start);
        self.out += "\n";
    }

    fn code_block(&mut self, kind: &CodeBlockKind<'_>) {
        self.open("pre");
        let code = match kind {
            CodeBlockKind::Fenced(words) if !words.is_empty() => {
                let language = words.split([' ', ',']).next().unwrap_or_default();
                format!("<code class=\"language-{}\">", escaped(language))
            }
            _ => "<code>".to_owned(),
        };
        self.out += self.in_dress(&code, "");
    }

    fn table(&mut self, alignments: &[Alignment]) {
        self.inside.alignments = alignments.to_vec();
        // A wide table scrolls by itself, and must then be reachable from the keyboard (WCAG 2.2, 2.1.1).
        if self.dress == Dress::Web {
            let label = escaped(&self.place.say("table"));
            self.out += &format!("<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"{label}\">");
        }
        self.open_with("table", "table", self.in_dress("", mail_html::DATA_TABLE));
        self.out += "\n";
    }

    fn cell(&mut self) {
        // Mail programs know no `text-align:start`.
        let (attribute, start, end) = match self.dress {
            Dress::Web => ("class", "", "right"),
            Dress::Mail { is_rtl: false } => ("align", "left", "right"),
            Dress::Mail { is_rtl: true } => ("align", "right", "left"),
        };
        let side = match self.inside.alignments.get(self.inside.cell) {
            Some(Alignment::Right) => end,
            Some(Alignment::Center) => "center",
            _ => start,
        };
        let side = if side.is_empty() { String::new() } else { format!(" {attribute}=\"{side}\"") };
        match self.inside.is_head {
            true => self.open_with("th", "th", &format!("{side} scope=\"col\"")),
            false => self.open_with("td", "td", &side),
        }
    }

    fn link(&mut self, destination: &str, title: &str) {
        let address = self.place.link(destination);
        self.inside.links.push(address.is_some());
        if let Some(address) = address {
            let title = if title.is_empty() { String::new() } else { format!(" title=\"{}\"", escaped(title)) };
            self.open_with("a", "a", &format!(" href=\"{}\"{title}", escaped(&address)));
        }
    }

    fn mention(&mut self, label: &str) {
        let Some(number) = self.notes.number(label) else { return };
        if self.dress != Dress::Web {
            self.open("sup");
            self.out += &format!("{number}</sup>");
            return;
        }
        let prefix = self.place.prefix();
        let is_first = !self.inside.mentioned.contains(&number);
        self.inside.mentioned.push(number);
        let id = if is_first { format!(" id=\"mention-{prefix}-{number}\"") } else { String::new() };
        let label = escaped(&self.place.imprint.words.say("note-number", &[("number", number.into())]));
        self.out += &format!("<sup{id}><a href=\"#note-{prefix}-{number}\" aria-label=\"{label}\">{number}</a></sup>");
    }

    /// A picture, with caption and credit where it stands by itself; its words where there is no such file.
    fn picture(&mut self, drawing: &Drawing<'_>) {
        let picture = self.place.picture(drawing.source);
        let picture = picture.map(|picture| Picture { alt: drawing.alt.clone(), ..picture }.titled(drawing.title));
        self.out += &match (picture, self.dress) {
            (None, _) if drawing.is_figure => format!("<p>{}</p>\n", escaped(&drawing.alt)),
            (None, _) => escaped(&drawing.alt),
            (Some(picture), Dress::Web) if drawing.is_figure => web_figure(&picture),
            (Some(picture), Dress::Mail { .. }) if drawing.is_figure => mail_html::figure(&picture),
            (Some(picture), Dress::Web) => web_image(&picture),
            (Some(picture), Dress::Mail { .. }) => mail_html::image(&picture),
        };
    }
}

/// A picture as an element whose room is kept free while it loads.
fn web_image(picture: &Picture) -> String {
    let (source, alt) = (escaped(&picture.address), escaped(&picture.alt));
    let size = picture.size_attributes();
    format!("<img src=\"{source}\"{size} alt=\"{alt}\" loading=\"lazy\" decoding=\"async\">")
}

fn web_figure(picture: &Picture) -> String {
    let image = web_image(picture);
    let words = [(&picture.caption, ""), (&picture.credit, " class=\"credit\"")];
    let words = words.map(|(words, class)| {
        words.as_ref().map_or(String::new(), |words| format!("<span{class}>{}</span>", escaped(words)))
    });
    match words.iter().all(String::is_empty) {
        true => format!("<figure>{image}</figure>\n"),
        false => format!("<figure>{image}\n<figcaption>{}</figcaption></figure>\n", words.join(" ").trim()),
    }
}

/// Whether a list's item begins with a box to tick, in a paragraph or not.
fn is_task(item: &Events) -> bool {
    let is_paragraph = matches!(item.first(), Some((Event::Start(Tag::Paragraph), _)));
    matches!(item.get(usize::from(is_paragraph)), Some((Event::TaskListMarker(_), _)))
}

/// Whether a tag stands for a block, not for part of a line.
pub(super) fn is_block(tag: &TagEnd) -> bool {
    use TagEnd::{Emphasis, Image, Link, Strikethrough, Strong};
    !matches!(tag, Emphasis | Image | Link | Strikethrough | Strong)
}

fn element(tag: &TagEnd) -> Option<&'static str> {
    Some(match tag {
        TagEnd::Paragraph => "p",
        TagEnd::BlockQuote(_) => "blockquote",
        TagEnd::List(true) => "ol",
        TagEnd::List(false) => "ul",
        TagEnd::Item => "li",
        TagEnd::Emphasis => "em",
        TagEnd::Strong => "strong",
        TagEnd::Strikethrough => "del",
        TagEnd::Link => "a",
        _ => return None,
    })
}

/// The headline of the page is its only `h1`.
fn heading_element(level: HeadingLevel) -> String {
    level.max(HeadingLevel::H2).to_string()
}

/// The key of the word above a quote that is a remark.
pub(super) fn quote_key(kind: BlockQuoteKind) -> &'static str {
    match kind {
        BlockQuoteKind::Note => "remark-note",
        BlockQuoteKind::Tip => "remark-tip",
        BlockQuoteKind::Important => "remark-important",
        BlockQuoteKind::Warning => "remark-warning",
        BlockQuoteKind::Caution => "remark-caution",
    }
}

/// `text` as text or as an attribute's value in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text);
    out
}

fn push_escaped(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Neither HTML nor XML may hold them (XML 1.0, 2.2).
            control if control.is_control() && !matches!(control, '\n' | '\t') => {}
            letter => out.push(letter),
        }
    }
}
