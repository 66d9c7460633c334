//! Opening the log that is there: every segment read in order, the end made fit for writing.
//!
//! Nothing is changed before everything was read and found good.

use stdx::{
    mutant::{Mutant, is_planted},
    prng::Prng,
};

use super::{
    RecoveryReport, TornTail, WalConfig,
    extent::Extent,
    flusher::{self, OpenSegment},
    reader::{self, AllRead, Position, Replay, Segment},
    segment::Header,
};
use crate::{Directory, Error, Lsn, Vfs, dir, fs::VFile, manifest::ListedSegment};

/// A log that was read to its end and can be written on.
pub(super) struct Recovered<F> {
    pub(super) report: RecoveryReport,
    pub(super) position: Position,
    pub(super) segment: OpenSegment<F>,
}

/// The last segment as it was found.
struct Tail<F> {
    path: String,
    file: F,
    header: Header,
    /// End of its last valid batch, in bytes.
    end: u64,
    /// Bytes before `end` that may be in the system's memory only, from the offset `unproven_from`.
    unproven: Vec<u8>,
    unproven_from: u64,
    /// Bytes behind `end` that are no batch.
    torn: u64,
    /// Length of the file, in bytes.
    length: u64,
}

/// Reads the segments of `directory`, first to last, then asks `all_read` whether that may count.
///
/// # Errors
/// [`Error::Corrupt`], [`Error::UnsupportedFormat`], [`Error::Replay`]: nothing was changed. [`Error::Io`], [`Error::Full`].
pub(super) fn recover<V: Vfs>(
    directory: &Directory<V>,
    config: &WalConfig,
    prng: &mut Prng,
    extent: &Extent,
    (replay, all_read): (&mut Replay<'_>, &mut AllRead<'_>),
) -> Result<Recovered<V::File>, Error> {
    let listing = directory.listing();
    let mut report = RecoveryReport::default();
    let before = listing.segments.first().map_or(0, |first| first.first_lsn.saturating_sub(1));
    let mut position = Position { last_lsn: before, previous: 0 };
    let mut tail: Option<Tail<V::File>> = None;
    let ends = listing.segments.iter().skip(1).map(|next| next.first_lsn).chain(listing.unlisted);
    let mut ends = ends.map(Some).chain([None]);
    for listed in &listing.segments {
        extent.begin(listed.first_lsn);
        let next = ends.next().flatten();
        let place = Place { listed, next, is_first: tail.is_none() };
        tail = Some(read(directory, &place, &mut position, extent, replay)?);
        report.segments += 1;
    }
    report.records = position.last_lsn - before;
    refuse_lost_end(directory, &tail, position)?;
    if let Some(first_lsn) = listing.unlisted {
        refuse_batches(directory, first_lsn, position)?;
    }
    all_read().map_err(|why| Error::Replay { lsn: position.last_lsn, why: why.into() })?;
    directory.clean()?;
    let segment = match tail {
        Some(tail) => {
            report.torn_tail = torn_tail(&tail, position);
            let segment = mend(directory, tail)?;
            directory.note_durable(position.last_lsn);
            directory.write_inferred()?;
            segment
        }
        None => {
            let (cluster, salt) = (directory.cluster(), prng.next_u64());
            let header = Header { cluster, salt, first_lsn: 1, previous: 0 };
            position.previous = header.checksum();
            report.segments = 1;
            extent.begin(1);
            let space = flusher::reserve(directory.vfs(), config.segment_bytes)?;
            flusher::begin(directory, &header, &mut Some(space))?
        }
    };
    Ok(Recovered { report, position, segment })
}

/// A log never ends before what was on its disk: if it does, its end was damaged by somebody.
fn refuse_lost_end<V: Vfs>(
    directory: &Directory<V>,
    tail: &Option<Tail<V::File>>,
    position: Position,
) -> Result<(), Error> {
    let last_lsn = directory.listed_durable();
    if position.last_lsn >= last_lsn {
        return Ok(());
    }
    let (file, offset) = match tail {
        Some(tail) => (tail.path.clone(), tail.end),
        None => (directory.vfs().path(dir::MANIFEST), 0),
    };
    let why = reader::LOST_END.to_owned();
    Err(Error::Corrupt { file, offset, first_lsn: position.last_lsn + 1, last_lsn, why })
}

