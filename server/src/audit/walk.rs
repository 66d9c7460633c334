//! Goes along the lines of one file and says where the chain ends: the one reading that the writer and the verification share.

use std::collections::BTreeMap;

use super::line::{self, Found, Link};

/// The event of a line that says what a process left that died while it wrote.
pub(super) const TORN: &str = "torn";

/// A line, and the bytes at which it and the next one begin.
pub(super) struct Line<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Without the newline.
    pub(super) bytes: &'a [u8],
    /// A newline follows.
    pub(super) is_whole: bool,
}

/// The lines of `file` from byte `start` on.
pub(super) fn lines(file: &[u8], start: usize) -> impl Iterator<Item = Line<'_>> {
    let mut next = start;
    std::iter::from_fn(move || {
        let rest = file.get(next..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| *byte == b'\n');
        let bytes = rest.get(..length.unwrap_or(rest.len()))?;
        let start = next;
        next += bytes.len() + usize::from(length.is_some());
        Some(Line { start, end: next, bytes, is_whole: length.is_some() })
    })
}

/// Where the chain of one file ends.
pub(super) struct Tail {
    /// Its last whole line; `None` when there is none.
    pub(super) link: Option<Link>,
    /// Bytes up to the end of that line.
    pub(super) whole: usize,
    /// The version of the line behind it, when that is one that this release does not know.
    pub(super) newer: Option<u64>,
}

/// Follows the chain from the file's start, whatever its first line says that it follows.
pub(super) fn tail(file: &[u8]) -> Tail {
    let closings = Closings::of(file);
    let mut tail = Tail { link: None, whole: 0, newer: None };
    while let Some(line) = lines(file, tail.whole).next() {
        // First: of a line that was cut off nothing but the newline may be missing, and that is there by now.
        if let Some(torn) = closings.torn(line.start, tail.link) {
            tail = Tail { link: Some(torn.closing.link()), whole: torn.end, newer: None };
            continue;
        }
        tail.newer = line::newer_version(line.bytes).filter(|_| line.is_whole);
        if tail.newer.is_some() {
            break;
        }
        let found = Found::read(line.bytes).filter(|_| line.is_whole);
        let follows = |found: &Found| tail.link.is_none_or(|link| link == found.before);
        let Some(found) = found.filter(follows) else { break };
        tail = Tail { link: Some(found.link()), whole: line.end, newer: None };
    }
    tail
}

/// What a process left that died while it wrote, and the line of the next start about it.
pub(super) struct Torn {
    pub(super) closing: Found,
    /// The byte behind that line.
    pub(super) end: usize,
    /// Bytes that were left.
    pub(super) bytes: usize,
    /// They are more than the beginning of one line.
    pub(super) has_lines: bool,
}

/// The lines of a file that say that a write was cut off.
pub(super) struct Closings<'a> {
    file: &'a [u8],
    /// Where they begin and end, by the byte at which the write began.
    places: BTreeMap<u64, (usize, usize)>,
}

/// What an event is stands among the first bytes of a line.
const HEAD_BYTES: usize = 200;

impl<'a> Closings<'a> {
    pub(super) fn of(file: &'a [u8]) -> Self {
        let word = format!("\"event\":\"{TORN}\"");
        let is_one = |line: &Line<'_>| {
            let head = line.bytes.get(..HEAD_BYTES).unwrap_or(line.bytes);
            head.windows(word.len()).any(|window| window == word.as_bytes())
        };
        let places = lines(file, 0).filter(|line| line.is_whole && is_one(line));
        let place = |line: Line<'_>| {
            Some((Found::read(line.bytes)?.number("offset")?, (line.start, line.end)))
        };
        Self { file, places: places.filter_map(place).collect() }
    }

    /// What was left from byte `start` on by who wrote behind `link`; `None` in front of it: whatever that was.
    pub(super) fn torn(&self, start: usize, link: Option<Link>) -> Option<Torn> {
        let (line_start, end) = *self.places.get(&(start as u64))?;
        let line = self.file.get(line_start..end)?;
        let closing = Found::read(line.strip_suffix(b"\n").unwrap_or(line))?;
        let bytes = usize::try_from(closing.number("bytes")?).ok()?;
        let behind = start.checked_add(bytes)?;
        let left = self.file.get(start..behind)?;
        // A newline closes what has none.
        let is_closed = matches!(self.file.get(behind..line_start)?, b"" | b"\n");
        let is_same = closing.text("sha256") == Some(&line::hex(&line::digest(left)));
        if !is_closed || !is_same || link.is_some_and(|link| link != closing.before) {
            return None;
        }
        Some(Torn { closing, end, bytes, has_lines: left.contains(&b'\n') })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::Event;

    #[test]
    fn the_tail_is_the_last_whole_line_wherever_the_file_is_cut() {
        let (mut bytes, mut link, mut ends) = (Vec::new(), Link::START, Vec::new());
        for at in 0..4 {
            link = line::write(&mut bytes, link, Event::new(at, "put"));
            ends.push((bytes.len(), link));
        }
        for cut in 0..=bytes.len() {
            let tail = tail(&bytes[..cut]);
            let expected = ends.iter().rev().find(|(end, _)| *end <= cut);
            assert_eq!(tail.link, expected.map(|(_, link)| *link), "cut at {cut}");
            assert_eq!(tail.whole, expected.map_or(0, |(end, _)| *end), "cut at {cut}");
        }
    }
}
