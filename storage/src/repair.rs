//! Mends a damaged directory, on purpose and only then: what stands behind the cut is lost, what stands before it opens again.
//!
//! ```text
//! copy of all files, synced ─► REPAIR: what will be done, synced ─► log cleared behind the cut ─► MANIFEST without what goes
//!     ─► files that do not count any more removed ─► REPAIR removed
//! ```
//!
//! A power cut before REPAIR is there leaves everything as it was; after it, nothing but finishing the repair is possible, and
//! that ends as if it had not been interrupted. REPAIR is a text of one line: `cut behind record N` and, if so,
//! `, without the snapshot`.

use stdx::prng::Prng;

use crate::{
    Error, ListedSegment, Lsn, Manifest, Remedy, Vfs,
    copy::{copy_file, must_be_empty, pieces, whole_or_nothing},
    dir::{self, MANIFEST, NEXT_MANIFEST, NEXT_REPAIR, NEXT_SEGMENT, REPAIR},
    directory, examine,
    fs::VFile,
    inspect::{Place, with_segment},
    wal::{
        Verdict, reader,
        segment::{BATCHES_AT, Header},
        walk,
    },
};

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
/// [`Error::NotEmpty`]; [`Error::NoRoom`]; [`Error::Full`], [`Error::Io`] when it fails in the middle, with nothing of the copy left.
pub fn copy_files<V: Vfs>(from: &V, to: &V) -> Result<Copied, Error> {
    must_be_empty(to)?;
    let names: Vec<String> = from.list()?.into_iter().filter(|name| name != dir::LOCK).collect();
    let mut needed = 0;
    for name in &names {
        pieces(from, name, u64::MAX, &mut |_, piece| {
            needed += piece.len() as u64;
            Ok(())
        })?;
    }
    let free = to.free_bytes()?;
    if free < needed {
        return Err(Error::NoRoom { directory: to.path(""), free, needed });
    }
    whole_or_nothing(to, copy_all((from, to), &names))
}

fn copy_all<V: Vfs>((from, to): (&V, &V), names: &[String]) -> Result<Copied, Error> {
    let mut copied = Copied::default();
    for name in names {
        copy_file((from, to), name, u64::MAX, &mut |bytes| {
            copied.bytes += bytes;
            Ok(())
        })?;
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

/// What a repair does; nothing else of the directory changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The newest record that stays.
    pub last_lsn: Lsn,
    /// The segment that is the last one then; `None`: none is left.
    pub segment: Option<String>,
    /// Where its last batch ends, in bytes.
    pub offset: u64,
    /// The files that go.
    pub removed: Vec<String>,
    /// The snapshot goes, and the log is replayed from its first record on.
    pub drops_snapshot: bool,
    /// The directory is so already: to do it would change nothing but the manifest's number.
    pub is_needless: bool,
    /// The manifest that will be.
    manifest: Manifest,
    /// A segment to begin anew: nothing of the log is left, and records must be counted on behind the snapshot's.
    fresh: Option<Header>,
}

impl Plan {
    /// The line of REPAIR.
    fn encode(&self) -> String {
        let Lsn(lsn) = self.last_lsn;
        let snapshot = if self.drops_snapshot { WITHOUT_SNAPSHOT } else { "" };
        format!("{CUT_BEHIND}{lsn}{snapshot}\n")
    }
}

const CUT_BEHIND: &str = "cut behind record ";
const WITHOUT_SNAPSHOT: &str = ", without the snapshot";

/// A directory taken for repair: nobody else has it meanwhile.
pub struct Repair<'a, V: Vfs> {
    vfs: &'a V,
    /// A repair that was begun before: where it cuts, and whether it drops the snapshot.
    begun: Option<(Lsn, bool)>,
    _lock: V::Lock,
}

impl<'a, V: Vfs> Repair<'a, V> {
    /// Takes the directory of `vfs`.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Io`]; [`Error::Damaged`] when REPAIR is.
    pub fn begin(vfs: &'a V) -> Result<Self, Error> {
        let lock = vfs.lock()?;
        let begun = read_begun(vfs)?;
        Ok(Self { vfs, begun, _lock: lock })
    }

