//! One request for thousands of vectors beside requests for one.

use protocol::{CallStatus, Opcode};
use tokio::io::AsyncWriteExt;

use crate::{
    beside::{config, reads_beside},
    peer::{Peer, World, read},
};

const CARDS: usize = 4000;

#[tokio::test]
async fn short_reads_are_answered_while_long_ones_take_their_time() {
    let world = World::start(CARDS, &config());
    let (mut greedy, modest) =
        (Peer::connect(&world.server).await, Peer::connect(&world.server).await);
    let all = greedy.prepare("spend:*").await;
    let long = async {
        greedy.read(all, &world.keys, 0).await;
        greedy.receive().await.expect("an answer").1.expect("vectors").len()
    };
    let (bytes, answered) = reads_beside((&world, modest), long).await;
    assert!(bytes > CARDS * 8 * 8, "{bytes} bytes of eight columns");
    assert!(answered >= 5, "{answered} short reads were answered beside the long one");
}

#[tokio::test]
async fn a_long_read_whose_deadline_passes_while_it_waits_is_not_begun() {
    let world = World::start(CARDS, &config());
    let mut peer = Peer::connect(&world.server).await;
    let handle = peer.prepare("spend:*").await;
    // They come together: the second waits for as long as the first takes.
    let both = [0, 1].map(|deadline_ms| {
        peer.frame(Opcode::Read, deadline_ms, |out| read(handle, &world.keys).encode(out))
    });
    peer.stream.write_all(&both.concat()).await.expect("the server reads");
    let mut answers =
        [peer.receive().await.expect("an answer"), peer.receive().await.expect("an answer")];
    answers.sort_by_key(|(id, _)| *id);
    let [(_, vectors), (_, refused)] = answers;
    vectors.expect("the first had all the time it wanted");
    assert_eq!(refused.expect_err("it is late").status, CallStatus::DeadlineExceeded);
    assert_eq!(world.figure("requests_expired").await, 1);
}
