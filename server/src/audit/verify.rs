//! Reads a whole audit log and says whether it is the one that was written.
//!
//! Each line carries the hash of the line before it: an edited, removed, added or moved line is found, with its place. Two things
//! the log alone cannot show: that lines are missing at its end, and that somebody who may write its files wrote all of it anew. An
//! anchor shows both: the hash of a line, kept where whoever can change the log cannot.

use std::path::Path;

use super::{
    file,
    line::{self, Digest, Found, Link},
    walk::{self, Closings, Line},
};
use crate::Error;

/// Most problems and notes that are told; they are all counted.
const LISTED_MAX: usize = 20;

/// What the log is held against.
#[derive(Debug, Default, Clone)]
pub struct Expected {
    /// The hash of a line that must be there.
    pub anchor: Option<Digest>,
    /// The hash of the line before the first, when older files were taken away.
    pub after: Option<Digest>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verified {
    /// Files read.
    pub files: u64,
    /// Whole lines read.
    pub lines: u64,
    /// Number of the first line; 0 without lines.
    pub first: u64,
    /// Number of the last line; 0 without lines.
    pub last: u64,
    /// Hash of the last line: an anchor for the next time.
    pub last_hash: String,
    /// Lines that the server says it had to drop.
    pub dropped: u64,
    /// What is no problem and worth knowing: writes that were cut off.
    pub notes: Vec<String>,
    /// What is wrong; empty when the log is whole.
    pub problems: Vec<String>,
    /// Problems that were found, listed or not.
    pub problem_count: u64,
}

/// A hash as `larder audit verify` prints it.
///
/// # Errors
/// How hashes are written.
pub fn parse_hash(text: &str) -> Result<Digest, String> {
    line::parse_digest(text)
        .ok_or_else(|| format!("`{text}` is no hash of a line: give its 64 hexadecimal digits"))
}

/// Reads the log in `directory`.
///
/// # Errors
/// [`Error::Audit`] when it cannot be read at all, or a newer release wrote it.
pub fn verify(directory: &Path, expected: &Expected) -> Result<Verified, Error> {
    let failed = |error: std::io::Error| {
        Error::Audit(format!("{}: the audit log cannot be read: {error}", directory.display()))
    };
    let files = file::list(directory).map_err(failed)?;
    if files.is_empty() {
        let what = "there is no audit log in it: give the directory of larder serve --audit";
        return Err(Error::Audit(format!("{}: {what}", directory.display())));
    }
    let mut reading = Reading {
        link: None,
        expected: expected.clone(),
        is_anchored: expected.anchor.is_none(),
        found: Verified::default(),
    };
    for first in files {
        let bytes = file::read(directory, first).map_err(failed)?;
        reading.file(first, &bytes).map_err(|why| {
            Error::Audit(format!(
                "{}: the audit log cannot be verified: {why}",
                directory.display()
            ))
        })?;
    }
    Ok(reading.finish())
}

struct Reading {
    /// The last line; `None` before the first.
    link: Option<Link>,
    expected: Expected,
    is_anchored: bool,
    found: Verified,
}

impl Reading {
    /// Goes through one file; why that is not possible, when a newer release wrote it.
    fn file(&mut self, first: u64, bytes: &[u8]) -> Result<(), String> {
        let name = file::name(first);
        self.found.files += 1;
        let closings = Closings::of(bytes);
        let (mut start, mut number) = (0, 0);
        while let Some(line) = walk::lines(bytes, start).next() {
            number += 1;
            start = line.end;
            let place = format!("{name}:{number}");
            // Before the line itself is looked at, as whoever went on with the file did.
            let link = self.link.unwrap_or(Link::START);
            if let Some(torn) = closings.torn(line.start, Some(link)) {
                number += walk::lines(bytes, start).take_while(|line| line.end <= torn.end).count();
                start = torn.end;
                self.torn(&place, &torn);
                continue;
            }
            if let Some(version) = line::newer_version(line.bytes).filter(|_| line.is_whole) {
                return Err(line::refusal(&place, version));
            }
            let found = Found::read(line.bytes).filter(|_| line.is_whole);
            if let Some(found) = found.as_ref().filter(|found| self.follows(found)) {
                if number == 1 && found.before.sequence + 1 != first {
                    self.problem(format!("{place}: the file has the name of another one"));
                }
                self.take(found);
                continue;
            }
            self.wrong(&place, &line, found.as_ref());
        }
        Ok(())
    }