    /// A repair was interrupted: whatever is planned, it is that one that will be done.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// What there is to do so that the log ends at `cut`; without the snapshot if `drops_snapshot`. `floor` is the newest record that
    /// the snapshot holds for any of its parts (0 without one): a log that ended below it would give numbers a second time.
    ///
    /// # Errors
    /// [`Error::CannotCut`], [`Error::CannotDrop`] when what would be left cannot be opened; [`Error::Damaged`],
    /// [`Error::UnsupportedFormat`] for a manifest that cannot be read; [`Error::Io`].
    pub fn plan(&self, cut: Cut, drops_snapshot: bool, floor: Lsn) -> Result<Plan, Error> {
        let (cut, drops_snapshot) = match self.begun {
            Some((Lsn(last), drops)) => (Cut::Before(Lsn(last.saturating_add(1))), drops),
            None => (cut, drops_snapshot),
        };
        let names = self.vfs.list()?;
        let manifest = examine::read_manifest(self.vfs, &names)?;
        let Left { kept, offset, last_lsn, cluster } =
            left(self.vfs, &names, manifest.as_ref(), cut)?;
        let listed = manifest.as_ref().map_or_else(Vec::new, |manifest| manifest.segments.clone());
        let mut manifest = manifest.unwrap_or_else(|| Manifest::new(cluster, 0));
        let snapshot = manifest.snapshot.map(|snapshot| dir::snapshot(snapshot.number));
        let drops_snapshot = drops_snapshot && (snapshot.is_some() || self.is_begun());
        if drops_snapshot {
            // Of the segments that are there, not of those that should be.
            let first_lsn = kept.first().map(|first| first.first_lsn);
            if first_lsn != Some(1) {
                return Err(Error::CannotDrop { first_lsn });
            }
            (manifest.snapshot, manifest.replay_from) = (None, Lsn(1));
        } else {
            let needed = floor.max(Lsn(manifest.replay_from.0.saturating_sub(1)));
            if last_lsn < needed {
                return Err(Error::CannotCut { last_lsn: last_lsn.0, needed: needed.0 });
            }
        }
        manifest.segments = kept;
        let fresh = (manifest.segments.is_empty() && last_lsn > Lsn(0)).then(|| {
            let (cluster, first_lsn) = (manifest.cluster, last_lsn.0 + 1);
            let salt = Prng::stream(manifest.number, "repair").next_u64();
            manifest.segments.push(ListedSegment { first_lsn, bytes_min: BATCHES_AT as u64 });
            Header { cluster, salt, first_lsn, previous: 0 }
        });
        let offset = if fresh.is_some() { BATCHES_AT as u64 } else { offset };
        let last = manifest.segments.last().map(|last| last.first_lsn);
        let behind = |name: &&String| dir::segment_first_lsn(name) > last;
        let mut removed: Vec<String> = names.iter().filter(behind).cloned().collect();
        removed.extend(snapshot.filter(|name| drops_snapshot && names.contains(name)));
        removed.sort_unstable();
        let segment = last.map(dir::segment);
        let is_kept = !self.is_begun() && !drops_snapshot && fresh.is_none() && removed.is_empty();
        let is_needless = is_kept
            && listed.iter().all(|segment| manifest.segments.contains(segment))
            && manifest.durable <= last_lsn
            && self.ends_at(segment.as_deref(), offset)?;
        manifest.number += 1;
        manifest.durable = manifest.durable.min(last_lsn);
        Ok(Plan {
            last_lsn,
            segment,
            offset,
            removed,
            drops_snapshot,
            is_needless,
            manifest,
            fresh,
        })
    }

    /// Whether nothing but zeros stands behind `offset` in the segment called so.
    fn ends_at(&self, segment: Option<&str>, offset: u64) -> Result<bool, Error> {
        let Some(segment) = segment else { return Ok(true) };
        let file = self.vfs.open(segment)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(reader::data_end(&file, &file.map()?, offset)? <= offset)
    }

    /// Copies every file as it is into `to`, see [`copy_files`].
    ///
    /// # Errors
    /// See [`copy_files`].
    pub fn copy_to(&self, to: &V) -> Result<Copied, Error> {
        copy_files(self.vfs, to)
    }

    /// Does what `plan` says.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`]: begin anew to finish it.
    pub fn run(&self, plan: &Plan) -> Result<(), Error> {
        let vfs = self.vfs;
        if self.begun.is_none() {
            replace(vfs, (NEXT_REPAIR, REPAIR), |vfs| {
                write_new(vfs, NEXT_REPAIR, plan.encode().as_bytes())
            })?;
        }
        if let Some(segment) = &plan.segment {
            if let Some(header) = &plan.fresh {
                let write = |vfs: &V| write_new(vfs, NEXT_SEGMENT, &header.encode());
                replace(vfs, (NEXT_SEGMENT, segment), write)?;
                vfs.open(segment)?.reserve(BATCHES_AT as u64)?;
            }
            let file = vfs.open(segment)?;
            file.clear_from(plan.offset)?;
            file.sync_data()?;
        }
        replace(vfs, (NEXT_MANIFEST, MANIFEST), |vfs| directory::write_next(vfs, &plan.manifest))?;
        for name in &plan.removed {
            vfs.remove(name)?;
        }
        vfs.sync_dir()?;
        vfs.remove(REPAIR)?;
        vfs.sync_dir()
    }
}

