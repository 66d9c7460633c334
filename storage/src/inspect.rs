//! Looks at a directory without opening it: no lock is taken, nothing is changed, nothing stops at the first problem.
//!
//! For `larder check`, which wants the judgement, and `larder inspect`, which wants every record. A directory that somebody
//! writes to meanwhile may look as if its log ended in the middle.

use crate::{
    Error, ListedSegment, Manifest, Vfs,
    dir::{self, FileRole, REPAIR},
    examine,
    fs::VFile,
    wal::{
        Piece, Walked,
        reader::{self, Segment},
        segment::Header,
        walk,
    },
};

/// A segment as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFound {
    /// Its name.
    pub name: String,
    /// Length of its file, in bytes.
    pub bytes: u64,
    /// The manifest lists it; always true where there is none.
    pub listed: bool,
    /// What is in it.
    pub walked: Walked,
}

/// A file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFound {
    /// Its name.
    pub name: String,
    /// Its length; 0 for what cannot be read, such as a folder.
    pub bytes: u64,
    /// What it is.
    pub role: FileRole,
    /// It counts: a start reads it. Segments and snapshots that do not are removed by the next start.
    pub counts: bool,
}

/// What was found in a directory, snapshots aside: see [`crate::snapshot::Snapshot`].
#[derive(Debug, Clone)]
pub struct Found {
    /// The manifest; `None` when there is none, or a damaged one.
    pub manifest: Option<Manifest>,
    /// All files, by name.
    pub files: Vec<FileFound>,
    /// The segments, first to last.
    pub segments: Vec<SegmentFound>,
    /// What is wrong with the directory as a whole: why a start would be refused, besides what the segments' verdicts say.
    pub problems: Vec<Error>,
}

/// The manifest; `None` when there is none, or a damaged one.
///
/// # Errors
/// [`Error::Io`] when it cannot be read at all.
pub fn manifest<V: Vfs>(vfs: &V) -> Result<Option<Manifest>, Error> {
    match examine::read_manifest(vfs, &vfs.list()?) {
        Err(error @ Error::Io { .. }) => Err(error),
        read => Ok(read.ok().flatten()),
    }
}

/// That a database is in the directory, or what looks like a part of one.
///
/// # Errors
/// [`Error::NoDatabase`], [`Error::Io`].
pub fn must_hold_database<V: Vfs>(vfs: &V) -> Result<(), Error> {
    let names = vfs.list()?;
    let is_none = |role| matches!(role, FileRole::Lock | FileRole::Unfinished | FileRole::Stray);
    let is_empty = names.iter().all(|name| is_none(FileRole::of(name)));
    if is_empty && dir::strays(&names).next().is_none() {
        return Err(Error::NoDatabase { directory: vfs.path("") });
    }
    Ok(())
}

/// Shows every piece of every segment of `vfs` to `visit`, with the segment's name.
///
/// # Errors
/// [`Error::Io`] when files cannot be read at all.
pub fn walk<V: Vfs>(vfs: &V, visit: &mut dyn FnMut(&str, Piece<'_>)) -> Result<Found, Error> {
    let names = vfs.list()?;
    let (manifest, problems) = judge(vfs, &names)?;
    let mut present: Vec<u64> =
        names.iter().filter_map(|name| dir::segment_first_lsn(name)).collect();
    present.sort_unstable();
    let is_leftover = |lsn: &u64| {
        let first = manifest.as_ref().and_then(|manifest| manifest.segments.first());
        first.is_some_and(|first| *lsn < first.first_lsn)
    };
    present.retain(|lsn| !is_leftover(lsn));
    let (mut segments, mut position) = (Vec::new(), None);
    for (index, first_lsn) in present.iter().copied().enumerate() {
        let entry = manifest.as_ref().map(|manifest| {
            manifest.segments.iter().find(|listed| listed.first_lsn == first_lsn).copied()
        });
        let place = Place {
            listed: entry.flatten().unwrap_or(ListedSegment { first_lsn, bytes_min: 0 }),
            next: present.get(index + 1).copied(),
            cluster: manifest.as_ref().map(|manifest| manifest.cluster),
        };
        let name = dir::segment(first_lsn);
        let mut show = |piece: Piece<'_>| visit(&name, piece);
        let look = |segment: &Segment<'_>| {
            Ok((segment.bytes.len() as u64, walk::walk(segment, &mut position, &mut show)?))
        };
        let (bytes, walked) = with_segment(vfs, &place, look)?;
        let listed = entry.is_none_or(|entry| entry.is_some());
        segments.push(SegmentFound { name, bytes, listed, walked });
    }
    if let (Some(manifest), Some(last)) = (&manifest, segments.last_mut()) {
        last.walked.expect_up_to(manifest.durable);
    }
    let files = files(vfs, names, manifest.as_ref(), &segments);
    Ok(Found { manifest, files, segments, problems })
}

