//! The bytes of format 1, as `docs/formats/wal.md` draws them. This file is opened by every later release.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use storage::{
    ListedSegment, Lsn, SyncPolicy, Vfs,
    fs::{SimFs, VFile},
    inspect,
    snapshot::SnapshotRef,
};

/// The one segment of a small log.
const FIRST: &str = "wal-00000000000000000001.log";

const GOLDEN: &str = include_str!("golden/wal_v1.hex");

/// The document that draws the format.
const DOCUMENT: &str = include_str!("../../docs/formats/wal.md");

const GOLDEN_MANIFEST: &str = include_str!("golden/manifest_v1.hex");

/// The document that draws the manifest.
const MANIFEST_DOCUMENT: &str = include_str!("../../docs/formats/manifest.md");

/// Offset, bytes and name of the fields that the table under `title` draws; bytes are `None` in the last line.
fn table(document: &'static str, title: &str) -> Vec<(usize, Option<usize>, &'static str)> {
    let (_, section) = document.split_once(title).expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let field = |line: &'static str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let at = cells.next()?.parse().ok()?;
        Some((at, cells.next()?.parse().ok(), cells.next()?))
    };
    section.lines().filter_map(field).collect()
}

/// Header, then batches, in lines of 16 bytes; the zeros between are left out.
fn hex(bytes: &[u8]) -> String {
    let line = |(at, chunk): (usize, &[u8])| {
        let digits: Vec<_> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:04}: {}\n", at * 16, digits.join(" "))
    };
    bytes
        .chunks(16)
        .enumerate()
        .filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 0))
        .map(line)
        .collect()
}

fn write_example(fs: &SimFs) {
    let (wal, ..) = open(fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[b"one", b"two"]);
    wal.close().expect("closed");
}

#[test]
fn the_log_is_written_as_documented() {
    let fs = SimFs::new();
    write_example(&fs);
    let written = hex(&fs.bytes(FIRST));
    assert_eq!(
        written, GOLDEN,
        "the format changed: that needs a new version, not a new golden file"
    );
}

#[test]
fn the_golden_log_opens() {
    let fs = SimFs::new();
    write_hex(&fs, FIRST, GOLDEN, 8192);
    let (_, report, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!(report.torn_tail, None);
    assert_eq!(records, [(1, 7, b"one".to_vec()), (2, 7, b"two".to_vec())]);
}

/// A table without gaps, whose fields stand in the golden log where it says.
#[test]
fn the_document_draws_these_bytes() {
    let fs = SimFs::new();
    write_example(&fs);
    let log = fs.bytes(FIRST);
    let segment = [
        ("magic", u64::from_le_bytes(*b"LARDRWAL")),
        ("format", 1),
        ("first LSN", 1),
        ("checksum of the last batch", 0),
    ];
    // The second batch: record 2, built when record 1 was synced.
    let batch = [
        ("magic", u64::from(u32::from_le_bytes(*b"LBAT"))),
        ("length of the batch", 48 + 5 + 3),
        ("LSN of its first", 2),
        ("number of records", 1),
        ("durable before", 1),
    ];
    let record = [("length of the payload", 3), ("kind", 7)];
    let sections = [
        ("## Segment", 0, &segment[..]),
        ("## Batch", 4096 + 56, &batch),
        ("## Record", 4096 + 56 + 48, &record),
    ];
    for (title, start, expected) in sections {
        draws(DOCUMENT, title, &log[start..], expected);
    }
}

/// The table under `title` has no gaps, and its fields stand in `bytes` where it says.
fn draws(document: &'static str, title: &str, bytes: &[u8], expected: &[(&str, u64)]) {
    let fields = table(document, title);
    for ((at, bytes, field), next) in fields.iter().zip(fields.iter().skip(1)) {
        assert_eq!(at + bytes.expect("a length"), next.0, "{title}: {field}");
    }
    for (name, value) in expected {
        let field = fields.iter().find(|(.., field)| field.starts_with(name));
        let (at, length, _) = *field.unwrap_or_else(|| panic!("{title} draws no {name}"));
        let found = &bytes[at..at + length.expect("a length")];
        assert_eq!(found, &value.to_le_bytes()[..found.len()], "{title}: {name}");
    }
}

/// A directory of two segments whose manifest names a snapshot.
fn directory_with_a_snapshot() -> SimFs {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[&[1; 3000], &[2; 3000], &[3; 3000]]);
    let snapshot = SnapshotRef { number: 6, bytes: 7, checksum: 8 };
    wal.directory().install(snapshot, Lsn(2)).expect("installed");
    fs
}

#[test]
fn the_manifest_is_written_as_documented() {
    let manifest = directory_with_a_snapshot().bytes("MANIFEST");
    let written = hex(&manifest);
    assert_eq!(
        written, GOLDEN_MANIFEST,
        "the format changed: that needs a new version, not a new golden file"
    );
    let expected = [
        ("magic", u64::from_le_bytes(*b"LARDRMAN")),
        ("format", 1),
        ("number", 4),
        ("snapshot's number", 6),
        ("snapshot's length", 7),
        ("snapshot's checksum", 8),
        ("replay from", 2),
        ("durable", 3),
        ("count of segments", 2),
    ];
    draws(MANIFEST_DOCUMENT, "## Fields", &manifest, &expected);
    assert_eq!(manifest.len(), 96 + 2 * 16 + 8);
}

#[test]
fn the_golden_manifest_is_read() {
    let fs = SimFs::new();
    write_hex(&fs, "MANIFEST", GOLDEN_MANIFEST, 0);
    let manifest = inspect::walk(&fs, &mut |_, _| ()).expect("read").manifest.expect("there");
    let segment = |first_lsn| ListedSegment { first_lsn, bytes_min: 8192 };
    assert_eq!(manifest.segments, [segment(2), segment(3)]);
    assert_eq!(manifest.snapshot, Some(SnapshotRef { number: 6, bytes: 7, checksum: 8 }));
}

/// Makes a file of what [`hex`] wrote.
fn write_hex(fs: &SimFs, name: &str, text: &str, length: u64) {
    let file = fs.create_new(name, length).expect("made");
    for line in text.lines() {
        let (at, digits) = line.split_once(": ").expect("an offset and bytes");
        let byte = |digits: &str| u8::from_str_radix(digits, 16).expect("hex");
        let bytes: Vec<u8> = digits.split(' ').map(byte).collect();
        file.write_at(at.parse().expect("an offset"), &bytes).expect("written");
    }
}
