//! Two servers, one directory. The second is refused by name, with the process that holds it; once the first is gone, however
//! it went, the directory is free.

mod harness;

use std::sync::Arc;

use harness::{Opened, config, open_at};
use stdx::clock::ManualClock;
use storage::{Error, OsFs, SyncPolicy};

fn open(fs: &OsFs) -> Result<Opened<OsFs>, Error> {
    open_at(fs, &config(SyncPolicy::Always), Arc::new(ManualClock::at(0)))
}

#[test]
fn a_second_opener_is_told_who_holds_the_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let fs = OsFs::open(directory.path()).expect("opens");
    let (first, ..) = open(&fs).expect("nobody else is here");
    let error = open(&fs).err().expect("refused").to_string();
    let shown = directory.path().display().to_string();
    for part in [shown, format!("(process {})", std::process::id()), "stop that one".into()] {
        assert!(error.contains(&part), "{part} is missing in: {error}");
    }
    drop(first);
    open(&fs).expect("free again");
}
