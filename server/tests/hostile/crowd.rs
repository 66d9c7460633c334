//! More connections than a server has places for, or one address may have.

use protocol::CallStatus;
use server::Config;
use tokio::net::TcpStream;

use crate::{
    peer::{PATIENCE, Peer, World},
    witness::{Witness, alone, is_well, resident, until_gone},
};

/// Asked for; both ends are in this process, and it may not have so many files open.
const MANY: usize = 10_000;
/// What a connection that says nothing may take, both ends of it.
const BYTES_EACH: usize = 64 * 1024;

#[tokio::test]
async fn ten_thousand_connections_that_say_nothing_hold_up_nobody() {
    let _alone = alone().await;
    // The one that reads and those that ask for figures find a place, too, where the process may have all the files that it wants.
    let places = MANY + 100;
    let config = Config {
        max_connections: places,
        max_connections_per_address: places,
        ..Config::default()
    };
    let world = World::start(200, &config);
    let witness = Witness::start(&world);
    let before = resident();
    let mut open = Vec::new();
    // The limit of the process is what ends it on most machines.
    let room = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let room = room.map_or(MANY, |room| usize::try_from(room).unwrap_or(MANY) / 2);
    for _ in 0..MANY.min(room.saturating_sub(500)) {
        open.push(TcpStream::connect(world.server.native_addr()).await.expect("it listens"));
    }
    println!("{} connections at once", open.len());
    // Connections are taken in their order: whoever comes last is answered when all have their places.
    let counted = world.figure("connections_count").await;
    assert!(counted > open.len() as u64, "{counted} of {}", open.len());
    let grown = resident().saturating_sub(before);
    assert!(grown < open.len() * BYTES_EACH + (32 << 20), "{grown} bytes");
    is_well(&world).await;
    drop(open);
    until_gone(&world, 2).await;
    witness.end();
}

#[tokio::test]
async fn who_finds_no_place_is_told_so() {
    let _alone = alone().await;
    let config = Config { threads: 1, max_connections_per_address: 8, ..Config::default() };
    let world = World::start(200, &config);
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(Peer::connect(&world.server).await);
    }
    for peer in &mut open {
        peer.prepare("wide:f0").await;
    }
    for _ in 0..20 {
        let mut late = Peer::connect(&world.server).await;
        let (id, told) = late.receive().await.expect("it is told why");
        let failure = told.expect_err("there is no place");
        assert_eq!((id, failure.status), (0, CallStatus::Overloaded));
        assert!(failure.message.contains("--max-connections-per-address"), "{}", failure.message);
        assert!(late.receive().await.is_none());
    }
    drop(open);
    let again = async {
        loop {
            let mut peer = Peer::connect(&world.server).await;
            peer.stream.set_nodelay(true).expect("a socket");
            let frame = peer.frame(protocol::Opcode::Ping, 0, |_| {});
            let sent = tokio::io::AsyncWriteExt::write_all(&mut peer.stream, &frame).await;
            if sent.is_ok() && peer.receive().await.is_some_and(|(id, _)| id > 0) {
                break peer;
            }
        }
    };
    let again = tokio::time::timeout(PATIENCE, again).await;
    let mut again = again.expect("there are places again");
    again.prepare("wide:f0").await;
    assert!(world.figure("connections_refused").await >= 20);
}
