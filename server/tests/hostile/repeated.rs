//! Requests that come twice, or under one id: whoever records and repeats what a producer sent changes nothing.

use protocol::{Opcode, PrepareRequest, Prepared, PushReply, PushRequest, Target, WriteOptions};
use server::Config;
use stdx::clock::{Clock, SystemClock};
use tokio::io::AsyncWriteExt;

use crate::{
    peer::{PATIENCE, Peer, World},
    witness::{alone, is_well},
};

#[tokio::test]
async fn a_replayed_write_is_applied_once_in_whatever_order() {
    let _alone = alone().await;
    // It turns nobody away: on a busy machine it may look as if it had no time.
    let config = Config { threads: 1, turn_max: PATIENCE, ..Config::default() };
    let world = World::start(200, &config);
    let mut peer = Peer::connect(&world.server).await;
    let target = Target::Stream("payments".to_owned());
    peer.send(Opcode::Prepare, 0, |out| PrepareRequest { target, purpose: None }.encode(out)).await;
    let (_, body) = peer.receive().await.expect("an answer");
    let handle = Prepared::decode(&body.expect("prepared")).expect("a schema").handle;
    let now = SystemClock::new().wall_ms();
    let event = [
        &[0b10_1010][..],
        &6_u32.to_le_bytes(),
        b"replay",
        &now.to_le_bytes(),
        &1250_i64.to_le_bytes(),
    ]
    .concat();
    let push = |peer: &mut Peer, sequence| {
        let options = WriteOptions { producer: 77, sequence, ..WriteOptions::default() };
        let push = PushRequest { handle, options, fields: 3, events: vec![&event] };
        peer.frame(Opcode::Push, 0, |out| push.encode(out))
    };
    let (first, second) = (push(&mut peer, 1), push(&mut peer, 2));
    let mut recorded = Peer::connect(&world.server).await;
    // The second before the first, then all of it again on another connection.
    for bytes in [[&second[..], &first].concat(), [&first[..], &second, &first].concat()] {
        recorded.stream.write_all(&bytes).await.expect("the server reads");
    }
    let mut applied = 0;
    for _ in 0..5 {
        let (_, body) = recorded.receive().await.expect("an answer");
        let reply = PushReply::decode(&body.expect("taken")).expect("a reply");
        assert_eq!((reply.accepted, reply.rejected), (1, 0));
        applied += usize::from(!reply.receipt.repeated);
    }
    assert_eq!(applied, 2, "each once");
    is_well(&world).await;
}
