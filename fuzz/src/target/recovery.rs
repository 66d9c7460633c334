//! Damage done to a directory that was whole, one edit after another: what starts holds a prefix of what was written, in order, and
//! never a wrong row.
//!
//! An edit is a file (its position in the list), what is done to it, where (u16 × 16 bytes) and a byte to do it with.

use std::sync::OnceLock;

use storage::{Vfs, fs::SimFs};

use crate::base;

/// Rows of the directory, each a record of its own: 1, 2, 3, … under keys that repeat.
const ROWS: u8 = 24;

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let fs = whole();
    for edit in input.as_chunks::<5>().0 {
        let names = fs.list().expect("listed");
        let Some(name) = names.get(usize::from(edit[0]) % names.len().max(1)) else { return };
        act(&fs, name, edit);
    }
    let copy = fs.fork();
    if base::judge_alike(&copy) {
        check_rows(&fs);
    }
}

fn act(fs: &SimFs, name: &str, [_, how, low, high, byte]: &[u8; 5]) {
    let at = usize::from(u16::from_le_bytes([*low, *high])) * 16 + usize::from(*byte) % 16;
    let within = |bytes: &[u8]| if bytes.is_empty() { 0 } else { at % bytes.len() };
    let mut bytes = fs.bytes(name);
    let at = within(&bytes);
    match how % 8 {
        0 | 1 => bytes[at..].iter_mut().take(1).for_each(|one| *one ^= byte | 1),
        2 => bytes.truncate(at),
        3 => bytes[at..].iter_mut().take(512).for_each(|one| *one = 0),
        4 => bytes[at..].iter_mut().for_each(|one| *one = 0),
        5 => bytes.rotate_left(at),
        6 => return fs.remove(name).expect("removed"),
        _ => bytes.extend_from_slice(&[*byte; 7]),
    }
    base::put_file(fs, name, &bytes);
}

/// What starts is the state after some number of rows; those that a snapshot holds are all there.
fn check_rows(fs: &SimFs) {
    let Ok(database) = base::open(fs) else { return };
    if database.definitions_version() == 0 {
        return;
    }
    let Ok(rows) = base::rows(&database) else { return };
    let newest = rows.iter().map(|(_, visits)| *visits).max().unwrap_or(0);
    assert!(newest <= i64::from(ROWS), "{rows:?}");
    // Eight keys: the newest row of each.
    let expected: Vec<i64> = (1..=newest).rev().take(8).collect();
    let mut found: Vec<i64> = rows.iter().map(|(_, visits)| *visits).collect();
    found.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(found, expected, "not the state after {newest} rows");
}

/// Three segments, a snapshot in the middle.
fn whole() -> SimFs {
    static WHOLE: OnceLock<SimFs> = OnceLock::new();
    let make = || {
        let fs = base::defined();
        let database = base::open(&fs).expect("opens");
        for row in 1..=ROWS {
            base::put(&database, row, row.into()).expect("taken");
            base::flush(&database).expect("written");
            if row == ROWS / 2 {
                database.checkpoint(&mut |_| ()).expect("a checkpoint");
            }
        }
        database.close().expect("closed");
        drop(database);
        fs.kill();
        fs
    };
    WHOLE.get_or_init(make).fork()
}

/// No edit, and one of each kind to each file.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let edits = (0..4_u8).flat_map(|file| (0..8_u8).map(move |how| vec![file, how, 2, 1, 8]));
    std::iter::once(Vec::new()).chain(edits).collect()
}
