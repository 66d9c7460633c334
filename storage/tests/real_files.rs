//! The whole log on real files, with its own thread: many writers wait at once, blocking and as futures, and all of it is there
//! after a clean stop and after a stop without one.

mod harness;

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use harness::{Opened, config, open_at};
use stdx::clock::{Clock, SystemClock};
use storage::{
    CommitTicket, Directory, Durable, Error, OsFs, SyncLevel, SyncPolicy, Vfs, Wal, WalConfig,
    fs::VFile,
};

const WRITERS: u8 = 4;
const RECORDS: u8 = 50;

fn open(fs: &OsFs, sync: SyncPolicy) -> Opened<OsFs> {
    let config = WalConfig { threaded: true, segment_bytes: 32 << 10, ..config(sync) };
    open_at(fs, &config, Arc::new(SystemClock::new())).expect("opens")
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Awaits a ticket without a runtime.
fn block_on(ticket: CommitTicket) -> Result<Durable, Error> {
    let mut ticket = std::pin::pin!(ticket);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn write_from_many_threads(fs: &OsFs, sync: SyncPolicy) {
    let (wal, ..) = open(fs, sync);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let wal = &wal;
            scope.spawn(move || {
                for number in 0..RECORDS {
                    let payload = [writer, number].repeat(usize::from(number) * 8);
                    wal.reserve(payload.len()).expect("there is room");
                    let lsn = wal.append(writer, &payload).expect("taken");
                    let ticket = wal.ticket(lsn, Some(SyncLevel::Durable));
                    let done = if number % 2 == 0 { ticket.wait() } else { block_on(ticket) };
                    assert_eq!(done.expect("safe"), Durable { lsn, level: SyncLevel::Durable });
                    assert!(wal.durable_lsn() >= lsn);
                }
            });
        }
    });
    let stats = wal.stats();
    assert!(stats.segments > 1 && stats.syncs > 0, "{stats:?}");
    // Stopped without a word: what was acknowledged needs no clean end.
    wal.abandon();
}

#[test]
fn every_acknowledged_record_is_read_back_under_every_policy() {
    for sync in [SyncPolicy::Always, SyncPolicy::Interval, SyncPolicy::Os] {
        let directory = tempfile::tempdir().expect("a directory");
        let fs = OsFs::open(&directory.path().join("made/on/the/way")).expect("opens");
        write_from_many_threads(&fs, sync);
        for _ in 0..2 {
            let (wal, report, records) = open(&fs, sync);
            assert_eq!((records.len(), report.torn_tail), (200, None), "{sync}");
            for writer in 0..WRITERS {
                let own = records.iter().filter(|(_, kind, _)| *kind == writer);
                let lengths: Vec<_> = own.map(|(.., payload)| payload.len() / 16).collect();
                assert!(lengths.into_iter().eq(0..usize::from(RECORDS)), "in their order: {sync}");
            }
            wal.close().expect("closed");
        }
    }
}

/// A segment has 64 MiB of space, most of it never written: a start that read the space would take tens of ms. It is told by the
/// holes that are left afterwards, because time on a busy machine says nothing; `--nocapture` prints the time too.
#[test]
fn a_start_does_not_read_the_space_that_was_never_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let fs = OsFs::open(directory.path()).expect("opens");
    let config = WalConfig { segment_bytes: 64 << 20, ..config(SyncPolicy::Always) };
    let clock = Arc::new(SystemClock::new());
    let (wal, ..) = open_at(&fs, &config, clock.clone()).expect("opens");
    for _ in 0..30 {
        wal.append(1, &[7; 1 << 20]).expect("appended");
        wal.step(storage::wal::Work::Write).expect("written");
    }
    wal.close().expect("closed");
    drop(wal);
    let file = fs.open("wal-00000000000000000001.log").expect("opens");
    let holes = |file: &storage::fs::OsFile| {
        let data = file.data_from(0).expect("known").expect("not empty");
        file.map().expect("mapped").len() as u64 - (data.end - data.start)
    };
    let before = holes(&file);
    let start = clock.mono_ns();
    let directory = Directory::open(fs.clone(), config.seed).expect("opens");
    let mut bytes = 0;
    let mut replay = |_, _, payload: &[u8]| {
        bytes += payload.len();
        Ok(())
    };
    let (_wal, report) = Wal::open(&directory, config, clock.clone(), &mut replay).expect("opens");
    let took_us = (clock.mono_ns() - start) / 1000;
    assert_eq!((bytes, report.torn_tail), (30 << 20, None));
    println!("30 MiB of records in a segment of 64 MiB: {took_us} us; {before} bytes of holes");
    assert!(before == 0 || holes(&file) >= before / 2, "the space is still a hole");
}

/// Advice changes what is in memory when it is read, never what is read; nobody has to know how long a file is to give it.
#[test]
fn advice_about_reads_changes_nothing_that_is_read() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let fs = OsFs::open(directory.path()).expect("a directory");
    let file = fs.create_new("a", 0).expect("made");
    assert!(file.map_scattered().expect("mapped").is_empty());
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    file.write_at(0, &bytes).expect("written");
    for range in [0..0, 5..70_000, 1_000_000..9_000_000, u64::MAX - 5..u64::MAX] {
        file.will_need(range);
    }
    assert!(file.map_scattered().expect("mapped") == bytes);
    assert!(file.map().expect("mapped") == bytes);
}
