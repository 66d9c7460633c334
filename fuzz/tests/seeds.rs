//! The seed corpus is the same bytes each time it is written: what changes in it is what a change of the code did.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every file below `directory`, by its path.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for target in std::fs::read_dir(directory).expect("written") {
        let target = target.expect("a folder").path();
        for file in std::fs::read_dir(&target).expect("a folder of seeds") {
            let path = file.expect("a file").path();
            let name = path.strip_prefix(directory).expect("below it").to_owned();
            files.insert(name, std::fs::read(&path).expect("a seed"));
        }
    }
    files
}

#[test]
fn two_processes_write_the_same_seeds() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seeds");
    let [one, other] = ["one", "other"].map(|name| {
        let directory = place.join(name);
        let wrote = Command::new(env!("CARGO_BIN_EXE_seed-corpus")).arg(&directory).status();
        assert!(wrote.is_ok_and(|status| status.success()), "it writes them");
        files(&directory)
    });
    assert!(one.len() > 50, "{} seeds", one.len());
    for (name, seed) in &one {
        assert!(other.get(name) == Some(seed), "{} differs", name.display());
    }
}
