//! One write of thousands of rows beside reads of one.

use protocol::{Opcode, PutReply, PutRequest, PutRow};
use tokio::io::AsyncWriteExt;

use crate::{
    beside::{config, reads_beside},
    peer::{FEATURES, Peer, World, read, row},
};

const CARDS: usize = 4000;

/// Rows of all cards, newer than those that are there, with `value` in every feature.
fn put<'a>(handle: u64, keys: &'a [String], row: &'a [u8]) -> PutRequest<'a> {
    let row = |key: &'a String| PutRow { key: key.as_bytes(), event_time: Some(2), row };
    let features = u16::try_from(FEATURES).expect("few");
    let rows = keys.iter().map(row).collect();
    PutRequest { handle, options: protocol::WriteOptions::default(), features, rows }
}

/// The last cell of a reply of one value, when that is an integer.
fn value(body: &[u8]) -> i64 {
    let cell = body.last_chunk().expect("a cell at the end");
    i64::from_le_bytes(*cell)
}

#[tokio::test]
async fn short_reads_are_answered_while_a_long_write_is_applied() {
    let world = World::start(CARDS, &config());
    let (mut greedy, modest) =
        (Peer::connect(&world.server).await, Peer::connect(&world.server).await);
    let group = greedy.prepare_group("wide").await;
    let row = row(9);
    let long = async || {
        greedy.send(Opcode::Put, 0, |out| put(group, &world.keys, &row).encode(out)).await;
        greedy.receive().await.expect("an answer").1.expect("taken");
    };
    // Were it applied on the thread of the reads, there would be four at most.
    reads_beside((&world, modest), 6, long).await;
}

#[tokio::test]
async fn what_a_peer_asks_for_behind_a_long_write_finds_it_applied() {
    let world = World::start(CARDS, &config());
    let mut peer = Peer::connect(&world.server).await;
    let (group, all) = (peer.prepare_group("wide").await, peer.prepare("wide:f0").await);
    let (nine, last) = (row(9), &world.keys[CARDS - 1..]);
    // They come together; the long write before the short one, too, whose rows are older.
    let writes = peer.frame(Opcode::Put, 0, |out| put(group, &world.keys, &nine).encode(out));
    let older = row(8);
    let mut stale = put(group, last, &older);
    stale.rows[0].event_time = Some(1);
    let again = peer.frame(Opcode::Put, 0, |out| stale.encode(out));
    let reads = peer.frame(Opcode::Read, 0, |out| read(all, last).encode(out));
    peer.stream.write_all(&[writes, again, reads].concat()).await.expect("the server reads");
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let (id, body) = peer.receive().await.expect("an answer");
        bodies.push((id, body.expect("done")));
    }
    bodies.sort_by_key(|(id, _)| *id);
    let written = PutReply::decode(&bodies[0].1).expect("a receipt");
    assert_eq!((written.applied, written.rejected), (4000, 0));
    let older = PutReply::decode(&bodies[1].1).expect("a receipt");
    assert_eq!((older.applied, older.stale), (0, 1), "the long write was not applied yet");
    assert_eq!(value(&bodies[2].1), 9);
}
