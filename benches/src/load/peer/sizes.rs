//! How many bytes a request and its answer have on the wire, by kind: counted by a relay between the client and the server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::load::{
    Error,
    caller::Caller,
    larder::{Larder, Service},
    operation::Draw,
    side::Outcome,
    workload::{Kind, Workload},
};

/// Requests of a kind that are counted.
const SAMPLES: u64 = 20;

/// Bytes of requests and of answers, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes(BTreeMap<Kind, (usize, usize)>);

impl Sizes {
    /// Of one kind only.
    #[cfg(test)]
    pub(in crate::load) fn only(kind: Kind, request: usize, reply: usize) -> Self {
        Self(BTreeMap::from([(kind, (request, reply))]))
    }

    /// Those of a kind; nothing of one that was not counted.
    #[must_use]
    pub fn of(&self, kind: Kind) -> (usize, usize) {
        self.0.get(&kind).copied().unwrap_or_default()
    }

    /// All of them: kind, bytes of a request, bytes of its answer.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, usize, usize)> {
        self.0.iter().map(|(kind, (request, reply))| (*kind, *request, *reply))
    }
}

#[derive(Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
}

impl Counts {
    fn now(&self) -> (u64, u64) {
        (self.up.load(Ordering::Acquire), self.down.load(Ordering::Acquire))
    }
}

/// Asks the server at `addr` a few times for each kind of `workload`; means are rounded. Over TLS `caller` must say the server's name:
/// the relay has another address.
pub(in crate::load) async fn count(
    (addr, caller): (&str, &Caller),
    service: Option<&Service>,
    (workload, draws): (&Workload, &dyn Fn(&Workload) -> Draw),
    timeout: Duration,
) -> Result<Sizes, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (relay, counts) = (listener.local_addr()?.to_string(), Arc::new(Counts::default()));
    let relaying = tokio::spawn(relay_one(listener, addr.to_owned(), Arc::clone(&counts)));
    let tables = workload.tables();
    let larder = Larder::connect((&relay, caller), &tables, service, timeout).await?;
    let mut sizes = Sizes::default();
    for (kind, _) in workload.shares() {
        let mut draw = draws(&Workload::only(*kind));
        let (up, down) = counts.now();
        for _ in 0..SAMPLES {
            if let Outcome::Failed(why) = larder.call(&draw.advance()).await {
                return Err(Error::Failed(format!("counting bytes of {}: {why}", kind.as_str())));
            }
        }
        let (up_after, down_after) = counts.now();
        let mean = |bytes: u64| usize::try_from((bytes + SAMPLES / 2) / SAMPLES).unwrap_or(0);
        sizes.0.insert(*kind, (mean(up_after - up), mean(down_after - down)));
    }
    relaying.abort();
    Ok(sizes)
}

async fn relay_one(listener: TcpListener, addr: String, counts: Arc<Counts>) -> Result<(), Error> {
    let (near, _) = listener.accept().await?;
    let far = TcpStream::connect(addr).await?;
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = copy(near_read, far_write, &counts.up) => {}
        () = copy(far_read, near_write, &counts.down) => {}
    }
    Ok(())
}

/// Counts before it passes on: who got an answer finds it counted.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: &AtomicU64) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        count.fetch_add(read as u64, Ordering::AcqRel);
        if to.write_all(chunk.get(..read).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
