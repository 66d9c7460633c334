//! The names of a history: files are made under others, renamed when they are whole, and removed when nothing lists them.
#![expect(
    clippy::disallowed_methods,
    reason = "history is derived from the log: what a crash takes of it is written anew, and tests crash it on copies"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use stdx::checksum::Crc64;

use crate::Error;
use crate::file::Unfinished;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 20;

/// Makes the directory `name` below `root` with its parents; they are there after a power loss.
pub(super) fn make_folder(root: &Path, name: &str) -> Result<PathBuf, Error> {
    let path = root.join(name);
    if path.is_dir() {
        return Ok(path);
    }
    fs::create_dir_all(&path).map_err(|error| Error::io("make it", &path, error))?;
    let below = path.ancestors().take_while(|folder| folder.starts_with(root));
    for folder in below.filter_map(Path::parent) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Error::io("make its name last", folder, error))?;
    }
    Ok(path)
}

/// Puts `text` in place of the file at `path`; it is there after a power loss.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Error> {
    let mut file = Unfinished::create(path)?;
    file.write_all(text.as_bytes()).map_err(|error| Error::io("write it", path, error))?;
    file.finish()
}

/// The text of the file at `path`; nothing where there is none. Bytes that are no UTF-8 are replaced: a checksum tells.
pub(super) fn read_text(path: &Path) -> Result<Option<String>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read it", path, error)),
    }
}

/// Removes a file that nothing lists any more; one that is gone is no error.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove it", path, error))
        }
        _ => Ok(()),
    }
}

/// Removes the files in the directory at `path` that a process was making when it ended.
pub(super) fn remove_unfinished(path: &Path) -> Result<(), Error> {
    let names = names(path)?;
    let mut unfinished = names.iter().filter(|name| Unfinished::is_name(name));
    unfinished.try_for_each(|name| remove(&path.join(name)))
}

/// The files in the directories below `root/folder`, one level deep, by their paths from `root` on.
pub(super) fn files_below(root: &Path, folder: &str) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    for name in names(&root.join(folder))? {
        for file in names(&root.join(folder).join(&name))? {
            files.push(format!("{folder}/{name}/{file}"));
        }
    }
    Ok(files)
}

/// What is in the directory at `path`, ascending; nothing where there is none.
fn names(path: &Path) -> Result<Vec<String>, Error> {
    let io = |error| Error::io("read it", path, error);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    let mut names = entries.map(name).collect::<Result<Vec<_>, _>>().map_err(io)?;
    names.sort_unstable();
    Ok(names)
}

/// Length and CRC-64/NVME of the file at `path`.
pub(super) fn measure(path: &Path) -> Result<(u64, u64), Error> {
    read_pieces(path, &mut |_| Ok(()))
}

/// Gives the file `from` the name `to` as well; false where that cannot be: on another file system, or on one that has no links.
pub(super) fn link(from: &Path, to: &Path) -> Result<bool, Error> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::io("copy it", from, error))
        }
        Err(_) => Ok(false),
    }
}

/// Copies the file `from` to `to`, asking `go_on` before each piece, with its bytes; its length and CRC-64/NVME. The copy is there after
/// a power loss. `to` may be a link to `from`, whose place the copy takes.
pub(super) fn copy(
    from: &Path,
    to: &Path,
    go_on: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<(u64, u64), Error> {
    let mut copy = Unfinished::create(to)?;
    let copied = read_pieces(from, &mut |piece| {
        go_on(piece.len() as u64)?;
        copy.write_all(piece).map_err(|error| Error::io("write it", to, error))
    })?;
    copy.finish()?;
    Ok(copied)
}

fn read_pieces(
    path: &Path,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(u64, u64), Error> {
    let io = |error| Error::io("read it", path, error);
    let mut file = File::open(path).map_err(io)?;
    let (mut piece, mut bytes, mut checksum) = (vec![0; PIECE_BYTES], 0, Crc64::default());
    loop {
        let count = file.read(&mut piece).map_err(io)?;
        let read = piece.get(..count).unwrap_or_default();
        if read.is_empty() {
            return Ok((bytes, checksum.value()));
        }
        bytes += count as u64;
        checksum.update(read);
        take(read)?;
    }
}
