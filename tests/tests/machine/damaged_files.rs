//! Files are damaged between two runs: bits turned, sectors zeroed or misplaced, files cut short, removed, renamed. Either
//! everything acknowledged is served, or the start is refused with the file's name and nothing is touched; never is a wrong
//! value served. Of a snapshot, which is read where it lies and only when somebody asks, what lies in a damaged block is refused with the
//! file's name.
//!
//! One damage cannot be told from none: a log that ends early looks like one whose last write was not finished. What it serves
//! then must still be the state after a prefix of the writes, and the server must say where it cut.

use std::path::Path;

use system_tests::{
    damage::{Contents, Damage, files, put_files},
    journal::Promise,
    load::Load,
    seed::{Seed, rounds, say},
    server::Start,
};

use crate::setting::Setting;

/// Longest wait for the writes, in ms.
const WRITE_MS_MAX: u64 = 600_000;
/// So many writes, half of them a few notes of 48 KiB, do not fit one segment of 64 MiB.
const SEGMENTS_ACKS: u64 = 1_500;

/// What damaged directories led to.
#[derive(Debug, Default)]
struct Tally {
    refused: u64,
    served: u64,
    /// Served up to where the log ends too early.
    cut_short: u64,
    /// Served but for what lies in a damaged block of the snapshot.
    told: u64,
}

/// Makes a database of `acks` writes with notes of `note_bytes` bytes, and damages `count` copies of it.
fn damage_copies(acks: u64, note_bytes: usize, count: u64) {
    let seed = Seed::take();
    let mut prng = seed.stream("damage");
    let setting = Setting::new();
    let server = Start::on(&setting.make()).must_start();
    let addr = server.addr().to_owned();
    let mut load = Load::new(seed.value(), 4, 8, note_bytes);
    load.run(&addr, |running| {
        assert!(running.wait_until(WRITE_MS_MAX, || running.acks() >= acks), "{}", running.acks());
    });
    // Ended gently, so that the last write is sealed: damage to it can be told from a torn tail.
    server.stop();
    let whole = files(&setting.data());

    let mut tally = Tally::default();
    for _ in 0..count {
        let copy = tempfile::tempdir().expect("a temporary directory");
        put_files(copy.path(), &whole);
        let damage = Damage::draw(copy.path(), &mut prng);
        damage.apply(copy.path());
        // A log that is cut before its first record has lost the definitions too: then they are made anew, else they are there.
        let start = Start::on(copy.path()).apply(&setting.definitions());
        start_on(&start, copy.path(), &damage, (&load, &mut tally));
    }
    say(&format!("{count} damages: {tally:?}"));
    assert!(tally.refused > 0, "{tally:?}");
}

/// Starts a server on the damaged copy of what `load` wrote.
fn start_on(start: &Start, copy: &Path, damage: &Damage, (load, tally): (&Load, &mut Tally)) {
    let before = files(copy);
    match start.start() {
        Ok(server) => {
            let promise = if damage.looks_torn { Promise::Nothing } else { Promise::Everything };
            match load.clone().judge(&server, promise) {
                Ok(verdict) => {
                    tally.served += 1;
                    tally.cut_short += u64::from(verdict.acked_lost > 0);
                }
                Err(error) => {
                    let is_told = error.contains("the snapshot is damaged")
                        && error.contains(&damage.file)
                        && damage.file.ends_with(".lsnap");
                    assert!(is_told, "{damage}: {error}");
                    tally.told += 1;
                }
            }
        }
        Err(refused) => {
            assert_eq!(refused.status.code(), Some(1), "{damage}: {}", refused.message);
            assert!(refused.message.contains(&damage.file), "{damage}: {}", refused.message);
            let others = |files: Vec<(String, Contents)>| -> Vec<_> {
                files.into_iter().filter(|(name, _)| name != "LOCK").collect()
            };
            let untouched = others(files(copy)) == others(before);
            assert!(untouched, "{damage}: a refused start changed a file");
            tally.refused += 1;
        }
    }
}

#[test]
fn a_damaged_segment_is_refused_or_does_no_harm() {
    damage_copies(1_000, 256, rounds(30));
}

#[test]
fn damage_to_one_of_several_segments_is_refused_or_does_no_harm() {
    damage_copies(SEGMENTS_ACKS, 48 << 10, rounds(5));
}
