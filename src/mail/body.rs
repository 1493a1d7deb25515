//! Encodes the text of one MIME part in 7-bit lines of at most 76 characters (RFC 2045, 6.7 and 6.8), cut into pieces
//! between which a reader's own words are put. What is written is already in the form in which bodies are signed
//! (RFC 6376, 3.4.4): no tab, no two spaces in a row, none at the end of a line.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::content::FIRST_NAME_MARKS;

/// What one line of base64 holds: 57 bytes in 76 characters.
const BYTES_PER_BASE64_LINE: usize = 57;

/// One character less than a line may have, for the `=` that breaks it softly.
const QUOTED_PRINTABLE_COLUMNS: usize = 75;

/// A stretch of an encoded part.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// The same for every reader.
    Fixed(Vec<u8>),
    /// In quoted-printable a value stands as it is.
    Slot(usize),
    /// There a first name has lines of its own; here is what stands in them for readers without one, encoded.
    Name(Vec<u8>),
    /// In base64 the lines that a value touches are encoded when it is known; behind a first name, all.
    Base64Lines { decoded: Vec<u8>, slots: Vec<Slot> },
}

/// Where a marker stands and which one it is; none: it is the first name, and its marks hold what stands instead.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    range: Range<usize>,
    index: Option<usize>,
}

/// The first word of how somebody wants to be called. Only letters, hyphens and apostrophes make a name: it needs no
/// escaping, and nobody can have an address of the web sent to others by it.
pub fn first_name(name: &str) -> Option<&str> {
    let first = name.split_whitespace().next()?;
    let is_name = first.chars().all(|letter| letter.is_alphabetic() || "-'’".contains(letter));
    (is_name && first.starts_with(char::is_alphabetic) && first.len() <= 100).then_some(first)
}

