//! Definitions in the log from bytes: a flag, then the payload of a definitions record, or the text of definitions.

use std::sync::Arc;

use storage::{Directory, SyncPolicy, Wal, WalConfig, fs::SimFs, wal::Work};

use crate::base;

/// What follows is the text alone.
const TEXT: u8 = 1;
/// The kind of a definitions record.
const KIND: u8 = 1;

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let Some((flags, bytes)) = input.split_first() else { return };
    let payload = if flags & TEXT != 0 { record(bytes) } else { bytes.to_vec() };
    let fs = SimFs::new();
    let directory = Directory::open(fs.clone(), 5).expect("a new one");
    let config = WalConfig {
        sync: SyncPolicy::Always,
        segment_bytes: 8192,
        threaded: false,
        ..WalConfig::default()
    };
    let opened =
        Wal::open(&Arc::clone(&directory), config, base::clock(), &mut |_, _, _: &[u8]| Ok(()));
    let (wal, _) = opened.expect("a new one");
    let written = wal.append(KIND, &payload).and_then(|_| wal.step(Work::Write));
    written.and_then(|()| wal.close()).expect("written");
    drop((wal, directory));
    fs.kill();
    base::judge_alike(&fs);
}

/// A record as `docs/formats/wal.md` draws it: version 1, applied at 0, file `f`, the text.
fn record(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let [low, high] = length.to_le_bytes();
    let length = if length < 251 { vec![low] } else { vec![251, low, high] };
    [&[1, 0, 1, b'f'], &length[..], &text[..text.len().min(usize::from(u16::MAX))]].concat()
}

/// The definitions of the other targets, as text and as a record.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let text = base::DEFINITIONS.as_bytes();
    vec![[&[TEXT], text].concat(), [&[0], &record(text)[..]].concat()]
}
