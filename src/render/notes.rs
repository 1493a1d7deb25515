//! Markdown events as writers of HTML and text meet them: pictures whole, and footnotes numbered as they are first
//! mentioned, to be written at the end.

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::content::FIRST_NAME_MARKS;

use super::Events;

/// The footnotes of the shown part of a text.
pub(super) struct Notes<'a> {
    mentioned: Vec<(&'a str, &'a Events)>,
}

impl<'a> Notes<'a> {
    /// Finds the notes that `events` mention and define; what is defined elsewhere is not shown and has no number.
    pub fn of(events: &'a Events) -> Notes<'a> {
        let definitions = definitions(events);
        let mut mentioned: Vec<(&str, &Events)> = Vec::new();
        let mut next = 0;
        let mut part = without_definitions(events);
        loop {
            for label in part {
                let definition = definitions.iter().find(|(name, _)| *name == label);
                if let Some(definition) = definition
                    && mentioned.iter().all(|(name, _)| *name != label)
                {
                    mentioned.push(*definition);
                }
            }
            let Some((_, definition)) = mentioned.get(next) else { return Notes { mentioned } };
            part = without_definitions(definition);
            next += 1;
        }
    }

    /// The number of the note called `label`, from 1.
    pub fn number(&self, label: &str) -> Option<usize> {
        self.mentioned.iter().position(|(name, _)| *name == label).map(|index| index + 1)
    }

    /// What the notes say, in order.
    pub fn texts(&self) -> impl Iterator<Item = &'a Events> {
        self.mentioned.iter().map(|(_, events)| *events)
    }
}

fn definitions(events: &Events) -> Vec<(&str, &Events)> {
    let starts = events.iter().enumerate().filter_map(|(start, (event, _))| match event {
        Event::Start(Tag::FootnoteDefinition(label)) => Some((start, label)),
        _ => None,
    });
    starts.map(|(start, label)| (&**label, &events[start + 1..end_of(events, start)])).collect()
}

fn without_definitions(events: &Events) -> Vec<&str> {
    let mut labels = Vec::new();
    let mut index = 0;
    while let Some((event, _)) = events.get(index) {
        match event {
            Event::Start(Tag::FootnoteDefinition(_)) => index = end_of(events, index),
            Event::FootnoteReference(label) => labels.push(&**label),
            _ => {}
        }
        index += 1;
    }
    labels
}

/// The index of the event that ends what starts at `start`; the last one if it is cut off.
pub(super) fn end_of(events: &Events, start: usize) -> usize {
    let mut depth = 0usize;
    for (index, (event, _)) in events.iter().enumerate().skip(start) {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    events.len().saturating_sub(1)
}

/// What a writer meets on its way through a text, one after the other.
pub(super) enum Piece<'a> {
    /// What a tag opens, and all events from there on.
    Start(&'a Tag<'static>, &'a Events),
    /// What a tag closes.
    End(TagEnd),
    /// Words and other marks.
    Leaf(&'a Event<'static>),
    /// A picture, whole.
    Picture(Drawing<'a>),
}

/// A picture as Markdown has it.
pub(super) struct Drawing<'a> {
    /// By `content/…` or an https address.
    pub source: &'a str,
    /// Caption and credit.
    pub title: &'a str,
    /// What it shows.
    pub alt: String,
    /// Whether it stands by itself, and is not within a line.
    pub is_figure: bool,
}

/// `events` without the notes, which are written elsewhere.
pub(super) fn pieces(events: &Events) -> impl Iterator<Item = Piece<'_>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        while let Some((Event::Start(Tag::FootnoteDefinition(_)), _)) = events.get(next) {
            next = end_of(events, next) + 1;
        }
        let index = next;
        let (event, _) = events.get(index)?;
        next += 1;
        if let Some((drawing, end)) = drawing(events, index) {
            next = end + 1;
            return Some(Piece::Picture(drawing));
        }
        Some(match event {
            Event::Start(tag) => Piece::Start(tag, &events[index..]),
            Event::End(tag) => Piece::End(*tag),
            leaf => Piece::Leaf(leaf),
        })
    })
}

/// The picture that starts at `index`, alone in a paragraph or within a line, and where it ends.
fn drawing(events: &Events, index: usize) -> Option<(Drawing<'_>, usize)> {
    let is_paragraph = matches!(events[index].0, Event::Start(Tag::Paragraph));
    let start = index + usize::from(is_paragraph);
    let Some((Event::Start(Tag::Image { dest_url, title, .. }), _)) = events.get(start) else { return None };
    let mut end = end_of(events, start);
    let alt = plain(&events[start..end]);
    if is_paragraph {
        end += 1;
        matches!(events.get(end), Some((Event::End(TagEnd::Paragraph), _))).then_some(())?;
    }
    Some((Drawing { source: dest_url, title, alt, is_figure: is_paragraph }, end))
}

/// The words in `events`, without markup.
pub(super) fn plain(events: &Events) -> String {
    let words = events.iter().map(|(event, _)| match event {
        Event::Text(text) | Event::Code(text) => text,
        Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph) => " ",
        _ => "",
    });
    words.collect::<String>().replace(FIRST_NAME_MARKS, "").trim().to_owned()
}