    /// The line stands where it was written.
    fn follows(&self, found: &Found) -> bool {
        match self.link {
            Some(link) => found.before == link,
            None => match self.expected.after {
                Some(hash) => found.before.hash == hash,
                None => found.before == Link::START,
            },
        }
    }

    fn take(&mut self, found: &Found) {
        let link = found.link();
        self.is_anchored |= self.expected.anchor == Some(link.hash);
        if self.link.is_none() {
            self.found.first = link.sequence;
        }
        if found.text("event") == Some(super::DROPPED) {
            self.found.dropped += found.number("count").unwrap_or(0);
        }
        self.found.lines += 1;
        self.link = Some(link);
    }

    fn torn(&mut self, place: &str, torn: &walk::Torn) {
        let (bytes, at) = (torn.bytes, torn.closing.text("at").unwrap_or("?"));
        if torn.has_lines {
            self.problem(format!(
                "{place}: {bytes} bytes from here on are no lines of this chain: they were edited, or the disk damaged them, \
                 before the server started at {at}"
            ));
        } else if self.found.notes.len() < LISTED_MAX {
            self.found.notes.push(format!(
                "{place}: a line of {bytes} bytes was cut off when a server ended without being stopped; the one started at {at} \
                 says so"
            ));
        }
        self.take(&torn.closing);
    }

    /// Says what is wrong with a line, and goes on behind it.
    fn wrong(&mut self, place: &str, line: &Line<'_>, found: Option<&Found>) {
        let Some(found) = found else {
            if !line.is_whole {
                let bytes = line.bytes.len();
                self.found.notes.push(format!(
                    "{place}: the last line is not finished, {bytes} bytes: a server is writing it, or ended without being stopped"
                ));
                return;
            }
            return self.problem(format!(
                "{place}: this is no line of an audit log: it was edited or damaged"
            ));
        };
        let (is, link) = (found.before.sequence + 1, self.link);
        let what = match link {
            None if self.expected.after.is_some() => {
                "does not follow the line with the hash that was given".to_owned()
            }
            None if is > 1 => format!(
                "is the first, {} before it are missing; when they were taken away on purpose, give the hash of the last of them: \
                 --after HASH",
                is - 1
            ),
            None => "does not begin a chain: it was edited".to_owned(),
            Some(link) if is == link.sequence.saturating_add(1) => format!(
                "was written after another line {} than the one before it: that one was edited, or this one",
                link.sequence
            ),
            Some(link) if is <= link.sequence => {
                format!(
                    "stands after line {}: lines were moved, repeated or written anew",
                    link.sequence
                )
            }
            Some(link) => format!(
                "stands after line {}: {} between them are missing",
                link.sequence,
                is - link.sequence - 1
            ),
        };
        self.problem(format!("{place}: line {is} {what}"));
        self.take(found);
    }

    fn problem(&mut self, what: String) {
        self.found.problem_count += 1;
        if self.found.problems.len() < LISTED_MAX {
            self.found.problems.push(what);
        }
    }

    fn finish(mut self) -> Verified {
        if !self.is_anchored {
            self.problem(
                "no line has the hash of the anchor: the end of the log was cut off, or it was written anew".to_owned(),
            );
        }
        let link = self.link.unwrap_or(Link::START);
        self.found.last = link.sequence;
        self.found.last_hash = line::hex(&link.hash);
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{event::Event, log::AuditLog};

    /// A log of one file with so many lines, and its hashes.
    fn written(lines: i64) -> (tempfile::TempDir, Vec<Digest>) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut log = AuditLog::open(directory.path(), 1 << 20, 0).expect("it opens");
        let hashes = (0..lines)
            .map(|number| {
                log.append(vec![Event::new(number, "put").with("rows", number)]).expect("written");
                log.link().hash
            })
            .collect();
        (directory, hashes)
    }

    /// The problems after `change` of the lines.
    fn after(change: impl FnOnce(&mut Vec<String>), expected: &Expected) -> Vec<String> {
        let (directory, _) = written(6);
        let path = directory.path().join(file::name(1));
        let text = file::read(directory.path(), 1).expect("it is there");
        let text = String::from_utf8(text).expect("JSON");
        let mut lines: Vec<_> = text.lines().map(|line| format!("{line}\n")).collect();
        change(&mut lines);
        file::replace(&path, lines.concat().as_bytes()).expect("it is written");
        verify(directory.path(), expected).expect("it is read").problems
    }

