//! Snapshot files end to end: what was written is read back or refused, never anything else, whatever happens to the disk while
//! it is written or to the bytes afterwards.

#[path = "harness/sections.rs"]
mod random;
#[path = "harness/snapshots.rs"]
mod snapshots;

use random::sections;
use snapshots::{CLUSTER, Sections, check, write};
use stdx::prng::Prng;
use storage::{
    Error, OsFs, Vfs,
    fs::{SimFs, VFile},
    snapshot::{Progress, SectionTag, Snapshot, SnapshotRef, SnapshotWriter},
};

/// The name of the snapshot that most tests write.
const FILE: &str = "snapshot-00000000000000000007.lsnap";
const NUMBER: u64 = 7;
const BLOCK: usize = 64 << 10;

fn seed() -> u64 {
    std::env::var("LARDER_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// A disk with a snapshot of sections of the given lengths, written from the seed.
fn written(lengths: &[usize]) -> (SimFs, SnapshotRef, Sections) {
    let sections = sections(&mut Prng::new(seed()), lengths);
    let fs = SimFs::new();
    let reference = write(&fs, NUMBER, &sections, 1000).expect("there is room");
    (fs, reference, sections)
}

/// Writes `bytes` in place of the snapshot.
fn replace(fs: &SimFs, bytes: &[u8]) {
    let file = fs.open(FILE).expect("it is there");
    file.set_len(bytes.len() as u64).expect("cut");
    file.write_at(0, bytes).expect("written");
}

#[test]
fn sections_of_any_length_come_back_whatever_the_pieces() {
    for seed in seed()..seed() + 30 {
        let mut prng = Prng::new(seed);
        let length = |prng: &mut Prng| {
            let bound = [1, 70, 5000, 300_000][usize::try_from(prng.below(4)).expect("small")];
            usize::try_from(prng.below(bound)).expect("small")
        };
        let lengths: Vec<_> = (0..prng.below(40)).map(|_| length(&mut prng)).collect();
        let sections = sections(&mut prng, &lengths);
        let fs = SimFs::new();
        let piece = 1 + usize::try_from(prng.below(200_000)).expect("small");
        let reference = write(&fs, NUMBER, &sections, piece).expect("there is room");
        assert_eq!(reference.bytes, fs.bytes(FILE).len() as u64, "seed {seed}");
        let snapshot = check(&fs, &reference, &sections);
        let snapshot = snapshot.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (tag, bytes) in sections.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let section = snapshot.section(*tag).expect("it is there");
            let start = usize::try_from(prng.below(bytes.len() as u64)).expect("small");
            assert_eq!(section.bytes(start..bytes.len()).expect("good"), &bytes[start..]);
        }
    }
}

#[test]
fn blocks_are_verified_at_first_use_and_the_rest_by_the_way() {
    let (fs, reference, sections) = written(&[100, 10 * BLOCK, 100]);
    let snapshot = Snapshot::open(&fs, &reference, CLUSTER).expect("good");
    assert_eq!(snapshot.verified(), (0, 11), "opening reads no block");
    let section = snapshot.section(sections[1].0).expect("it is there");
    section.bytes(5 * BLOCK..5 * BLOCK + 1).expect("good");
    assert_eq!(snapshot.verified().0, 1);
    section.bytes(5 * BLOCK..5 * BLOCK).expect("nothing is touched");
    assert_eq!(snapshot.verify(4).expect("good"), Progress { done: 5, total: 11 });
    assert_eq!(snapshot.verify(100).expect("good"), Progress { done: 11, total: 11 });
    assert!(snapshot.damage().is_none());
    assert_eq!(section.bytes(0..section.len()).expect("good"), sections[1].1);
}

#[test]
fn many_readers_count_a_block_once() {
    let (fs, reference, sections) = written(&[40 * BLOCK]);
    let snapshot = Snapshot::open(&fs, &reference, CLUSTER).expect("good");
    let section = snapshot.section(sections[0].0).expect("it is there");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| section.bytes(0..section.len()).expect("good").len());
            scope.spawn(|| snapshot.verify(50).expect("good"));
        }
    });
    assert_eq!(snapshot.verified(), (41, 41));
}

