//! Reads of one row beside something that takes long, with one network thread for both: were that what does it, no read would be
//! answered until it is done.

use std::cell::Cell;
use std::pin::pin;

use server::Config;

use crate::peer::{PATIENCE, Peer, World};

/// How often what takes long is done: on a busy machine the reads, and not the server, may be held up while it is.
const ROUNDS: usize = 20;

/// One network thread, which turns nobody away: on a busy machine it may look as if it had no time.
pub(crate) fn config() -> Config {
    Config { threads: 1, turn_max: PATIENCE, ..Config::default() }
}

/// Reads one row after the other with `peer` and does what is `long` again and again, until `least` reads were answered while it was
/// done once: what it gave then.
pub(crate) async fn reads_beside<T>(
    (world, mut peer): (&World, Peer),
    least: usize,
    mut long: impl AsyncFnMut() -> T,
) -> T {
    let one = peer.prepare("wide:f0").await;
    let answered = Cell::new(0);
    let mut short = pin!(read_on(&world.keys[..1], (&mut peer, one), &answered));
    let mut rounds = Vec::new();
    while rounds.len() < ROUNDS {
        answered.set(0);
        let done = tokio::select! {
            done = long() => done,
            () = &mut short => unreachable!("it goes on for ever"),
        };
        if answered.get() >= least {
            return done;
        }
        rounds.push(answered.get());
    }
    panic!("so many reads were answered beside it, each time, and not {least}: {rounds:?}");
}

/// Reads with `handle` for ever, and counts the answers.
async fn read_on(keys: &[String], (peer, handle): (&mut Peer, u64), answered: &Cell<usize>) {
    loop {
        peer.read(handle, keys, 0).await;
        peer.receive().await.expect("an answer").1.expect("a vector");
        answered.set(answered.get() + 1);
    }
}
