//! The engine's sections of a snapshot from bytes, in a snapshot that is whole: kind, shard and group (a byte each), length (u16),
//! bytes, again and again. Sections that the input does not give are those of a database with some rows and events.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use engine::{ProducerId, PushRequest, WriteOptions};
use model::{
    packed_row::{Cell, write_row},
    value::ValueRef,
};
use storage::{
    Directory, Lsn,
    fs::SimFs,
    snapshot::{SectionTag, Snapshot, SnapshotWriter},
};

use crate::base;

type Sections = BTreeMap<SectionTag, Vec<u8>>;

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let mut sections = usual().clone();
    for (tag, bytes) in given(input) {
        sections.insert(tag, bytes);
    }
    let fs = base::defined();
    let directory = Directory::open(fs.clone(), 5).expect("whole");
    let number = directory.next_snapshot_number();
    let mut out = SnapshotWriter::create(&fs, number, directory.cluster(), 9).expect("made");
    for (tag, bytes) in &sections {
        out.begin(*tag);
        out.write(bytes).expect("written");
        out.end();
    }
    let reference = out.finish().expect("finished");
    directory.install(reference, Lsn(1)).expect("installed");
    drop(directory);
    fs.kill();
    base::judge_alike(&fs);
}

/// The sections that `input` gives.
fn given(mut input: &[u8]) -> Vec<(SectionTag, Vec<u8>)> {
    let mut sections = Vec::new();
    while let Some(([kind, shard, group, low, high], rest)) = input.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (bytes, rest) = rest.split_at(length);
        let tag =
            SectionTag { kind: (*kind).into(), shard: (*shard).into(), group: (*group).into() };
        sections.push((tag, bytes.to_vec()));
        input = rest;
    }
    sections
}

/// The sections of a database with rows, events, ids and a producer.
fn usual() -> &'static Sections {
    static USUAL: OnceLock<Sections> = OnceLock::new();
    USUAL.get_or_init(|| {
        let fs = base::defined();
        let database = base::open(&fs).expect("opens");
        for key in 0..8 {
            base::put(&database, key, i64::from(key)).expect("taken");
        }
        push(&database);
        database.checkpoint(&mut |_| ()).expect("a checkpoint");
        drop(database);
        fs.kill();
        let directory = Directory::open(fs.clone(), 5).expect("whole");
        let reference = directory.snapshot().expect("there is one");
        let snapshot = Snapshot::open(&fs, &reference, directory.cluster()).expect("whole");
        let all = |tag: &SectionTag| {
            let section = Arc::clone(&snapshot).section(*tag).expect("it is in the list");
            section.bytes(0..section.len()).expect("good").to_vec()
        };
        snapshot.sections().iter().map(|(tag, _)| (*tag, all(tag))).collect()
    })
}

fn push(database: &engine::Database<SimFs>) {
    let (_, definitions) = database.definitions();
    let (stream, definition) = definitions.stream("clicks").expect("defined");
    let event = |number: i64| {
        let (id, user) = (format!("e{number}"), format!("u{}", number % 3));
        let mut row = Vec::new();
        let cells = [
            Cell::Value(ValueRef::String(&id)),
            Cell::Value(ValueRef::String(&user)),
            Cell::Value(ValueRef::Timestamp(1_767_225_600_000 + number * 20_000)),
        ];
        write_row(&mut row, &definition.fields, cells).expect("types match");
        row
    };
    let events: Vec<_> = (0..400).map(event).collect();
    let events = events.iter().map(Vec::as_slice).collect();
    let options = WriteOptions { producer: ProducerId(7), sequence: 1, sync: None };
    let request = PushRequest { stream, fields: definition.fields.len(), events };
    database.push(&request, &options).expect("taken");
}

/// Every section of the usual ones that is small, alone.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    // One shard is as good as another; empty tables are all alike.
    let is_telling = |(tag, bytes): &(&SectionTag, &Vec<u8>)| {
        bytes.len() < 4096 && (tag.kind < 5 && tag.shard < 2 || bytes.len() > 60)
    };
    let byte = |number: u32| u8::try_from(number).expect("small");
    let seed = |(tag, bytes): (&SectionTag, &Vec<u8>)| {
        let length = u16::try_from(bytes.len()).expect("small").to_le_bytes();
        let head = [byte(tag.kind), byte(tag.shard), byte(tag.group), length[0], length[1]];
        [&head[..], bytes].concat()
    };
    usual().iter().filter(is_telling).take(16).map(seed).collect()
}
