//! What a relay says: three digits, perhaps an enhanced code, and words (RFC 5321, 4.2; RFC 2034, 4).

use std::fmt;

/// Nobody reads more of an answer.
const LONGEST_TEXT: usize = 512;

/// One answer, its lines joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// From 200 to 599.
    pub code: u16,
    /// `5.1.1`, where there is one.
    pub enhanced: Option<String>,
    /// The rest, without control characters and at most 512 characters. It may hold the reader's address: for the
    /// database, not for logs.
    pub text: String,
}

impl Reply {
    /// Reads an answer as it stands in documentation: `550 5.1.1 no such mailbox`.
    pub fn parse(line: &str) -> Option<Reply> {
        split_line(line.as_bytes()).map(|(code, _, words)| Reply::from_lines(code, &[words]))
    }

    /// Joins the lines of an answer by spaces.
    pub(super) fn from_lines(code: u16, lines: &[String]) -> Reply {
        let mut reply = Reply { code, enhanced: None, text: String::new() };
        for line in lines {
            reply.add(line);
        }
        reply
    }

    /// Adds the words of one line; each may repeat the enhanced code (RFC 2034, 4).
    fn add(&mut self, words: &str) {
        let (first, rest) = words.split_once(' ').unwrap_or((words, ""));
        let words = if is_enhanced(first) && self.enhanced.as_deref().is_none_or(|code| code == first) {
            self.enhanced = Some(first.to_owned());
            rest
        } else {
            words
        };
        let words = words.split(|character: char| character == ' ' || character.is_control());
        for word in words.filter(|word| !word.is_empty()) {
            let gap = usize::from(!self.text.is_empty());
            let room = LONGEST_TEXT.saturating_sub(self.text.chars().count() + gap);
            if room > 0 {
                self.text.extend(std::iter::repeat_n(' ', gap));
                self.text.extend(word.chars().take(room));
            }
        }
    }
}

/// Code, whether it is the last line, and the words of one line of an answer.
pub(super) fn split_line(line: &[u8]) -> Option<(u16, bool, String)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (is_last, words) = match rest.split_first() {
        None => (true, rest),
        Some((b' ', words)) => (true, words),
        Some((b'-', words)) => (false, words),
        Some(_) => return None,
    };
    let is_code = digits.iter().all(u8::is_ascii_digit) && (200..600).contains(&code);
    is_code.then(|| (code, is_last, String::from_utf8_lossy(words).into_owned()))
}

fn is_enhanced(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(is_number)
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.code)?;
        if let Some(enhanced) = &self.enhanced {
            write!(formatter, " {enhanced}")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(formatter, " {}", self.text) }
    }
}