    #[test]
    fn every_change_of_a_line_is_found_with_its_place() {
        let none = Expected::default();
        assert_eq!(after(|_| {}, &none), [""; 0]);
        let edited = after(|lines| lines[2] = lines[2].replace("\"rows\":2", "\"rows\":9"), &none);
        assert!(edited[0].contains(":4: line 4 was written after another line 3"), "{edited:?}");
        let removed = after(|lines| _ = lines.remove(2), &none);
        assert!(removed[0].contains(":3: line 4 stands after line 2: 1 between"), "{removed:?}");
        let moved = after(|lines| lines.swap(2, 3), &none);
        assert!(moved.iter().any(|problem| problem.contains("moved")), "{moved:?}");
        let repeated = after(|lines| lines.insert(3, lines[2].clone()), &none);
        assert!(repeated[0].contains("line 3 stands after line 3"), "{repeated:?}");
        let cut = after(|lines| _ = lines.remove(0), &none);
        assert!(cut[0].contains("--after HASH"), "{cut:?}");
        let damaged = after(|lines| lines[4] = "\0\0\n".to_owned(), &none);
        assert!(damaged[0].contains(":5: this is no line"), "{damaged:?}");
        let added = after(|lines| lines.insert(3, "{\"event\":\"put\"}\n".to_owned()), &none);
        assert!(added[0].contains(":4: this is no line"), "{added:?}");
    }

    #[test]
    fn any_byte_that_becomes_another_is_found_before_the_last_line() {
        let (directory, hashes) = written(4);
        let bytes = file::read(directory.path(), 1).expect("it is there");
        let last = walk::lines(&bytes, 0).last().expect("a line").start;
        let path = directory.path().join(file::name(1));
        let problems = |bytes: &[u8], anchor| {
            file::replace(&path, bytes).expect("it is written");
            let expected = Expected { anchor, after: None };
            verify(directory.path(), &expected).expect("it is read").problem_count
        };
        let anchor = hashes.last().copied();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            if place < last {
                assert_ne!(problems(&changed, None), 0, "byte {place}");
            }
            // An anchor shows changes of the last line, too; a newline is none of its bytes.
            assert!(problems(&changed, anchor) != 0, "byte {place}");
        }
    }

    #[test]
    fn a_cut_off_end_is_found_with_an_anchor_and_only_then() {
        let (_, hashes) = written(6);
        let cut = |lines: &mut Vec<String>| lines.truncate(4);
        assert_eq!(after(cut, &Expected::default()), [""; 0]);
        let anchored = |hash: Digest| Expected { anchor: Some(hash), after: None };
        let missing = after(cut, &anchored(hashes[5]));
        assert!(missing[0].contains("the anchor"), "{missing:?}");
        assert_eq!(after(cut, &anchored(hashes[3])), [""; 0], "what it anchors is there");
    }

    #[test]
    fn files_that_were_taken_away_are_allowed_when_the_hash_before_them_is_given() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut log = AuditLog::open(directory.path(), 500, 0).expect("it opens");
        let mut hashes = Vec::new();
        for number in 0..12 {
            log.append(vec![Event::new(number, "put")]).expect("written");
            hashes.push(log.link().hash);
        }
        let files = file::list(directory.path()).expect("listed");
        let kept = files[2];
        for taken in &files[..2] {
            std::process::Command::new("rm")
                .arg(directory.path().join(file::name(*taken)))
                .status()
                .expect("it is removed");
        }
        let found = verify(directory.path(), &Expected::default()).expect("it is read");
        assert!(found.problems[0].contains("are missing"), "{:?}", found.problems);
        let before = usize::try_from(kept).expect("small") - 2;
        let expected = Expected { anchor: None, after: Some(hashes[before]) };
        let found = verify(directory.path(), &expected).expect("it is read");
        assert_eq!((found.problems.len(), found.first, found.last), (0, kept, 12));
    }

    #[test]
    fn a_directory_without_a_log_is_said_to_be_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = verify(directory.path(), &Expected::default()).expect_err("empty");
        assert!(error.to_string().contains("no audit log"), "{error}");
    }
}
