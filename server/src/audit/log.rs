//! The log as its one writer has it: appends lines, begins files, and goes on where an earlier process ended, however it ended.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{
    event::Event,
    file,
    line::{self, Link},
    walk::{self, TORN, Tail},
};

/// See the module.
pub(super) struct AuditLog {
    directory: PathBuf,
    file_bytes_max: u64,
    /// Where lines go; `None` after a write that failed, which may have left a part of a line.
    file: Option<Open>,
    link: Link,
    is_dirty: bool,
    /// As long as it is there nobody else writes.
    _lock: file::Held,
}

struct Open {
    file: File,
    bytes: u64,
}

impl AuditLog {
    /// Goes on with the log in `directory`, which is made when it is not there. `now_ms` is said in a line about a torn one.
    pub(super) fn open(directory: &Path, file_bytes_max: u64, now_ms: i64) -> io::Result<Self> {
        let lock = file::take(directory)?;
        let mut log = Self {
            directory: directory.to_owned(),
            file_bytes_max,
            file: None,
            link: Link::START,
            is_dirty: false,
            _lock: lock,
        };
        log.resume(now_ms)?;
        Ok(log)
    }

    /// The last line.
    pub(super) fn link(&self) -> Link {
        self.link
    }

    /// Adds lines in one write.
    ///
    /// # Errors
    /// When not all of them are in the file. The next call finds out how many are.
    pub(super) fn append(&mut self, events: Vec<Event>) -> io::Result<()> {
        let Some(first) = events.first() else { return Ok(()) };
        if self.file.is_none() {
            self.resume(first.at_ms)?;
        }
        let mut bytes = Vec::new();
        let mut link = self.link;
        for event in events {
            link = line::write(&mut bytes, link, event);
        }
        self.write(&bytes, link)
    }

