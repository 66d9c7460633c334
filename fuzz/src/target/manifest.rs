//! A manifest from bytes, beside a log that is whole: flags, then all its bytes.

use storage::Vfs;

use crate::{base, seal};

/// The checksum is made to fit.
const SEALED: u8 = 1;
/// There is no other file.
const ALONE: u8 = 2;

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let Some((flags, bytes)) = input.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if flags & SEALED != 0 {
        seal::manifest(&mut bytes);
    }
    let fs = if flags & ALONE != 0 { storage::fs::SimFs::new() } else { base::defined() };
    base::put_file(&fs, "MANIFEST", &bytes);
    base::judge_alike(&fs);
}

/// The manifest of a log, and of a log with a snapshot.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let fs = base::defined();
    let plain = fs.bytes("MANIFEST");
    let database = base::open(&fs).expect("opens");
    database.checkpoint(&mut |_| ()).expect("a checkpoint");
    drop(database);
    assert!(fs.list().is_ok_and(|names| names.len() > 3), "with a snapshot");
    [plain, fs.bytes("MANIFEST")].map(|bytes| [&[SEALED][..], &bytes].concat()).into()
}
