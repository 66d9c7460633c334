//! Damage done to the files of a database that is not running: bits, sectors, lengths, names; drawn from a seed.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one who breaks files behind the back of storage"
)]

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{SeekFrom, seek};
use stdx::prng::Prng;

use crate::journal::index;

/// Bytes a disk reads and writes as one.
const SECTOR: usize = 512;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its bytes up to the last that is not zero.
    pub used: Vec<u8>,
    /// Its length, in bytes: space that is reserved for a log reads as zeros.
    pub length: u64,
}

/// One damage to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The name of the file.
    pub file: String,
    /// What is done to it.
    pub how: How,
    /// What it leaves is what an unfinished write leaves of a log: nobody can know that there was more.
    pub looks_torn: bool,
}

/// What is done to a file. Offsets and lengths in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// One bit is turned.
    Flip {
        /// The byte.
        at: usize,
        /// The bit of it.
        bit: u8,
    },
    /// A sector reads as zeros.
    Zero {
        /// Where it starts.
        at: usize,
    },
    /// A sector holds what belongs elsewhere in the file.
    Misplace {
        /// Where it starts.
        at: usize,
        /// Where its bytes come from.
        from: usize,
    },
    /// Everything from here on is gone.
    Truncate {
        /// What is left.
        length: usize,
    },
    /// Everything from here on reads as zeros.
    ZeroTail {
        /// What is left.
        length: usize,
    },
    /// The file is gone.
    Remove,
    /// It has another name.
    Rename,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.file, self.how)
    }
}

impl Damage {
    /// Draws a damage to one of the files of `directory`, within the bytes that are not zeros at its end.
    ///
    /// # Panics
    /// When the directory cannot be read or has no file with bytes in it.
    pub fn draw(directory: &Path, prng: &mut Prng) -> Self {
        let mut files = files(directory);
        files.retain(|(name, contents)| name != "LOCK" && !contents.used.is_empty());
        let (file, contents) = files.swap_remove(index(prng, files.len()));
        let used = contents.used.len();
        let sector = |prng: &mut Prng| index(prng, used.div_ceil(SECTOR)) * SECTOR;
        let how = match prng.below(12) {
            0..=3 => How::Flip { at: index(prng, used), bit: prng.below(8).to_le_bytes()[0] },
            4 | 5 => How::Zero { at: sector(prng) },
            6 => How::Misplace { at: sector(prng), from: sector(prng) },
            7 | 8 => How::Truncate { length: index(prng, used) },
            9 => How::ZeroTail { length: index(prng, used) },
            10 => How::Remove,
            _ => How::Rename,
        };
        let reaches_the_end = match how {
            How::Truncate { .. } | How::ZeroTail { .. } => true,
            // The last batch and its seal may go together.
            How::Zero { at } | How::Misplace { at, .. } => at + 2 * SECTOR >= used,
            How::Flip { .. } | How::Remove | How::Rename => false,
        };
        let looks_torn = reaches_the_end && file.starts_with("wal-");
        Self { file, how, looks_torn }
    }

    /// Does it to the file in `directory`.
    ///
    /// # Panics
    /// When the file is not there.
    pub fn apply(&self, directory: &Path) {
        let path = directory.join(&self.file);
        let done = match self.how {
            How::Remove => std::fs::remove_file(&path),
            How::Rename => {
                // As somebody does who wants to keep a copy.
                std::fs::rename(&path, directory.join(format!("{}.bak", self.file)))
            }
            in_place => {
                let mut contents = Contents::read(&path).expect("the file is there");
                in_place.change(&mut contents);
                contents.write(&path)
            }
        };
        done.expect("a file of ours");
    }
}

impl How {
    fn change(self, contents: &mut Contents) {
        let bytes = &mut contents.used;
        let end = |at: usize, bytes: &[u8]| (at + SECTOR).min(bytes.len());
        match self {
            Self::Flip { at, bit } => bytes[at] ^= 1 << bit,
            Self::Zero { at } => {
                let end = end(at, bytes);
                bytes[at..end].fill(0);
            }
            Self::Misplace { at, from } => {
                let length = (end(at, bytes) - at).min(end(from, bytes) - from);
                bytes.copy_within(from..from + length, at);
            }
            Self::ZeroTail { length } => bytes.truncate(length),
            Self::Truncate { length } => {
                bytes.truncate(length);
                contents.length = length as u64;
            }
            Self::Remove | Self::Rename => {}
        }
    }
}

impl Contents {
    /// Reads the file at `path`, without the holes at its end: a log's segment is mostly reserved space.
    fn read(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut end = 0;
        while let Ok(data) = seek(&file, SeekFrom::Data(end)) {
            end = seek(&file, SeekFrom::Hole(data))?;
        }
        let mut used = vec![0; usize::try_from(end).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut used, 0)?;
        let last = used.iter().rposition(|byte| *byte != 0);
        used.truncate(last.map_or(0, |last| last + 1));
        Ok(Self { used, length })
    }

    /// Makes the file at `path` hold this and nothing else.
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let file = File::create(path)?;
        file.write_all_at(&self.used, 0)?;
        file.set_len(self.length)
    }
}

/// The files of `directory` with what they hold, by name.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn files(directory: &Path) -> Vec<(String, Contents)> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let contents = Contents::read(&entry.path()).expect("a file");
            (entry.file_name().to_string_lossy().into_owned(), contents)
        })
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

/// Makes `files` in `directory`, which is made when it is not there.
///
/// # Panics
/// When it cannot.
pub fn put_files(directory: &Path, files: &[(String, Contents)]) {
    std::fs::create_dir_all(directory).expect("a directory can be made");
    for (name, contents) in files {
        contents.write(&directory.join(name)).expect("there is space");
    }
}

/// Writes a user's file, such as definitions.
///
/// # Panics
/// When it cannot.
pub fn write_file(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file can be written");
}
