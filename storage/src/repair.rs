//! Cuts a damaged log, on purpose and only then: what stands behind the cut is lost, what stands before it opens again.
//!
//! Nothing here makes a copy by itself: [`copy_files`] first. A cut that is interrupted leaves a directory that is refused as
//! before, and can be cut again.

use crate::{
    Error, ListedSegment, Lsn, Manifest, Vfs,
    dir::{self, MANIFEST, NEXT_MANIFEST},
    directory,
    fs::VFile,
    inspect::{Place, with_segment},
    wal::{segment::Header, walk},
};

/// Bytes copied in one piece.
const PIECE_BYTES: usize = 1 << 20;

/// What a copy holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Bytes in them, unwritten space not counted.
    pub bytes: u64,
}

/// Copies every file of `from`, damaged or not, into `to`, where there must be none, and syncs them. Nobody may write to `from`
/// meanwhile. The lock file is not copied.
///
/// # Errors
/// [`Error::NotEmpty`], [`Error::Full`], [`Error::Io`].
pub fn copy_files<V: Vfs>(from: &V, to: &V) -> Result<Copied, Error> {
    if let Some(name) = to.list()?.first() {
        return Err(Error::NotEmpty { file: to.path(name) });
    }
    let mut copied = Copied::default();
    for name in from.list()?.iter().filter(|name| *name != dir::LOCK) {
        let source = from.open(name)?;
        let bytes = source.map()?;
        let target = to.create_new(name, 0)?;
        target.set_len(bytes.len() as u64)?;
        let mut at = 0;
        while let Some(data) = source.data_from(at)? {
            let offset = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            let piece = bytes.get(offset(data.start)..offset(data.end).min(bytes.len()));
            for (piece, number) in piece.unwrap_or_default().chunks(PIECE_BYTES).zip(0_u64..) {
                target.write_at(data.start + number * PIECE_BYTES as u64, piece)?;
                copied.bytes += piece.len() as u64;
            }
            at = data.end;
        }
        target.sync_data()?;
        copied.files += 1;
    }
    to.sync_dir()?;
    Ok(copied)
}

/// Where a log is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// At the first damage, or torn tail.
    AtDamage,
    /// Before this record, or before the first damage if that comes sooner. Records written by one flush stay or go together.
    Before(Lsn),
}

/// What a cut left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncated {
    /// The segment that is the last one now; `None`: none is left.
    pub segment: Option<String>,
    /// Where its last batch ends, in bytes.
    pub offset: u64,
    /// The newest record that is left.
    pub last_lsn: Lsn,
    /// Segments removed.
    pub removed: Vec<String>,
}

/// Where the log of a directory would end.
#[derive(Debug)]
struct Plan {
    /// The segments that stay.
    kept: Vec<ListedSegment>,
    offset: u64,
    last_lsn: Lsn,
    cluster: u128,
}

/// Cuts the log of `vfs` and rewrites the manifest to match. `floor` is the newest record that the snapshot holds for any of its
/// parts (0 without one): a log that ended below it would give numbers a second time.
///
/// # Errors
/// [`Error::Locked`]; [`Error::CannotCut`] when what would be left cannot be opened; [`Error::Damaged`],
/// [`Error::UnsupportedFormat`] for a manifest that cannot be read; [`Error::Io`].
pub fn truncate<V: Vfs>(vfs: &V, cut: Cut, floor: Lsn) -> Result<Truncated, Error> {
    let _lock = vfs.lock()?;
    let names = vfs.list()?;
    let manifest = directory::read_manifest(vfs, &names)?;
    let plan = plan(vfs, &names, manifest.as_ref(), cut)?;
    let replay_from = manifest.as_ref().map_or(Lsn(1), |manifest| manifest.replay_from);
    let needed = floor.max(Lsn(replay_from.0.saturating_sub(1)));
    if plan.last_lsn < needed {
        return Err(Error::CannotCut { last_lsn: plan.last_lsn.0, needed: needed.0 });
    }
    let Plan { kept, offset, last_lsn, cluster } = plan;
    let last = kept.last().map(|last| last.first_lsn);
    if let Some(first_lsn) = last {
        let file = vfs.open(&dir::segment(first_lsn))?;
        file.clear_from(offset)?;
        file.sync_data()?;
    }
    let manifest = manifest.unwrap_or_else(|| Manifest::new(cluster, 0));
    let manifest = Manifest { number: manifest.number + 1, segments: kept, ..manifest };
    if names.iter().any(|name| name == NEXT_MANIFEST) {
        vfs.remove(NEXT_MANIFEST)?;
    }
    directory::write_next(vfs, &manifest)?;
    vfs.rename(NEXT_MANIFEST, MANIFEST)?;
    vfs.sync_dir()?;
    let behind = |name: &&String| dir::segment_first_lsn(name) > last;
    let removed: Vec<String> = names.iter().filter(behind).cloned().collect();
    for name in &removed {
        vfs.remove(name)?;
    }
    vfs.sync_dir()?;
    Ok(Truncated { segment: last.map(dir::segment), offset, last_lsn, removed })
}

/// Follows the log as recovery does, up to where it is to end.
fn plan<V: Vfs>(
    vfs: &V,
    names: &[String],
    manifest: Option<&Manifest>,
    cut: Cut,
) -> Result<Plan, Error> {
    let mut present: Vec<u64> =
        names.iter().filter_map(|name| dir::segment_first_lsn(name)).collect();
    present.sort_unstable();
    let listed = manifest.map_or(&[][..], |manifest| &manifest.segments);
    let first = listed.first().map_or(1, |first| first.first_lsn);
    present.retain(|lsn| *lsn >= first);
    let before = Lsn(first.saturating_sub(1));
    let cluster = manifest.map(|manifest| manifest.cluster);
    let mut plan =
        Plan { kept: Vec::new(), offset: 0, last_lsn: before, cluster: cluster.unwrap_or(0) };
    let mut position = None;
    for (index, first_lsn) in present.iter().copied().enumerate() {
        if first_lsn != plan.last_lsn.0 + 1 {
            break;
        }
        let bytes_min = listed.iter().find(|listed| listed.first_lsn == first_lsn);
        let bytes_min = bytes_min.map_or(0, |listed| listed.bytes_min);
        let cluster = (!plan.kept.is_empty()).then_some(plan.cluster).or(cluster);
        let mut place = Place {
            listed: ListedSegment { first_lsn, bytes_min },
            next: present.get(index + 1).copied(),
            cluster,
        };
        let mut kept = None;
        with_segment(vfs, &place, |segment| {
            let header = Header::decode(segment.path, segment.bytes)?;
            let walked = walk::walk(segment, &mut position, &mut |_| ())?;
            let Some(header) = header.filter(|_| walked.end > 0) else { return Ok(()) };
            let limit = if let Cut::Before(lsn) = cut { lsn } else { Lsn(u64::MAX) };
            let (offset, last_lsn) = walk::cut_before(segment, &header, limit);
            kept = Some((offset, last_lsn, segment.bytes.len() as u64, header.cluster));
            if last_lsn < walked.last_lsn {
                position = None;
            }
            Ok(())
        })?;
        let Some((offset, last_lsn, bytes, cluster)) = kept else { break };
        place.listed.bytes_min = bytes_min.min(bytes);
        plan.kept.push(place.listed);
        (plan.offset, plan.last_lsn, plan.cluster) = (offset, last_lsn, cluster);
        if position.is_none() {
            break;
        }
    }
    Ok(plan)
}
