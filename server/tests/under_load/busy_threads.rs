//! More requests than a network thread can answer.

use std::time::Duration;

use protocol::{CallStatus, Opcode};
use server::Config;
use tokio::io::AsyncWriteExt;

use crate::peer::{PATIENCE, Peer, World, read};

/// Requests that one peer sends at once: more than are answered in one turn.
const IN_FLIGHT: usize = 256;

/// Sends so many reads.
async fn ask(peer: &mut Peer, handle: u64, keys: &[String]) {
    let requests: Vec<u8> = (0..IN_FLIGHT)
        .flat_map(|_| peer.frame(Opcode::Read, 0, |out| read(handle, keys).encode(out)))
        .collect();
    peer.stream.write_all(&requests).await.expect("the server reads");
}

/// The thread has no time to spare, and may not let anybody wait: it says so, and when to come again. Afterwards all is as before.
#[tokio::test]
async fn a_thread_that_is_always_busy_turns_requests_away_and_says_when_to_come_again() {
    let config = Config { threads: 1, turn_max: Duration::ZERO, ..Config::default() };
    let world = World::start(200, &config);
    let mut peer = Peer::connect(&world.server).await;
    // Windows of as many entities as a network thread reads by itself: much work, and small answers.
    let handle = peer.prepare("spend:*").await;
    let keys = &world.keys[..16];
    let refused = async {
        // Twice as many are under way: the thread has the next ones while the answers to these are read.
        ask(&mut peer, handle, keys).await;
        loop {
            ask(&mut peer, handle, keys).await;
            for _ in 0..IN_FLIGHT {
                if let Err(failure) = peer.receive().await.expect("an answer").1 {
                    return failure;
                }
            }
        }
    };
    let failure = tokio::time::timeout(PATIENCE, refused).await.expect("it has too much to do");
    assert_eq!(failure.status, CallStatus::Overloaded, "{}", failure.message);
    assert!((1..=1000).contains(&failure.detail), "{} ms", failure.detail);
    assert!(world.figure("requests_shed").await >= 1, "operators see it");

    let mut other = Peer::connect(&world.server).await;
    let handle = other.prepare("wide:f0").await;
    let served = async {
        loop {
            other.read(handle, &world.keys[..1], 0).await;
            if other.receive().await.expect("an answer").1.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, served).await.expect("it has time again");
}
