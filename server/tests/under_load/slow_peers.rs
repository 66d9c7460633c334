//! A peer that asks and does not read.

use std::time::Duration;

use protocol::Opcode;
use server::Config;

use crate::{
    beside::config,
    peer::{PATIENCE, Peer, World, read},
};

/// Requests of 200 rows: 80 kB of answers each, many times what sockets hold.
const ROWS: usize = 200;
const REQUESTS: usize = 500;

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_and_others_are_served() {
    let config = Config { stall: Duration::from_millis(300), ..config() };
    let world = World::start(ROWS, &config);
    let (mut deaf, mut other) =
        (Peer::connect(&world.server).await, Peer::connect(&world.server).await);
    let handle = deaf.prepare("wide:*").await;
    let requests: Vec<u8> = (0..REQUESTS)
        .flat_map(|_| deaf.frame(Opcode::Read, 0, |out| read(handle, &world.keys).encode(out)))
        .collect();
    // All that the sockets take; the rest would be taken if the server went on reading.
    let mut sent = 0;
    let sends = async {
        while sent < requests.len() {
            deaf.stream.writable().await.expect("a socket");
            match deaf.stream.try_write(&requests[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                // The server has cut the connection.
                Err(_) => break,
            }
        }
        std::future::pending::<()>().await
    };
    let serves = async {
        let handle = other.prepare("wide:f0").await;
        while world.figure("connections_cut").await == 0 {
            other.read(handle, &world.keys[..1], 0).await;
            other.receive().await.expect("an answer").1.expect("a vector");
        }
    };
    tokio::select! {
        () = sends => unreachable!("it waits for ever"),
        served = tokio::time::timeout(PATIENCE, serves) => served.expect("it is cut"),
    }
    assert_eq!(world.figure("connections_cut").await, 1);
    // What was sent before comes out of the sockets, then the end: far from all of it.
    let mut answers = 0;
    while deaf.receive().await.is_some() {
        answers += 1;
    }
    assert!(answers < REQUESTS, "{answers} answers were kept for a peer that did not read");
}
