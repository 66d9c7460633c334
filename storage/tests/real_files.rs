//! The whole log on real files, with its own thread: many writers wait at once, blocking and as futures, and all of it is there
//! after a clean stop and after a stop without one.

mod harness;

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use harness::{Opened, config, open_at};
use stdx::clock::SystemClock;
use storage::{CommitTicket, Durable, Error, OsFs, SyncLevel, SyncPolicy, WalConfig};

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