    /// Has everything on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if let Some(open) = self.file.as_ref().filter(|_| self.is_dirty) {
            open.file.sync_data()?;
        }
        self.is_dirty = false;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], link: Link) -> io::Result<()> {
        let is_full =
            |open: &Open| open.bytes > 0 && open.bytes + bytes.len() as u64 > self.file_bytes_max;
        if self.file.as_ref().is_some_and(is_full) {
            self.sync()?;
            self.file = None;
        }
        let mut open = match self.file.take() {
            Some(open) => open,
            None => Open {
                file: file::append_to(&self.directory, self.link.sequence.saturating_add(1))?,
                bytes: 0,
            },
        };
        // An error leaves `file` empty: what is in it then is looked up.
        open.file.write_all(bytes)?;
        open.bytes += bytes.len() as u64;
        (self.file, self.link, self.is_dirty) = (Some(open), link, true);
        Ok(())
    }

    /// Finds the last line, and closes what stands behind it.
    fn resume(&mut self, now_ms: i64) -> io::Result<()> {
        let files = file::list(&self.directory)?;
        let Some(last) = files.last() else { return Ok(()) };
        let (bytes, tail) = self.tail(*last)?;
        self.link = match tail.link {
            Some(link) => link,
            None => self.link_before(files.split_last().map_or(&[][..], |(_, before)| before))?,
        };
        let open =
            Open { file: file::append_to(&self.directory, *last)?, bytes: bytes.len() as u64 };
        self.file = Some(open);
        let left = bytes.get(tail.whole..).unwrap_or_default();
        if left.is_empty() {
            return Ok(());
        }
        let torn = Event::new(now_ms, TORN)
            .with("offset", tail.whole)
            .with("bytes", left.len())
            .with("sha256", line::hex(&line::digest(left)));
        let mut closing = if left.ends_with(b"\n") { Vec::new() } else { vec![b'\n'] };
        let link = line::write(&mut closing, self.link, torn);
        // In the file that it speaks of, however full that is.
        let Some(open) = &mut self.file else { return Ok(()) };
        let written = open.file.write_all(&closing);
        open.bytes += closing.len() as u64;
        match written {
            Ok(()) => (self.link, self.is_dirty) = (link, true),
            Err(_) => self.file = None,
        }
        written
    }

    /// The last line of `files`, the one behind which has none: a process died when it had just begun it.
    fn link_before(&self, files: &[u64]) -> io::Result<Link> {
        for first in files.iter().rev() {
            if let (_, Tail { link: Some(link), .. }) = self.tail(*first)? {
                return Ok(link);
            }
        }
        Ok(Link::START)
    }

    /// A file and where its chain ends.
    ///
    /// # Errors
    /// Also when a newer release wrote it: to go on with it could only damage it.
    fn tail(&self, first: u64) -> io::Result<(Vec<u8>, Tail)> {
        let bytes = file::read(&self.directory, first)?;
        let tail = walk::tail(&bytes);
        match tail.newer {
            Some(version) => Err(io::Error::other(line::refusal(&file::name(first), version))),
            None => Ok((bytes, tail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verify::{Expected, verify};

    fn open(directory: &Path) -> AuditLog {
        AuditLog::open(directory, 1000, 7).expect("it opens")
    }

    fn put(log: &mut AuditLog, number: i64) {
        log.append(vec![Event::new(number, "put").with("rows", number)]).expect("it is written");
    }

    #[test]
    fn the_chain_goes_on_across_files_and_starts() {
        let directory = tempfile::tempdir().expect("a directory");
        for start in 0..3 {
            let mut log = open(directory.path());
            (0..10).for_each(|number| put(&mut log, start * 10 + number));
            assert_eq!(log.link().sequence, (start as u64 + 1) * 10);
        }
        let found = verify(directory.path(), &Expected::default()).expect("it is read");
        assert_eq!(found.problems, [""; 0]);
        assert_eq!((found.lines, found.notes.len()), (30, 0));
        assert!(found.files > 3, "{} files", found.files);
    }

    /// A process that died wrote any part of its last lines: the next one goes on, and all of it is accounted for.
    #[test]
    fn wherever_a_write_is_cut_off_the_next_start_says_so_and_goes_on() {
        let whole = tempfile::tempdir().expect("a directory");
        let mut log = open(whole.path());
        (0..3).for_each(|number| put(&mut log, number));
        let bytes = file::read(whole.path(), 1).expect("one file");
        let starts: Vec<_> = walk::lines(&bytes, 0).map(|line| line.start).collect();
        for cut in 0..bytes.len() {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join(file::name(1));
            file::replace(&path, &bytes[..cut]).expect("it is written");
            put(&mut open(directory.path()), 99);
            let is_torn = cut > 0 && !starts.contains(&cut);
            let found = verify(directory.path(), &Expected::default()).expect("it is read");
            assert_eq!(found.problems, [""; 0], "cut at {cut}");
            assert_eq!(found.notes.len(), usize::from(is_torn), "cut at {cut}: {:?}", found.notes);
            // A second start finds nothing more to say.
            put(&mut open(directory.path()), 100);
            let again = verify(directory.path(), &Expected::default()).expect("it is read");
            assert_eq!((again.problems.len(), again.lines), (0, found.lines + 1), "cut at {cut}");
        }
    }

    #[test]
    fn a_log_of_a_newer_release_is_left_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        put(&mut open(directory.path()), 1);
        let path = directory.path().join(file::name(1));
        let mut bytes = file::read(directory.path(), 1).expect("one file");
        bytes.extend_from_slice(b"{\"v\":2,\"number\":2}\n");
        file::replace(&path, &bytes).expect("it is written");
        let error = AuditLog::open(directory.path(), 1000, 7).err().expect("refused").to_string();
        assert!(error.contains("version 2") && error.contains("up to 1"), "{error}");
        let error = verify(directory.path(), &Expected::default()).expect_err("refused");
        assert!(error.to_string().contains(":2: a line of format version 2"), "{error}");
        assert_eq!(file::read(directory.path(), 1).expect("it is there"), bytes, "untouched");
        // A file that was begun behind it does not hide it.
        file::replace(&directory.path().join(file::name(3)), b"").expect("it is written");
        assert!(AuditLog::open(directory.path(), 1000, 7).is_err());
    }

    /// Lines were written before they said their version.
    #[test]
    fn a_log_without_versions_goes_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let old = format!(
            "{{\"seq\":1,\"prev\":\"{}\",\"at\":\"2026-01-31T09:30:00Z\",\"event\":\"start\"}}\n",
            "0".repeat(64)
        );
        file::replace(&directory.path().join(file::name(1)), old.as_bytes()).expect("written");
        put(&mut open(directory.path()), 1);
        let found = verify(directory.path(), &Expected::default()).expect("it is read");
        assert_eq!((found.problems.len(), found.notes.len(), found.lines), (0, 0, 2));
    }

    #[test]
    fn a_file_that_was_just_begun_follows_the_one_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut log = open(directory.path());
        (0..10).for_each(|number| put(&mut log, number));
        drop(log);
        let begun = directory.path().join(file::name(11));
        file::replace(&begun, b"{\"seq\":11,").expect("it is written");
        put(&mut open(directory.path()), 10);
        let found = verify(directory.path(), &Expected::default()).expect("it is read");
        assert_eq!((found.problems.len(), found.notes.len(), found.lines), (0, 1, 12));
    }
}
