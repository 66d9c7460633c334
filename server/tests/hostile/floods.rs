//! Peers that ask and do not read, and peers that announce more than they send: memory is bounded for all of them together.

use std::time::Duration;

use protocol::{CallStatus, Opcode};
use server::Config;
use tokio::{io::AsyncWriteExt, task::JoinSet};

use crate::{
    peer::{PATIENCE, Peer, World, read},
    witness::{Witness, alone, is_well, resident, until_gone},
};

const BUFFERS: usize = 24 << 20;

fn config() -> Config {
    let stall = Duration::from_millis(500);
    Config { threads: 1, buffer_bytes: BUFFERS, stall, ..Config::default() }
}

/// A frame that says it has 16 MiB, and some of them.
#[tokio::test]
async fn announced_lengths_take_no_memory_and_sent_ones_only_so_much() {
    let _alone = alone().await;
    const SENT: usize = 3 << 20;
    let world = World::start(200, &config());
    let witness = Witness::start(&world);
    let before = resident();
    let mut announced = Vec::new();
    for number in 0..64 {
        let mut peer = Peer::connect(&world.server).await;
        let mut frame = peer.frame(Opcode::Put, 0, |_| {});
        frame[..4].copy_from_slice(&(16_u32 << 20).to_le_bytes());
        frame.resize(if number < 32 { 24 } else { SENT }, 0);
        // Who is cut does not take all of it.
        let _ = peer.stream.write_all(&frame).await;
        announced.push(peer);
        assert!(world.figure("buffers_bytes").await <= BUFFERS as u64);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 4 * BUFFERS, "{grown} bytes");
    // Those that find no room are told so, or are cut while they send; those that found some are told nothing.
    let room = BUFFERS / SENT;
    let mut ends: JoinSet<_> = announced.drain(..).skip(32).map(is_turned_away).collect();
    let told = async {
        for _ in 0..32 - room {
            ends.join_next().await.expect("there are more").expect("it is told as it should be");
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("there is room for so many alone");
    drop(ends);
    until_gone(&world, 2).await;
    assert_eq!(world.figure("buffers_bytes").await, 0);
    is_well(&world).await;
    witness.end();
}

/// Waits until the server says that there is no room, or has cut it while it was still sending.
async fn is_turned_away(mut peer: Peer) {
    match peer.receive().await {
        Some((0, Err(failure))) => assert_eq!(failure.status, CallStatus::Overloaded),
        None => {}
        other => panic!("{other:?}"),
    }
}

/// Answers of 80 kB each, thousands of them.
#[tokio::test]
async fn who_asks_and_does_not_read_is_cut_and_holds_little() {
    let _alone = alone().await;
    let world = World::start(200, &config());
    let witness = Witness::start(&world);
    let before = resident();
    let mut deaf = JoinSet::new();
    for _ in 0..24 {
        let mut peer = Peer::connect(&world.server).await;
        let handle = peer.prepare("wide:*").await;
        let keys = world.keys.clone();
        deaf.spawn(async move {
            let request = peer.frame(Opcode::Read, 0, |out| read(handle, &keys).encode(out));
            let requests = request.repeat(100);
            // A thread that is busy turns most of them away in few words: it takes many to fill a socket.
            let asks = async { while peer.stream.write_all(&requests).await.is_ok() {} };
            tokio::time::timeout(PATIENCE, asks).await.expect("it is cut");
        });
    }
    while let Some(cut) = deaf.join_next().await {
        cut.expect("it was cut");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 128 << 20, "{grown} bytes");
    assert!(world.figure("connections_cut").await >= 24);
    is_well(&world).await;
    witness.end();
}