/// Writes a file under the first name and gives it the second, for good.
fn replace<V: Vfs>(
    vfs: &V,
    (next, name): (&str, &str),
    write: impl FnOnce(&V) -> Result<(), Error>,
) -> Result<(), Error> {
    if vfs.list()?.iter().any(|known| known == next) {
        vfs.remove(next)?;
    }
    write(vfs)?;
    vfs.rename(next, name)?;
    vfs.sync_dir()
}

fn write_new<V: Vfs>(vfs: &V, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let file = vfs.create_new(name, bytes.len() as u64)?;
    file.write_at(0, bytes)?;
    file.sync_data()
}

/// What REPAIR says, if it is there.
fn read_begun<V: Vfs>(vfs: &V) -> Result<Option<(Lsn, bool)>, Error> {
    if !vfs.list()?.iter().any(|name| name == REPAIR) {
        return Ok(None);
    }
    let bytes = vfs.open(REPAIR)?.map()?;
    let line = || {
        let text =
            std::str::from_utf8(&bytes).ok()?.strip_prefix(CUT_BEHIND)?.strip_suffix('\n')?;
        let number = text.strip_suffix(WITHOUT_SNAPSHOT);
        Some((Lsn(number.unwrap_or(text).parse().ok()?), number.is_some()))
    };
    let why = "it does not say what was to be done".to_owned();
    let (file, remedy) = (vfs.path(REPAIR), Remedy::Backup);
    line().map(Some).ok_or(Error::Damaged { file, offset: 0, why, remedy })
}

/// Where the log of a directory would end.
#[derive(Debug)]
struct Left {
    /// The segments that stay.
    kept: Vec<ListedSegment>,
    offset: u64,
    last_lsn: Lsn,
    cluster: u128,
}

/// Follows the log as recovery does, up to where it is to end.
fn left<V: Vfs>(
    vfs: &V,
    names: &[String],
    manifest: Option<&Manifest>,
    cut: Cut,
) -> Result<Left, Error> {
    let mut present: Vec<u64> =
        names.iter().filter_map(|name| dir::segment_first_lsn(name)).collect();
    present.sort_unstable();
    let listed = manifest.map_or(&[][..], |manifest| &manifest.segments);
    let first = listed.first().map_or(1, |first| first.first_lsn);
    present.retain(|lsn| *lsn >= first);
    let before = Lsn(first.saturating_sub(1));
    let cluster = manifest.map(|manifest| manifest.cluster);
    let mut left =
        Left { kept: Vec::new(), offset: 0, last_lsn: before, cluster: cluster.unwrap_or(0) };
    let mut position = None;
    for (index, first_lsn) in present.iter().copied().enumerate() {
        if first_lsn != left.last_lsn.0 + 1 {
            break;
        }
        let bytes_min = listed.iter().find(|listed| listed.first_lsn == first_lsn);
        let bytes_min = bytes_min.map_or(0, |listed| listed.bytes_min);
        let cluster = (!left.kept.is_empty()).then_some(left.cluster).or(cluster);
        let mut place = Place {
            listed: ListedSegment { first_lsn, bytes_min },
            next: present.get(index + 1).copied(),
            cluster,
        };
        let mut kept = None;
        with_segment(vfs, &place, |segment| {
            let header = Header::decode(segment.path, segment.bytes)?;
            let walked = walk::walk(segment, &mut position, &mut |_| ())?;
            // A segment of another database, or of another place in this log, is none of ours however whole it is.
            let is_ours = match walked.verdict {
                Verdict::Corrupt { offset, .. } => offset >= BATCHES_AT as u64,
                Verdict::Clean | Verdict::TornTail { .. } => true,
            };
            let Some(header) = header.filter(|_| is_ours) else { return Ok(()) };
            let limit = if let Cut::Before(lsn) = cut { lsn } else { Lsn(u64::MAX) };
            let (offset, last_lsn) = walk::cut_before(segment, &header, limit);
            kept = Some((offset, last_lsn, segment.bytes.len() as u64, header.cluster));
            if last_lsn < walked.last_lsn || offset < walked.end {
                position = None;
            }
            Ok(())
        })?;
        let Some((offset, last_lsn, bytes, cluster)) = kept else { break };
        place.listed.bytes_min = bytes_min.min(bytes);
        left.kept.push(place.listed);
        (left.offset, left.last_lsn, left.cluster) = (offset, last_lsn, cluster);
        if position.is_none() {
            break;
        }
    }
    Ok(left)
}
