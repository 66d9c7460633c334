//! Opening the log that is there: every segment read in order, the end made fit for writing.
//!
//! Nothing is changed before everything was read and found good.

use stdx::prng::Prng;

use super::{
    RecoveryReport, TornTail, WalConfig,
    flusher::{self, OpenSegment},
    reader::{self, Position, Replay, Segment},
    segment::Header,
};
use crate::{
    Error, Lsn, Vfs,
    dir::{self, NEXT_SEGMENT},
    fs::VFile,
};

/// A log that was read to its end and can be written on.
pub(super) struct Recovered<F> {
    pub(super) report: RecoveryReport,
    pub(super) position: Position,
    pub(super) cluster: u128,
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

/// Reads the segments `names`, first to last.
///
/// # Errors
/// [`Error::Corrupt`], [`Error::UnsupportedFormat`], [`Error::Replay`]: nothing was changed. [`Error::Io`], [`Error::Full`].
pub(super) fn recover<V: Vfs>(
    vfs: &V,
    names: &[String],
    config: &WalConfig,
    prng: &mut Prng,
    replay: &mut Replay<'_>,
) -> Result<Recovered<V::File>, Error> {
    let mut report = RecoveryReport::default();
    let mut position = Position { last_lsn: 0, previous: 0 };
    let mut tail: Option<Tail<V::File>> = None;
    for (index, name) in names.iter().enumerate() {
        let next = names.get(index + 1).map(String::as_str);
        let read = read(vfs, name, next, &mut position, replay)?;
        let cluster = tail.as_ref().map_or(read.header.cluster, |before| before.header.cluster);
        if read.header.cluster != cluster {
            let why = "the segment belongs to another database".to_owned();
            let (first_lsn, last_lsn) = (read.header.first_lsn, position.last_lsn);
            return Err(Error::Corrupt { file: read.path, offset: 16, first_lsn, last_lsn, why });
        }
        report.segments += 1;
        tail = Some(read);
    }
    report.records = position.last_lsn;
    if vfs.list()?.iter().any(|name| name == NEXT_SEGMENT) {
        vfs.remove(NEXT_SEGMENT)?;
    }
    let (cluster, segment) = match tail {
        Some(tail) => {
            report.torn_tail = torn_tail(&tail, position);
            (tail.header.cluster, mend(vfs, tail)?)
        }
        None => {
            let cluster = u128::from(prng.next_u64()) << 64 | u128::from(prng.next_u64());
            let header = Header { cluster, salt: prng.next_u64(), first_lsn: 1, previous: 0 };
            let space = flusher::reserve(vfs, config.segment_bytes)?;
            position.previous = header.checksum();
            report.segments = 1;
            (cluster, flusher::begin(vfs, &header, space)?)
        }
    };
    Ok(Recovered { report, position, cluster, segment })
}

/// Reads the segment `name`.
fn read<V: Vfs>(
    vfs: &V,
    name: &str,
    next: Option<&str>,
    position: &mut Position,
    replay: &mut Replay<'_>,
) -> Result<Tail<V::File>, Error> {
    let path = vfs.path(name);
    let file = vfs.open(name)?;
    let bytes = file.map()?;
    let segment = Segment {
        path: &path,
        first_lsn: dir::segment_first_lsn(name).unwrap_or(0),
        next_first_lsn: next.and_then(dir::segment_first_lsn),
        bytes: &bytes,
    };
    let scan = reader::scan(&segment, position, replay)?;
    let offset = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let unproven = match next {
        // The segment before another one was synced.
        Some(_) => Vec::new(),
        None => {
            bytes.get(offset(scan.unproven_from)..offset(scan.end)).unwrap_or_default().to_vec()
        }
    };
    let rest = bytes.get(offset(scan.end)..).unwrap_or_default();
    let torn = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    let length = bytes.len() as u64;
    drop(bytes);
    let (header, end, unproven_from) = (scan.header, scan.end, scan.unproven_from);
    Ok(Tail { path, file, header, end, unproven, unproven_from, torn, length })
}

fn torn_tail<F>(tail: &Tail<F>, position: Position) -> Option<TornTail> {
    let (file, offset, bytes) = (tail.path.clone(), tail.end, tail.torn);
    let last_lsn = Lsn(position.last_lsn);
    (bytes > 0).then_some(TornTail { file, offset, bytes, last_lsn })
}

/// Makes the last segment fit for writing: what was read is on the disk, and nothing stands behind it, before the first append.
fn mend<V: Vfs>(vfs: &V, tail: Tail<V::File>) -> Result<OpenSegment<V::File>, Error> {
    let Tail { file, header, end, .. } = tail;
    let mut bytes = tail.length;
    if bytes > end {
        // Whatever stands behind the last good batch must not be taken for a batch later. Zeros are no proof that nothing
        // stands there: after a failed sync of an earlier cut, the disk has what the system shows as cut.
        file.set_len(end)?;
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
    vfs.sync_dir()?;
    Ok(OpenSegment { file, salt: header.salt, first_lsn: header.first_lsn, end, bytes })
}
