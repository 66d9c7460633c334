//! A snapshot file from bytes: flags, then all its bytes. Opened, every section read, every block verified.

use storage::{
    fs::SimFs,
    snapshot::{SectionTag, Snapshot, SnapshotRef, SnapshotWriter},
};

use crate::{base, seal};

/// The checksums are made to fit.
const SEALED: u8 = 1;
const CLUSTER: u128 = 3;

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let Some((flags, bytes)) = input.split_first() else { return };
    let mut bytes = bytes.to_vec();
    let (length, mut checksum) = (bytes.len() as u64, 0);
    if flags & SEALED != 0 {
        checksum = seal::snapshot(&mut bytes).1;
    } else if let Some(at) = bytes.len().checked_sub(8) {
        checksum = seal::u64_at(&bytes, at).unwrap_or(0);
    }
    // The number is what the header says: else nothing but that is found.
    let number = seal::u64_at(&bytes, 32).unwrap_or(1).max(1);
    let reference = SnapshotRef { number, bytes: length, checksum };
    let fs = SimFs::new();
    base::put_file(&fs, &reference.file_name(), &bytes);
    let Ok(snapshot) = Snapshot::open(&fs, &reference, CLUSTER) else { return };
    let is_sealed = flags & SEALED != 0;
    for (tag, length) in snapshot.sections() {
        let section = snapshot.section(*tag).expect("it is in the list");
        assert_eq!(section.len() as u64, *length);
        let (end, half) = (section.len(), section.len() / 2);
        for range in [0..end, half..end, end..end, 0..0] {
            let read = section.bytes(range.clone());
            assert!(
                !is_sealed || read.is_ok_and(|bytes| bytes.len() == range.len()),
                "{tag:?} {range:?}"
            );
        }
        assert!(
            section.bytes(0..end + 1).is_err()
                && section.bytes(usize::MAX - 1..usize::MAX).is_err()
        );
    }
    while let Ok(progress) = snapshot.verify(1)
        && progress.done < progress.total
    {}
}

/// No section, some small ones, and one of two blocks.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [&[][..], &[0, 5, 64, 200], &[70_000]].map(seed).into()
}

fn seed(lengths: &[usize]) -> Vec<u8> {
    let fs = SimFs::new();
    let mut out = SnapshotWriter::create(&fs, 1, CLUSTER, 9).expect("made");
    for (shard, length) in (0..).zip(lengths) {
        out.begin(SectionTag { kind: 5, shard, group: 1 });
        out.write(&vec![7; *length]).expect("written");
        out.end();
    }
    let reference = out.finish().expect("finished");
    [&[SEALED][..], &fs.bytes(&reference.file_name())].concat()
}
