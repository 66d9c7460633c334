//! The files of a log of reads: what their names say, and how they come and go.
//!
//! `<first read, ms since 1970, 15 digits>-<CRC-64/NVME of the file, 16 digits>.arrow`: names sort by time, and a file whose bytes do
//! not fit its name is damaged.
#![expect(
    clippy::disallowed_methods,
    reason = "a sample of reads is no promise: what a crash takes of it is missing and nothing else"
)]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use stdx::checksum::Crc64;

use crate::Error;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 18;
/// The end of the names of files that are being written.
const UNFINISHED: &str = ".tmp";

/// A file of logged reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadFile {
    /// When its first read was, in ms.
    pub first_ms: i64,
    /// CRC-64/NVME of its bytes.
    pub checksum: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
}

impl ReadFile {
    /// Refuses a file whose bytes are not those that were written.
    ///
    /// # Errors
    /// [`Error::File`] when they are not; [`Error::Io`].
    pub fn check(&self) -> Result<(), Error> {
        let io = |error| Error::io("read it", &self.path, error);
        let mut file = File::open(&self.path).map_err(io)?;
        let (mut piece, mut checksum) = (vec![0; PIECE_BYTES], Crc64::default());
        loop {
            match file.read(&mut piece).map_err(io)? {
                0 => break,
                count => checksum.update(piece.get(..count).unwrap_or_default()),
            }
        }
        if checksum.value() == self.checksum {
            return Ok(());
        }
        let what = "it is damaged: the checksum in its name does not fit its bytes; remove it, it is a sample";
        Err(Error::file(&self.path, what))
    }
}

/// What a file is called.
pub(super) fn name(first_ms: i64, checksum: u64) -> String {
    format!("{first_ms:015}-{checksum:016x}.arrow")
}

/// What the name of a file says; nothing for one of another kind.
fn parse(name: &str) -> Option<(i64, u64)> {
    let (first_ms, checksum) = name.strip_suffix(".arrow")?.split_once('-')?;
    Some((first_ms.parse().ok()?, u64::from_str_radix(checksum, 16).ok()?))
}

/// The files in `folder`, oldest first; none where there is no such directory.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn files(folder: &Path) -> Result<Vec<ReadFile>, Error> {
    let mut files = Vec::new();
    for (name, path) in entries(folder)? {
        let Some((first_ms, checksum)) = parse(&name) else { continue };
        let about = match fs::metadata(&path) {
            // It went since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            about => about.map_err(|error| Error::io("read it", &path, error))?,
        };
        files.push(ReadFile { first_ms, checksum, path, bytes: about.len() });
    }
    files.sort_unstable();
    Ok(files)
}

/// The directories in `root`, by name.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn folders(root: &Path) -> Result<Vec<String>, Error> {
    let mut names: Vec<_> = entries(root)?.into_iter().filter(|(_, path)| path.is_dir()).collect();
    names.sort_unstable();
    Ok(names.into_iter().map(|(name, _)| name).collect())
}

/// Makes the directory `name` below `root`, with its parents.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn make_folder(root: &Path, name: &str) -> Result<PathBuf, Error> {
    let path = root.join(name);
    fs::create_dir_all(&path).map_err(|error| Error::io("make it", &path, error))?;
    Ok(path)
}

/// Removes the file at `path`; one that is gone is no error.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove it", path, error))
        }
        _ => Ok(()),
    }
}

/// Removes what was being written below `root` when a process was killed.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn clear_unfinished(root: &Path) -> Result<(), Error> {
    for folder in folders(root)? {
        for (name, path) in entries(&root.join(folder))? {
            if name.starts_with('.') && name.ends_with(UNFINISHED) {
                remove(&path)?;
            }
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let io = |error| Error::io("read it", folder, error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io)?,
    };
    let entry = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
    };
    entries.map(entry).collect::<Result<_, _>>().map_err(io)
}