/// Where a segment stands in the log.
struct Place<'a> {
    listed: &'a ListedSegment,
    /// First record of the one after it.
    next: Option<u64>,
    is_first: bool,
}

/// Reads a segment.
fn read<V: Vfs>(
    directory: &Directory<V>,
    place: &Place<'_>,
    position: &mut Position,
    extent: &Extent,
    replay: &mut Replay<'_>,
) -> Result<Tail<V::File>, Error> {
    let name = dir::segment(place.listed.first_lsn);
    let path = directory.vfs().path(&name);
    let file = directory.vfs().open(&name)?;
    // The space behind the batches is reserved, not written: nothing of it is on the disk.
    if let Some(written) = file.data_from(0)? {
        file.will_need(written);
    }
    let bytes = file.map()?;
    let segment = Segment {
        path: &path,
        first_lsn: place.listed.first_lsn,
        next_first_lsn: place.next,
        cluster: directory.cluster(),
        is_first: place.is_first,
        bytes_min: place.listed.bytes_min,
        bytes: &bytes,
        data_end: &|from| reader::data_end(&file, &bytes, from),
    };
    let scan = reader::scan(&segment, position, extent, replay)?;
    let unproven = match place.next {
        // The segment before another one was synced.
        Some(_) => Vec::new(),
        None => {
            let offset = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            bytes.get(offset(scan.unproven_from)..offset(scan.end)).unwrap_or_default().to_vec()
        }
    };
    let length = bytes.len() as u64;
    drop(bytes);
    let reader::Scan { header, end, torn, unproven_from } = scan;
    Ok(Tail { path, file, header, end, unproven, unproven_from, torn, length })
}

/// A segment that is not listed was never written to, or the manifest is not the one that belongs to it.
fn refuse_batches<V: Vfs>(
    directory: &Directory<V>,
    first_lsn: u64,
    mut position: Position,
) -> Result<(), Error> {
    let listed = ListedSegment { first_lsn, bytes_min: 0 };
    let place = Place { listed: &listed, next: None, is_first: false };
    let unlisted = |error| match error {
        Error::Corrupt { file, .. } | Error::Replay { why: file, .. } => Error::Unlisted { file },
        other => other,
    };
    let path = directory.vfs().path(&dir::segment(first_lsn));
    let mut refuse = |_, _, _: &[u8]| Err(path.clone().into_boxed_str());
    let extent = Extent::default();
    let read = read(directory, &place, &mut position, &extent, &mut refuse).map_err(unlisted)?;
    if read.torn > 0 { Err(Error::Unlisted { file: path }) } else { Ok(()) }
}

fn torn_tail<F>(tail: &Tail<F>, position: Position) -> Option<TornTail> {
    let (file, offset, bytes) = (tail.path.clone(), tail.end, tail.torn);
    let last_lsn = Lsn(position.last_lsn);
    (bytes > 0).then_some(TornTail { file, offset, bytes, last_lsn })
}

/// Makes the last segment fit for writing: what was read is on the disk, and nothing stands behind it, before the first append.
fn mend<V: Vfs>(
    directory: &Directory<V>,
    tail: Tail<V::File>,
) -> Result<OpenSegment<V::File>, Error> {
    let Tail { file, header, end, .. } = tail;
    let mut bytes = tail.length;
    if bytes > end && !is_planted(Mutant::TornTailNotCut) {
        // Whatever stands behind the last good batch must not be taken for a batch later. Zeros are no proof that nothing
        // stands there: after a failed sync of an earlier cut, the disk has what the system shows as cut. The file stays as
        // long as it is: a shorter one was cut by somebody else.
        file.clear_from(end)?;
        match file.reserve(bytes) {
            // The next write looks for space elsewhere; reads need none.
            Err(Error::Full(_)) => bytes = end,
            reserved => reserved?,
        }
    }
    // After a failed sync the system shows bytes that the disk does not have, and takes them for written: only writing them
    // once more brings them there. The bytes are the same, so that a power cut in the middle does no harm.
    if !tail.unproven.is_empty() {
        file.write_at(tail.unproven_from, &tail.unproven)?;
    }
    file.sync_data()?;
    directory.sync_names()?;
    Ok(OpenSegment { file, salt: header.salt, first_lsn: header.first_lsn, end, bytes })
}