/// Every bit of a small file: header, bytes, padding, tables and footer.
#[test]
fn every_flipped_bit_is_noticed_before_a_byte_of_its_block_is_used() {
    let (fs, reference, sections) = written(&[3, 0, 130, 64]);
    let bits = fs.bytes(FILE).len() * 8;
    for bit in 0..bits {
        let fs = fs.fork();
        fs.flip_bit(FILE, bit);
        let Ok(snapshot) = Snapshot::open(&fs, &reference, CLUSTER) else { continue };
        for (tag, bytes) in &sections {
            let section = snapshot.section(*tag).expect("the directory is good");
            match section.bytes(0..section.len()) {
                Err(Error::Damaged { file, .. }) => assert_eq!(file, FILE),
                Err(other) => panic!("bit {bit}: {other}"),
                // Nothing of it was used.
                Ok(read) => assert!(read.is_empty() && bytes.is_empty(), "bit {bit}"),
            }
        }
        assert!(snapshot.verify(1).is_err(), "bit {bit}");
        assert!(snapshot.damage().expect("told").contains(FILE), "bit {bit}");
    }
}

#[test]
fn damage_to_one_block_leaves_the_others_readable() {
    let (fs, reference, sections) = written(&[8 * BLOCK]);
    let (tag, bytes) = &sections[0];
    fs.flip_bit(FILE, (3 * BLOCK + 17) * 8 + 5);
    let snapshot = Snapshot::open(&fs, &reference, CLUSTER).expect("tables are good");
    let section = snapshot.section(*tag).expect("it is there");
    // The section begins behind the header of 64 bytes.
    let (good, bad) = (0..3 * BLOCK - 64, 3 * BLOCK - 64..4 * BLOCK - 64);
    assert_eq!(section.bytes(good.clone()).expect("good"), &bytes[good.clone()]);
    assert!(snapshot.damage().is_none());
    for range in [bad.clone(), bad.end - 1..bad.end, 0..section.len()] {
        let error = section.bytes(range).expect_err("damaged");
        let Error::Damaged { offset, .. } = &error else { panic!("{error}") };
        assert_eq!(*offset, 3 * BLOCK as u64);
        assert!(error.to_string().contains("restore"), "{error}");
    }
    assert!(snapshot.damage().expect("told").contains("at byte 196608"));
    assert_eq!(section.bytes(good.clone()).expect("good"), &bytes[good]);
    assert_eq!(section.bytes(bad.end..section.len()).expect("good"), &bytes[bad.end..]);
    // The verifier says it once more and then comes to the end.
    assert!(snapshot.verify(100).is_err());
    assert_eq!(snapshot.verify(100).expect("the rest is good"), Progress { done: 9, total: 9 });
    assert_eq!(snapshot.verified(), (8, 9));
}

#[test]
fn blocks_that_changed_places_are_noticed() {
    let (fs, reference, sections) = written(&[4 * BLOCK]);
    let mut bytes = fs.bytes(FILE);
    let (first, second) = bytes.split_at_mut(2 * BLOCK);
    first[BLOCK..].swap_with_slice(&mut second[..BLOCK]);
    replace(&fs, &bytes);
    let error = check(&fs, &reference, &sections).expect_err("damaged");
    assert!(matches!(error, Error::Damaged { offset: 65536, .. }), "{error}");
}

#[test]
fn a_range_outside_of_its_section_is_damage_and_no_panic() {
    let (fs, reference, sections) = written(&[10, 10]);
    let snapshot = Snapshot::open(&fs, &reference, CLUSTER).expect("good");
    let section = snapshot.section(sections[0].0).expect("it is there");
    #[expect(clippy::reversed_empty_ranges, reason = "what damaged offsets may ask for")]
    for range in [0..11, 11..11, 7..3, usize::MAX - 1..usize::MAX] {
        let error = section.bytes(range).expect_err("outside");
        assert!(matches!(error, Error::Damaged { offset: 64, .. }), "{error}");
    }
    assert!(snapshot.damage().expect("told").contains("0..11"));
    assert!(snapshot.section(SectionTag { kind: 0, shard: 0, group: 0 }).is_none());
}