/// What each file of the directory is.
fn files<V: Vfs>(
    vfs: &V,
    mut names: Vec<String>,
    manifest: Option<&Manifest>,
    segments: &[SegmentFound],
) -> Vec<FileFound> {
    names.sort_unstable();
    let snapshot = manifest.and_then(|manifest| manifest.snapshot);
    let snapshot = snapshot.map(|snapshot| dir::snapshot(snapshot.number));
    let describe = |name: String| {
        let role = FileRole::of(&name);
        let counts = match role {
            FileRole::Manifest => true,
            FileRole::Snapshot => snapshot.as_ref() == Some(&name),
            FileRole::Segment => segments.iter().any(|segment| segment.name == name),
            _ => false,
        };
        let bytes = vfs.open(&name).and_then(|file| file.map()).map_or(0, |bytes| bytes.len());
        FileFound { name, bytes: bytes as u64, role, counts }
    };
    names.into_iter().map(describe).collect()
}

/// The manifest as far as it can be read, and all that is wrong with the directory as a whole.
fn judge<V: Vfs>(vfs: &V, names: &[String]) -> Result<(Option<Manifest>, Vec<Error>), Error> {
    let mut problems = Vec::new();
    if names.iter().any(|name| name == REPAIR) {
        problems.push(Error::Unfinished { file: vfs.path(REPAIR) });
    }
    problems.extend(dir::strays(names).map(|name| Error::Stray { file: vfs.path(name) }));
    let mut found: Vec<u64> =
        names.iter().filter_map(|name| dir::segment_first_lsn(name)).collect();
    found.sort_unstable();
    let manifest = match examine::read_manifest(vfs, names) {
        Ok(manifest) => manifest,
        Err(error @ Error::Io { .. }) => return Err(error),
        Err(error) => {
            problems.push(error);
            return Ok((None, problems));
        }
    };
    let differences = match &manifest {
        Some(manifest) => examine::differences(vfs, manifest, names, &found).map(|found| found.0),
        None => examine::infer(vfs, names, &found, 0).map(|_| Vec::new()),
    };
    match differences {
        Ok(differences) => problems.extend(differences),
        Err(error @ Error::Io { .. }) => return Err(error),
        Err(error) => problems.push(error),
    }
    Ok((manifest, problems))
}

/// A segment and where it stands in the log.
pub(crate) struct Place {
    pub(crate) listed: ListedSegment,
    /// First record of the segment after it.
    pub(crate) next: Option<u64>,
    /// `None`: whatever its own header says.
    pub(crate) cluster: Option<u128>,
}

/// Reads the file of a segment for `look`.
///
/// # Errors
/// [`Error::Io`], and those of `look`.
pub(crate) fn with_segment<V: Vfs, T>(
    vfs: &V,
    place: &Place,
    look: impl FnOnce(&Segment<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let name = dir::segment(place.listed.first_lsn);
    let path = vfs.path(&name);
    let file = vfs.open(&name)?;
    let bytes = file.map()?;
    let own = || Header::decode(&path, &bytes).ok().flatten().map_or(0, |header| header.cluster);
    look(&Segment {
        path: &path,
        first_lsn: place.listed.first_lsn,
        next_first_lsn: place.next,
        cluster: place.cluster.unwrap_or_else(own),
        is_first: false,
        bytes_min: place.listed.bytes_min,
        bytes: &bytes,
        data_end: &|from| reader::data_end(&file, &bytes, from),
    })
}
