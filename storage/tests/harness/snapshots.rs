//! Snapshots written and compared as a whole.

use std::sync::Arc;

use storage::{
    Error, Vfs,
    snapshot::{SectionTag, Snapshot, SnapshotRef, SnapshotWriter},
};

/// The database of all snapshots here.
pub(crate) const CLUSTER: u128 = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
pub(crate) const SALT: u64 = 0x5a17;

/// Sections in their order.
pub(crate) type Sections = Vec<(SectionTag, Vec<u8>)>;

/// Writes snapshot `number`, each section in pieces of up to `piece` bytes.
pub(crate) fn write<V: Vfs>(
    vfs: &V,
    number: u64,
    sections: &Sections,
    piece: usize,
) -> Result<SnapshotRef, Error> {
    let mut writer = SnapshotWriter::create(vfs, number, CLUSTER, SALT)?;
    for (tag, bytes) in sections {
        writer.begin(*tag);
        bytes.chunks(piece).try_for_each(|piece| writer.write(piece))?;
        writer.end();
    }
    writer.finish()
}

/// Opens a snapshot and compares every byte of every section.
pub(crate) fn check<V: Vfs>(
    vfs: &V,
    reference: &SnapshotRef,
    expected: &Sections,
) -> Result<Arc<Snapshot>, Error> {
    let snapshot = Snapshot::open(vfs, reference, CLUSTER)?;
    let lengths = expected.iter().map(|(tag, bytes)| (*tag, bytes.len() as u64));
    assert!(snapshot.sections().iter().copied().eq(lengths), "other sections");
    for (tag, bytes) in expected {
        let section = snapshot.section(*tag).expect("it is in the directory");
        assert!(section.bytes(0..section.len())? == bytes, "other bytes in {tag:?}");
    }
    Ok(snapshot)
}
