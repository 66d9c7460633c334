//! What the files of a directory say together: its manifest, read or inferred, and whether all that it lists is there.

use stdx::prng::Prng;

use crate::{
    Error, Remedy, Vfs,
    dir::{self, MANIFEST, REPAIR},
    fs::VFile,
    manifest::{ListedSegment, Manifest},
    wal::segment::Header,
};

/// What the files of a directory say together.
pub(crate) struct Examined {
    pub(crate) manifest: Manifest,
    /// It was read; else it was inferred.
    pub(crate) written: bool,
    /// A segment that is not listed yet.
    pub(crate) unlisted: Option<u64>,
}

/// Reads the manifest among the files `names`, or infers it, and compares it with them.
///
/// # Errors
/// See `Directory::open`.
pub(crate) fn examine<V: Vfs>(vfs: &V, names: &[String], seed: u64) -> Result<Examined, Error> {
    if names.iter().any(|name| name == REPAIR) {
        return Err(Error::Unfinished { file: vfs.path(REPAIR) });
    }
    let found = dir::segments(names, |name| vfs.path(name))?;
    let Some(manifest) = read_manifest(vfs, names)? else {
        let manifest = infer(vfs, names, &found, seed)?;
        return Ok(Examined { manifest, written: false, unlisted: None });
    };
    let unlisted = compare(vfs, &manifest, names, &found)?;
    Ok(Examined { manifest, written: true, unlisted })
}

/// The manifest among the files `names`, if there is one.
///
/// # Errors
/// [`Error::Damaged`], [`Error::UnsupportedFormat`], [`Error::Io`].
pub(crate) fn read_manifest<V: Vfs>(vfs: &V, names: &[String]) -> Result<Option<Manifest>, Error> {
    if !names.iter().any(|name| name == MANIFEST) {
        return Ok(None);
    }
    let bytes = vfs.open(MANIFEST)?.map()?;
    let mut read = Manifest::decode(&vfs.path(MANIFEST), &bytes);
    if let Err(Error::Damaged { remedy, .. }) = &mut read
        && names.contains(&dir::segment(1))
    {
        *remedy = Remedy::InferManifest;
    }
    read.map(Some)
}

/// Whether all that `manifest` lists is there, and nothing else that would be missed. Returns a segment that is not listed yet.
fn compare<V: Vfs>(
    vfs: &V,
    manifest: &Manifest,
    names: &[String],
    found: &[u64],
) -> Result<Option<u64>, Error> {
    let (problems, unlisted) = differences(vfs, manifest, names, found)?;
    problems.into_iter().next().map_or(Ok(unlisted), Err)
}

/// All that is not as `manifest` says: what is missing, then what is too much. And a segment that is not listed yet.
///
/// # Errors
/// [`Error::UnsupportedFormat`], [`Error::Io`].
pub(crate) fn differences<V: Vfs>(
    vfs: &V,
    manifest: &Manifest,
    names: &[String],
    found: &[u64],
) -> Result<(Vec<Error>, Option<u64>), Error> {
    let listed: Vec<u64> = manifest.segments.iter().map(|segment| segment.first_lsn).collect();
    let snapshot = manifest.snapshot.map(|snapshot| dir::snapshot(snapshot.number));
    let needed = listed.iter().map(|lsn| dir::segment(*lsn)).chain(snapshot);
    let missing = |name: String| {
        let why = format!("{} lists it", vfs.path(MANIFEST));
        (!names.contains(&name)).then(|| Error::Missing { file: vfs.path(&name), why })
    };
    let mut problems: Vec<Error> = needed.filter_map(missing).collect();
    let (first, last) = (listed.first().copied(), listed.last().copied().unwrap_or(0));
    let mut unlisted = None;
    for lsn in found.iter().copied().filter(|lsn| !listed.contains(lsn)) {
        let leftover = first.is_some_and(|first| lsn < first) && is_ours(vfs, lsn, manifest)?;
        if leftover {
            continue;
        }
        if lsn < last || unlisted.is_some() {
            problems.push(Error::Unlisted { file: vfs.path(&dir::segment(lsn)) });
        } else {
            unlisted = Some(lsn);
        }
    }
    Ok((problems, unlisted))
}

/// Whether the segment that begins with `first_lsn` belongs to the database of `manifest`, and under this name.
fn is_ours<V: Vfs>(vfs: &V, first_lsn: u64, manifest: &Manifest) -> Result<bool, Error> {
    let name = dir::segment(first_lsn);
    let header = Header::decode(&vfs.path(&name), &vfs.open(&name)?.map()?)?;
    let ours = |header: Header| (header.cluster, header.first_lsn) == (manifest.cluster, first_lsn);
    Ok(header.is_some_and(ours))
}

/// The manifest of a directory without one: new, or of the format before, or left by a crash at its very first start.
///
/// # Errors
/// [`Error::Missing`] when there must have been one; [`Error::UnsupportedFormat`], [`Error::Io`].
pub(crate) fn infer<V: Vfs>(
    vfs: &V,
    names: &[String],
    found: &[u64],
    seed: u64,
) -> Result<Manifest, Error> {
    let missing = |why: String| Error::Missing { file: vfs.path(MANIFEST), why };
    if let Some(name) = names.iter().find(|name| dir::snapshot_number(name).is_some()) {
        return Err(missing(format!("{} is of no use without it", vfs.path(name))));
    }
    let mut prng = Prng::stream(seed, "wal");
    let cluster = u128::from(prng.next_u64()) << 64 | u128::from(prng.next_u64());
    let mut manifest = Manifest::new(cluster, Prng::stream(seed, "keys").next_u64());
    let Some(first) = found.first().copied() else { return Ok(manifest) };
    if first != 1 {
        let name = vfs.path(&dir::segment(first));
        return Err(missing(format!("the log begins in the middle, with {name}")));
    }
    for lsn in found.iter().copied() {
        let name = dir::segment(lsn);
        let bytes = vfs.open(&name)?.map()?;
        if let Some(header) = Header::decode(&vfs.path(&name), &bytes)?
            && lsn == first
        {
            manifest.cluster = header.cluster;
        }
        manifest.segments.push(ListedSegment { first_lsn: lsn, bytes_min: bytes.len() as u64 });
    }
    Ok(manifest)
}
