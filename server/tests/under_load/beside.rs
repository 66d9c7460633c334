//! Reads of one row beside something that takes long, with one network thread for both: were that what does it, no read would be
//! answered until it is done.

use server::Config;

use crate::peer::{PATIENCE, Peer, World};

/// One network thread, which turns nobody away: on a busy machine it may look as if it had no time.
pub(crate) fn config() -> Config {
    Config { threads: 1, turn_max: PATIENCE, ..Config::default() }
}

/// Reads one row after the other with `peer` until `long` is over: what that gives, and how many were answered.
pub(crate) async fn reads_beside<T>(
    (world, mut peer): (&World, Peer),
    long: impl Future<Output = T>,
) -> (T, usize) {
    let one = peer.prepare("wide:f0").await;
    let mut answered = 0;
    let short = async {
        loop {
            peer.read(one, &world.keys[..1], 0).await;
            peer.receive().await.expect("an answer").1.expect("a vector");
            answered += 1;
        }
    };
    let done = tokio::select! {
        done = long => done,
        () = short => unreachable!("it goes on for ever"),
    };
    (done, answered)
}
