//! A model service that reads the same vectors again and again, and looks whether they are still the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use protocol::CallStatus;
use server::Server;
use stdx::clock::{Clock, SystemClock};

use crate::peer::{PATIENCE, Peer, World};

/// Entities that it reads; all that a hostile peer writes is called otherwise.
pub(crate) const KEYS: usize = 4;
/// The as-of of a reply, which is the time of the read.
const AS_OF_BYTES: usize = 8;

/// See the module.
pub(crate) struct Witness {
    stop: Arc<AtomicBool>,
    /// Reads that were answered.
    reads: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<u64>>,
}

impl Witness {
    /// Starts it on a thread of its own.
    pub(crate) fn start(world: &World) -> Self {
        let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (told, counter) = (Arc::clone(&stop), Arc::clone(&reads));
        let keys = world.keys[..KEYS].to_vec();
        let addr = world.server.native_addr();
        let body = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(watch(addr, &keys, (&told, &counter)))
        };
        let thread = std::thread::Builder::new().name("witness".into()).spawn(body);
        Self { stop, reads, thread: thread.expect("a thread") }
    }

    /// Counts its reads.
    pub(crate) fn reads(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.reads)
    }

    /// Ends it: how many reads there were, and what 99 of 100 of them took at most. All were answered as the first one was.
    pub(crate) fn end(self) -> (usize, Duration) {
        self.stop.store(true, Ordering::Release);
        let mut took = self.thread.join().expect("every answer was right");
        took.sort_unstable();
        let p99 = took[took.len() * 99 / 100];
        (took.len(), Duration::from_nanos(p99))
    }
}

async fn watch(
    addr: std::net::SocketAddr,
    keys: &[String],
    (stop, reads): (&AtomicBool, &AtomicUsize),
) -> Vec<u64> {
    let clock = SystemClock::new();
    let mut peer = Peer::connect_to(addr).await;
    let handle = peer.prepare("wide:*").await;
    let (mut first, mut took) = (None, Vec::new());
    // As many as a service asks for, not as many as a machine can.
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    while took.is_empty() || !stop.load(Ordering::Acquire) {
        let began_ns = clock.mono_ns();
        let id = peer.read(handle, keys, 0).await;
        let (replied, body) = peer.receive().await.expect("an answer");
        let passed_ns = clock.mono_ns() - began_ns;
        assert_eq!(id, replied);
        pace.tick().await;
        // A busy thread may say that it has no time; it may not say anything else.
        let body = match body {
            Err(failure) if failure.status == CallStatus::Overloaded => continue,
            body => body.expect("vectors").split_off(AS_OF_BYTES),
        };
        assert_eq!(*first.get_or_insert_with(|| body.clone()), body, "another answer");
        took.push(passed_ns);
        reads.store(took.len(), Ordering::Relaxed);
    }
    took
}

/// One test after the other: they measure the memory of the process, and the time that others have left.
pub(crate) async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    ONE.lock().await
}

/// Memory of this process, in bytes.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux machine");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    let kib = line.split_whitespace().nth(1).and_then(|number| number.parse::<usize>().ok());
    kib.expect("a number") * 1024
}

/// Waits until `server` is down to so many connections.
pub(crate) async fn until_gone(world: &World, connections: u64) {
    let gone = async {
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        while world.figure("connections_count").await > connections {
            pace.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the server notices");
}

/// Asserts that `server` still serves, and that no handler panicked.
pub(crate) async fn is_well(world: &World) {
    let server: &Server = &world.server;
    let mut peer = Peer::connect(server).await;
    let handle = peer.prepare("wide:f0").await;
    let vector = async {
        // What was turned away is asked for again as its answer says: after a while.
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        loop {
            peer.read(handle, &world.keys[..1], 0).await;
            match peer.receive().await.expect("an answer").1 {
                // A thread that was attacked a moment ago may have no time yet; it may not say anything else.
                Err(failure) if failure.status == CallStatus::Overloaded => {
                    pace.tick().await;
                }
                answer => break answer,
            }
        }
    };
    let vector = tokio::time::timeout(PATIENCE, vector).await.expect("it has time again");
    vector.expect("a vector");
    assert_eq!(world.figure("handler_panics").await, 0);
}