/// Whether a text can stand in an encoded line as it is, and cannot be taken for a dot or a `From ` at its start.
pub(super) fn is_spliceable(text: &str) -> bool {
    (8..=QUOTED_PRINTABLE_COLUMNS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The name of the encoding and the encoded pieces; the last line ends in CRLF.
pub(super) fn encode(text: &str, markers: &[&str]) -> (&'static str, Vec<Piece>) {
    let text = with_crlf(text);
    let slots = find(&text, markers);
    let quoted = quoted_printable(text.as_bytes(), &slots);
    let quoted_length: usize = quoted.iter().map(|piece| piece.length(markers)).sum();
    if quoted_length <= base64_length(text.len()) {
        ("quoted-printable", quoted)
    } else {
        ("base64", base64(text.as_bytes(), &slots))
    }
}

/// Appends the pieces to `message`, with `values` and the first name, if there is one, where their slots are.
pub(super) fn splice(pieces: &[Piece], values: &[&str], name: Option<&str>, message: &mut Vec<u8>) {
    let value = |index: usize| values.get(index).copied().unwrap_or_default().as_bytes();
    for piece in pieces {
        match piece {
            Piece::Fixed(bytes) => message.extend_from_slice(bytes),
            Piece::Slot(index) => message.extend_from_slice(value(*index)),
            Piece::Name(fallback) => match name {
                Some(name) => message.extend(quoted_line(name.as_bytes())),
                None => message.extend_from_slice(fallback),
            },
            Piece::Base64Lines { decoded, slots } => {
                let (mut lines, mut at) = (Vec::with_capacity(decoded.len()), 0);
                for Slot { range, index } in slots {
                    let inside =
                        range.start + FIRST_NAME_MARKS[0].len_utf8()..range.end - FIRST_NAME_MARKS[1].len_utf8();
                    let fallback = || name.map_or(&decoded[inside], str::as_bytes);
                    lines.extend_from_slice(&decoded[at..range.start]);
                    lines.extend_from_slice(index.map_or_else(fallback, value));
                    at = range.end;
                }
                lines.extend_from_slice(&decoded[at..]);
                write_base64_lines(&lines, message);
            }
        }
    }
}

impl Piece {
    pub(super) fn length(&self, markers: &[&str]) -> usize {
        match self {
            Piece::Fixed(bytes) | Piece::Name(bytes) => bytes.len(),
            Piece::Slot(index) => markers.get(*index).map_or(0, |marker| marker.len()),
            Piece::Base64Lines { decoded, .. } => base64_length(decoded.len()),
        }
    }
}

/// The canonical form of text on its way: every line break is CRLF (RFC 2046, 4.1.1).
fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

fn find(text: &str, markers: &[&str]) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for (index, marker) in markers.iter().enumerate().filter(|(_, marker)| is_spliceable(marker)) {
        slots.extend(
            text.match_indices(marker).map(|(at, _)| Slot { range: at..at + marker.len(), index: Some(index) }),
        );
    }
    let [begin, end] = FIRST_NAME_MARKS;
    slots.extend(text.match_indices(begin).filter_map(|(at, _)| {
        let length = text[at..].find(end)? + end.len_utf8();
        Some(Slot { range: at..at + length, index: None })
    }));
    slots.sort_by_key(|slot| slot.range.start);
    let mut end = 0;
    slots.retain(|slot| {
        let is_apart = slot.range.start >= end;
        end = if is_apart { slot.range.end } else { end };
        is_apart
    });
    slots
}

fn quoted_printable(text: &[u8], slots: &[Slot]) -> Vec<Piece> {
    let mut writer = QuotedPrintable::default();
    let mut slots = slots.iter().peekable();
    let mut at = 0;
    while at < text.len() {
        if let Some(slot) = slots.next_if(|slot| slot.range.start == at) {
            writer.slot(slot, text);
            at = slot.range.end;
        } else if text[at..].starts_with(b"\r\n") {
            writer.end_line();
            at += 2;
        } else {
            writer.byte(text[at], &text[at + 1..]);
            at += 1;
        }
    }
    writer.end_line();
    writer.finish()
}

/// A text that ends in a soft break.
fn quoted_line(text: &[u8]) -> Vec<u8> {
    let mut writer = QuotedPrintable::default();
    for (at, byte) in text.iter().enumerate() {
        writer.byte(*byte, &text[at + 1..]);
    }
    writer.break_softly();
    writer.fixed
}

#[derive(Default)]
struct QuotedPrintable {
    pieces: Vec<Piece>,
    fixed: Vec<u8>,
    column: usize,
}

impl QuotedPrintable {
    fn byte(&mut self, byte: u8, rest: &[u8]) {
        self.make_room_for(if self.stands_for_itself(byte, rest) { 1 } else { 3 });
        // Asked again, for a soft break may have moved the byte to the start of a line.
        if self.stands_for_itself(byte, rest) {
            self.fixed.push(byte);
            self.column += 1;
        } else {
            self.make_room_for(3);
            self.fixed.extend_from_slice(format!("={byte:02X}").as_bytes());
            self.column += 3;
        }
    }

    /// At the start of a line a dot would be doubled on its way through SMTP (RFC 5321, 4.5.2) and `From ` be quoted in
    /// mailboxes; at its end a space would get lost, and what is signed has no two in a row.
    fn stands_for_itself(&self, byte: u8, rest: &[u8]) -> bool {
        match byte {
            b'=' => false,
            b'.' => self.column > 0,
            b'F' => self.column > 0 || !rest.starts_with(b"rom "),
            b' ' => self.fixed.last() != Some(&b' ') && !(rest.is_empty() || rest.starts_with(b"\r\n")),
            _ => byte.is_ascii_graphic(),
        }
    }

    fn slot(&mut self, slot: &Slot, text: &[u8]) {
        let Some(index) = slot.index else { return self.name(&text[slot.range.clone()]) };
        self.make_room_for(slot.range.len());
        self.column += slot.range.len();
        self.pieces.push(Piece::Fixed(std::mem::take(&mut self.fixed)));
        self.pieces.push(Piece::Slot(index));
    }

    fn name(&mut self, marked: &[u8]) {
        let [begin, end] = FIRST_NAME_MARKS.map(char::len_utf8);
        self.break_softly();
        self.pieces.push(Piece::Fixed(std::mem::take(&mut self.fixed)));
        self.pieces.push(Piece::Name(quoted_line(&marked[begin..marked.len() - end])));
    }

    fn make_room_for(&mut self, columns: usize) {
        if self.column + columns > QUOTED_PRINTABLE_COLUMNS {
            self.break_softly();
        }
    }

    fn break_softly(&mut self) {
        self.fixed.extend_from_slice(b"=\r\n");
        self.column = 0;
    }

    fn end_line(&mut self) {
        self.fixed.extend_from_slice(b"\r\n");
        self.column = 0;
    }

    fn finish(mut self) -> Vec<Piece> {
        self.pieces.push(Piece::Fixed(self.fixed));
        self.pieces
    }
}

fn base64(text: &[u8], slots: &[Slot]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut encoded_to = 0;
    for (lines, slots) in lines_with_slots(text.len(), slots) {
        pieces.push(Piece::Fixed(base64_lines(&text[encoded_to..lines.start])));
        encoded_to = lines.end;
        pieces.push(Piece::Base64Lines { decoded: text[lines].to_vec(), slots });
    }
    pieces.push(Piece::Fixed(base64_lines(&text[encoded_to..])));
    pieces
}

/// The ranges of whole lines that hold slots, each with its slots counted from the range's start.
fn lines_with_slots(length: usize, slots: &[Slot]) -> Vec<(Range<usize>, Vec<Slot>)> {
    let mut stretches: Vec<(Range<usize>, Vec<Slot>)> = Vec::new();
    for Slot { range, index } in slots {
        let start = range.start - range.start % BYTES_PER_BASE64_LINE;
        let end = range.end.next_multiple_of(BYTES_PER_BASE64_LINE).min(length);
        // What comes behind a name moves with its length.
        let end = if index.is_some() { end } else { length };
        if stretches.last().is_none_or(|(lines, _)| start >= lines.end) {
            stretches.push((start..end, Vec::new()));
        }
        if let Some((lines, inside)) = stretches.last_mut() {
            lines.end = lines.end.max(end);
            inside.push(Slot { range: range.start - lines.start..range.end - lines.start, index: *index });
        }
    }
    stretches
}

fn base64_lines(decoded: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(base64_length(decoded.len()));
    write_base64_lines(decoded, &mut lines);
    lines
}

fn write_base64_lines(decoded: &[u8], lines: &mut Vec<u8>) {
    for line in decoded.chunks(BYTES_PER_BASE64_LINE) {
        lines.extend_from_slice(BASE64.encode(line).as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
}

fn base64_length(decoded: usize) -> usize {
    decoded.div_ceil(3) * 4 + decoded.div_ceil(BYTES_PER_BASE64_LINE) * 2
}