#[test]
fn a_file_of_another_length_is_refused() {
    let (fs, reference, sections) = written(&[3, 70_000]);
    let bytes = fs.bytes(FILE);
    let cuts =
        (0..300).chain((300..bytes.len()).step_by(997)).chain(bytes.len() - 200..bytes.len());
    for length in cuts {
        let fs = fs.fork();
        replace(&fs, &bytes[..length]);
        let error = check(&fs, &reference, &sections).expect_err("cut");
        assert!(matches!(error, Error::Damaged { .. }), "cut at {length}: {error}");
        // Even if the manifest says that it is so short.
        let shorter = SnapshotRef { bytes: length as u64, ..reference };
        assert!(check(&fs, &shorter, &sections).is_err(), "cut at {length}");
    }
    for more in [1, 8, 48, 65_536] {
        let fs = fs.fork();
        replace(&fs, &[&bytes[..], &vec![0; more]].concat());
        let error = check(&fs, &reference, &sections).expect_err("longer");
        assert!(error.to_string().contains("the manifest says"), "{more} more: {error}");
    }
}

#[test]
fn only_the_snapshot_that_the_manifest_means_is_opened() {
    let (fs, reference, sections) = written(&[100]);
    let open = |reference: &SnapshotRef, cluster| {
        Snapshot::open(&fs, reference, cluster).expect_err("refused").to_string()
    };
    assert!(open(&reference, 1).contains("another database"));
    let other = SnapshotRef { checksum: reference.checksum ^ 1, ..reference };
    assert!(open(&other, CLUSTER).contains("the manifest names"));
    let missing = SnapshotRef { number: 8, ..reference };
    assert!(open(&missing, CLUSTER).contains("snapshot-00000000000000000008.lsnap"));
    fs.rename(FILE, "snapshot-00000000000000000008.lsnap").expect("renamed");
    assert!(open(&missing, CLUSTER).contains("it is snapshot 7, not 8"));
    // The same sections as snapshot 9 are another file.
    let second = write(&fs, 9, &sections, 1000).expect("there is room");
    assert_ne!(second.checksum, reference.checksum);
}

#[test]
fn a_snapshot_that_is_given_up_leaves_no_file() {
    let fs = SimFs::new();
    let tag = SectionTag { kind: 1, shard: 2, group: 3 };
    for abort in [true, false] {
        let mut writer = SnapshotWriter::create(&fs, NUMBER, CLUSTER, 1).expect("there is room");
        writer.begin(tag);
        writer.write(&vec![1; 3 << 20]).expect("there is room");
        assert_eq!(fs.list().expect("listed"), ["snapshot-next"]);
        if abort {
            writer.abort()
        } else {
            drop(writer)
        }
        assert!(fs.list().expect("listed").is_empty());
    }
    // What a killed process left does not stop the next one.
    std::mem::forget(SnapshotWriter::create(&fs, NUMBER, CLUSTER, 1).expect("there is room"));
    SnapshotWriter::create(&fs, NUMBER, CLUSTER, 1).expect("the old one is removed").abort();
}

#[test]
fn a_full_disk_says_what_is_missing_and_gets_its_space_back() {
    let (whole, _, sections) = written(&[1000, 3 << 20, 1000]);
    let needed = whole.bytes(FILE).len() as u64;
    for free in (0..needed).step_by(150_000).chain([needed - 1]) {
        let fs = SimFs::new();
        fs.set_capacity(Some(free));
        let error = write(&fs, NUMBER, &sections, 9999).expect_err("no room");
        assert!(matches!(error, Error::Full(_)), "{free} free: {error}");
        assert!(error.to_string().contains("bytes more are needed"), "{free} free: {error}");
        assert!(fs.list().expect("listed").is_empty(), "{free} free");
        fs.set_capacity(Some(needed));
        let reference = write(&fs, NUMBER, &sections, 9999).expect("now there is room");
        check(&fs, &reference, &sections).expect("good");
    }
}

