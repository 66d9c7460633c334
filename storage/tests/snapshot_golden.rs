//! The bytes of snapshot format 1, as `docs/formats/snapshot.md` draws them. This file is opened by every later release.

#[path = "harness/document.rs"]
mod document;
#[path = "harness/snapshots.rs"]
mod snapshots;

use document::{assert_drawn, from_hex, hex};
use snapshots::{CLUSTER, SALT, Sections, check, write};
use storage::{
    Vfs,
    fs::{SimFs, VFile},
    snapshot::{SectionTag, SnapshotRef},
};

const FILE: &str = "snapshot-00000000000000000007.lsnap";
const GOLDEN: &str = include_str!("golden/snapshot_v1.hex");
const DOCUMENT: &str = include_str!("../../docs/formats/snapshot.md");

/// As the manifest would have it.
const REFERENCE: SnapshotRef =
    SnapshotRef { number: 7, bytes: 312, checksum: 0x16a4_e1e0_efdc_e975 };

fn example() -> Sections {
    let tag = |kind, shard, group| SectionTag { kind, shard, group };
    vec![(tag(1, 2, 3), b"one".to_vec()), (tag(4, 5, 6), b"two".to_vec())]
}

fn written() -> Vec<u8> {
    let fs = SimFs::new();
    let reference = write(&fs, 7, &example(), 2).expect("there is room");
    assert_eq!(reference, REFERENCE);
    fs.bytes(FILE)
}

#[test]
fn a_snapshot_is_written_as_documented() {
    assert_eq!(
        hex(&written()),
        GOLDEN,
        "the format changed: that needs a new version, not a new golden file"
    );
}

#[test]
fn the_golden_snapshot_opens() {
    let fs = SimFs::new();
    let file = fs.create_new(FILE, REFERENCE.bytes).expect("made");
    let length = usize::try_from(REFERENCE.bytes).expect("small");
    file.write_at(0, &from_hex(GOLDEN, length)).expect("written");
    check(&fs, &REFERENCE, &example()).expect("good");
}

#[test]
fn the_document_draws_these_bytes() {
    let bytes = written();
    let low = u64::try_from(CLUSTER & u128::from(u64::MAX)).expect("64 bits");
    assert_eq!(bytes[16..24], low.to_le_bytes());
    let header = [
        ("magic", u64::from_le_bytes(*b"LARDRSNP")),
        ("format", 1),
        ("number of the snapshot", 7),
        ("salt", SALT),
        ("bytes of a block", 65_536),
    ];
    let entry = [("kind", 4), ("shard", 5), ("group", 6), ("offset", 128), ("length", 3)];
    let footer = [
        ("magic", u64::from_le_bytes(*b"LARDREND")),
        ("number of the snapshot", 7),
        ("salt", SALT),
        ("bytes of the body", 192),
        ("number of sections", 2),
        ("checksum", REFERENCE.checksum),
    ];
    let block = [("checksum", stdx::checksum::crc64(SALT, &[&bytes[..192]]))];
    assert_drawn(DOCUMENT, "## Header", &bytes, &header);
    assert_drawn(DOCUMENT, "## Block checksums", &bytes[192..], &block);
    // The second of the directory.
    assert_drawn(DOCUMENT, "## Directory", &bytes[200 + 32..], &entry);
    assert_drawn(DOCUMENT, "## Footer", &bytes[264..], &footer);
}
