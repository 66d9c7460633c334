//! Bytes that are no request: told why and cut, or answered `INVALID`.

use protocol::{CallStatus, Header, Opcode, frame};
use server::Config;
use tokio::io::AsyncWriteExt;

use crate::{
    peer::{PATIENCE, Peer, World},
    witness::{Witness, alone, is_well},
};

/// A ping, with some of its bytes replaced.
fn ping(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, Header::request(Opcode::Ping, 9, 0), |_| {}).expect("small");
    out[at..at + bytes.len()].copy_from_slice(bytes);
    out
}

#[tokio::test]
async fn what_is_no_frame_is_told_and_cut() {
    let _alone = alone().await;
    let world = World::start(200, &Config { threads: 1, ..Config::default() });
    let witness = Witness::start(&world);
    for (bytes, says) in [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "TLS"),
        (b"*1\r\n$4\r\nPING\r\n".to_vec(), "RESP"),
        (vec![0xff; 4096], "ff ff ff ff"),
        (ping(0, &0_u32.to_le_bytes()), "0 bytes"),
        (ping(0, &23_u32.to_le_bytes()), "23 bytes"),
        (ping(0, &(16 * 1024 * 1024 + 1_u32).to_le_bytes()), "16777217 bytes"),
        (ping(0, &u32::MAX.to_le_bytes()), "4294967295 bytes"),
        (ping(6, &[2]), "version 2"),
        (ping(20, &[0x80]), "flags 0x80"),
        (ping(22, &[1, 0]), "reserved 0x0001"),
    ] {
        let mut peer = Peer::connect(&world.server).await;
        peer.stream.write_all(&bytes).await.expect("the server reads");
        let (id, told) = peer.receive().await.expect("it is told why");
        let failure = told.expect_err("no request");
        assert_eq!((id, failure.status), (0, CallStatus::Invalid));
        assert!(failure.message.contains(says), "{says}: {}", failure.message);
        assert!(peer.receive().await.is_none(), "{says}: nothing follows");
    }
    is_well(&world).await;
    witness.end();
}

#[tokio::test]
async fn frames_that_mean_nothing_are_answered_and_the_connection_goes_on() {
    let _alone = alone().await;
    // It turns nobody away: on a busy machine it may look as if it had no time.
    let config = Config { threads: 1, turn_max: PATIENCE, ..Config::default() };
    let world = World::start(200, &config);
    let witness = Witness::start(&world);
    let mut peer = Peer::connect(&world.server).await;
    let mut frames = vec![
        // An operation of nobody, a reply sent as a request.
        ping(7, &[250]),
        ping(20, &[1]),
    ];
    // No operation that has a body can do without it, or with another's.
    for code in 0..=20 {
        let Some(opcode) = Opcode::from_code(code) else { continue };
        let bodies = [&b""[..], &[0xff; 7], &[0xff; 64], &[0; 3]];
        for body in bodies {
            let may_be_empty = matches!(opcode, Opcode::Ping | Opcode::Stats);
            if may_be_empty || (opcode, body) == (Opcode::Describe, b"") {
                continue;
            }
            frames.push(peer.frame(opcode, 0, |out| {
                out.bytes(body);
            }));
        }
    }
    for frame in &frames {
        peer.stream.write_all(frame).await.expect("the server reads");
        let (_, told) = peer.receive().await.expect("an answer");
        let failure = told.expect_err("it means nothing");
        let known = [CallStatus::Invalid, CallStatus::StaleHandle];
        assert!(known.contains(&failure.status), "{frame:02x?}: {failure:?}");
    }
    peer.stream.write_all(&ping(0, &[])).await.expect("the server reads");
    assert!(peer.receive().await.expect("an answer").1.is_ok(), "it goes on");
    is_well(&world).await;
    witness.end();
}
