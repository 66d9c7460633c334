//! Requests that are begun and not finished.

use std::time::Duration;

use protocol::{CallStatus, Opcode};
use server::Config;
use tokio::io::AsyncWriteExt;

use crate::{
    peer::{Peer, World},
    witness::{Witness, alone, is_well, until_gone},
};

const SLOW: usize = 40;
const LIMIT: Duration = Duration::from_millis(250);

/// One byte at a time, for ever; and a connection that says nothing between two whole requests, for longer.
#[tokio::test]
async fn who_drips_is_cut_and_who_is_quiet_may_stay() {
    let _alone = alone().await;
    let world = World::start(200, &Config { threads: 1, unfinished: LIMIT, ..Config::default() });
    let witness = Witness::start(&world);
    let mut quiet = Peer::connect(&world.server).await;
    quiet.prepare("wide:f1").await;
    let mut drips = tokio::task::JoinSet::new();
    for number in 0..SLOW {
        let mut peer = Peer::connect(&world.server).await;
        let frame = peer.frame(Opcode::Ping, 0, |_| {});
        drips.spawn(async move {
            let mut pace = tokio::time::interval(LIMIT / 10);
            // Some say one byte and no more, some one now and then.
            for byte in frame.iter().take(if number % 2 == 0 { 1 } else { 23 }) {
                if peer.stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                pace.tick().await;
            }
            let (id, told) = peer.receive().await.expect("it is told why");
            let failure = told.expect_err("it was too slow");
            assert_eq!((id, failure.status), (0, CallStatus::Invalid));
            assert!(failure.message.contains("250ms"), "{}", failure.message);
        });
    }
    while let Some(dripped) = drips.join_next().await {
        dripped.expect("it was cut");
    }
    assert_eq!(world.figure("connections_unfinished").await, SLOW as u64);
    quiet.send(Opcode::Ping, 0, |_| {}).await;
    assert!(quiet.receive().await.is_some_and(|(_, answer)| answer.is_ok()));
    is_well(&world).await;
    witness.end();
}

/// Half a frame, then gone.
#[tokio::test]
async fn connections_that_vanish_leave_nothing_behind() {
    let _alone = alone().await;
    let world = World::start(200, &Config { threads: 1, ..Config::default() });
    for _ in 0..100 {
        let mut peer = Peer::connect(&world.server).await;
        let frame = peer.frame(Opcode::Ping, 0, |_| {});
        peer.stream.write_all(&frame[..17]).await.expect("the server reads");
    }
    // The one that asks.
    until_gone(&world, 1).await;
    assert_eq!(world.figure("buffers_bytes").await, 0);
    is_well(&world).await;
}