/// A failed operation is not tried again, least of all a sync: the system would say that all is well.
#[test]
fn a_failure_of_any_operation_fails_the_snapshot_for_good() {
    let (whole, _, sections) = written(&[1000, 3 << 20]);
    for operation in 1..=whole.operations() {
        let fs = SimFs::new();
        fs.fail_at(operation);
        write(&fs, NUMBER, &sections, 9999).expect_err("told to fail");
        assert!(fs.list().expect("listed").is_empty(), "operation {operation}");
        let reference = write(&fs, NUMBER, &sections, 9999).expect("the next one is well");
        check(&fs, &reference, &sections).expect("good");
    }
}

#[test]
fn a_writer_that_failed_goes_on_failing() {
    let fs = SimFs::new();
    let mut writer = SnapshotWriter::create(&fs, NUMBER, CLUSTER, 1).expect("there is room");
    writer.begin(SectionTag { kind: 1, shard: 2, group: 3 });
    fs.set_capacity(Some(0));
    writer.write(&vec![1; 2 << 20]).expect_err("full");
    fs.set_capacity(None);
    assert!(matches!(writer.write(&[1]), Err(Error::Full(_))));
    writer.end();
    assert!(matches!(writer.finish(), Err(Error::Full(_))));
    assert!(fs.list().expect("listed").is_empty());
}

/// The old snapshot stays whole whenever the power goes; the new one is whole if it has its name, and surely has it once the
/// writer said so.
#[test]
fn a_power_cut_at_any_operation_leaves_a_whole_snapshot_or_none() {
    let (before, old, old_sections) = written(&[5000]);
    let sections = sections(&mut Prng::new(seed() + 1), &[1000, 0, 1_200_000, 77]);
    let (mut named, mut lost) = (0, 0);
    let complete = before.fork();
    let new = write(&complete, 8, &sections, 9999).expect("there is room");
    for operation in 1..=complete.operations() + 1 {
        for seed in seed()..seed() + 12 {
            let what = format!("operation {operation}, LARDER_SEED={seed}");
            let fs = before.fork();
            fs.power_off_at(operation);
            let finished = write(&fs, 8, &sections, 9999);
            fs.crash(&mut Prng::new(seed));
            check(&fs, &old, &old_sections).unwrap_or_else(|error| panic!("{what}: {error}"));
            let names = fs.list().expect("listed");
            let is_named = names.iter().any(|name| name.ends_with("8.lsnap"));
            assert!(is_named || finished.is_err(), "{what}: a finished snapshot is gone");
            if is_named {
                check(&fs, &new, &sections).unwrap_or_else(|error| panic!("{what}: {error}"));
                named += 1;
            } else {
                lost += 1;
            }
            write(&fs, 9, &old_sections, 9999).expect("the next one is well");
        }
    }
    assert!(named > 10 && lost > 10, "{named} named, {lost} lost");
}

/// Else the system would collect gigabytes and write them at once, while syncs of the log wait.
#[test]
fn a_long_snapshot_is_synced_every_32_mib() {
    let operations = |mebibytes: usize| {
        let fs = SimFs::new();
        let mut writer = SnapshotWriter::create(&fs, NUMBER, CLUSTER, 1).expect("there is room");
        writer.begin(SectionTag { kind: 1, shard: 2, group: 3 });
        let mebibyte = vec![7; 1 << 20];
        (0..mebibytes).for_each(|_| writer.write(&mebibyte).expect("there is room"));
        // All but what making the file and writing takes.
        fs.operations() - 1 - mebibytes as u64
    };
    assert_eq!([31, 32, 65].map(operations), [0, 1, 2]);
}

#[test]
fn real_files_are_mapped_and_outlive_their_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let fs = OsFs::open(directory.path()).expect("opens");
    let sections = sections(&mut Prng::new(seed()), &[1000, 0, 5 << 20, 77, 200_000]);
    let reference = write(&fs, NUMBER, &sections, 12_345).expect("there is room");
    assert_eq!(fs.list().expect("listed"), [FILE]);
    let snapshot = check(&fs, &reference, &sections).expect("good");
    fs.remove(FILE).expect("removed");
    for (tag, bytes) in &sections {
        let section = snapshot.section(*tag).expect("it is there");
        let read = section.bytes(0..section.len()).expect("good");
        assert_eq!(read, bytes);
        assert!(read.is_empty() || read.as_ptr().addr().is_multiple_of(64), "aligned in memory");
    }
}
