//! Copies files of one directory into another, piece by piece: for backups, and before a repair.

use crate::{Error, Vfs, fs::VFile};

/// Bytes copied in one piece.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes after which a sync is asked for: a copy that is given up then waits for no more than these.
const SYNC_BYTES: u64 = 32 << 20;

/// Is shown a piece of a file and its offset.
type Visit<'a> = dyn FnMut(u64, &[u8]) -> Result<(), Error> + 'a;

/// Is told of each piece of a copy, by its bytes, before it is written; an error ends the copy.
pub(crate) type GoOn<'a> = dyn FnMut(u64) -> Result<(), Error> + 'a;

/// Shows the first `bytes_max` bytes of a file to `visit`, piece by piece and without what was never written; how many there are.
///
/// # Errors
/// [`Error::Io`], and those of `visit`.
pub(crate) fn pieces<V: Vfs>(
    vfs: &V,
    name: &str,
    bytes_max: u64,
    visit: &mut Visit<'_>,
) -> Result<u64, Error> {
    let file = vfs.open(name)?;
    let bytes = file.map()?;
    let length = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(bytes.len());
    let mut at = 0;
    while let Some(data) = file.data_from(at)?.filter(|data| data.start < length as u64) {
        let offset = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(length);
        let piece = bytes.get(offset(data.start)..offset(data.end));
        for (piece, number) in piece.unwrap_or_default().chunks(PIECE_BYTES).zip(0_u64..) {
            visit(data.start + number * PIECE_BYTES as u64, piece)?;
        }
        at = data.end;
    }
    Ok(length as u64)
}

/// Copies the first `bytes_max` bytes of the file `name`, synced.
///
/// # Errors
/// [`Error::Full`], [`Error::Io`], and those of `go_on`: part of the file is left then.
pub(crate) fn copy_file<V: Vfs>(
    (from, to): (&V, &V),
    name: &str,
    bytes_max: u64,
    go_on: &mut GoOn<'_>,
) -> Result<(), Error> {
    let target = to.create_new(name, 0)?;
    let mut unsynced = 0;
    let length = pieces(from, name, bytes_max, &mut |at, piece| {
        go_on(piece.len() as u64)?;
        target.write_at(at, piece)?;
        unsynced += piece.len() as u64;
        if unsynced < SYNC_BYTES {
            return Ok(());
        }
        unsynced = 0;
        target.sync_data()
    })?;
    target.set_len(length)?;
    target.sync_data()
}

/// Takes away what is in `to`, which was empty before, when the copy failed.
///
/// # Errors
/// Those of `copied`.
pub(crate) fn whole_or_nothing<V: Vfs, T>(to: &V, copied: Result<T, Error>) -> Result<T, Error> {
    copied.map_err(|error| {
        // What cannot be removed is refused by name when somebody copies to this place again.
        for name in to.list().unwrap_or_default() {
            let _ = to.remove(&name);
        }
        error.when_full("the copy was given up, and what there was of it removed")
    })
}

/// That `left` bytes more fit on the disk of `to`, with `kept` bytes left free for the log, which may lie on the same disk.
///
/// # Errors
/// [`Error::Full`] with the figures, [`Error::Io`].
pub fn must_leave_room<V: Vfs>(to: &V, left: u64, kept: u64) -> Result<(), Error> {
    let free = to.free_bytes()?;
    if free >= left.saturating_add(kept) {
        return Ok(());
    }
    let place = to.path("");
    Err(Error::Full(format!(
        "{place}: {left} bytes are still to be written, the log may need {kept} more, {free} are free"
    )))
}

/// That nothing is in `to`.
///
/// # Errors
/// [`Error::NotEmpty`], [`Error::Io`].
pub(crate) fn must_be_empty<V: Vfs>(to: &V) -> Result<(), Error> {
    match to.list()?.first() {
        Some(name) => Err(Error::NotEmpty { file: to.path(name) }),
        None => Ok(()),
    }
}
