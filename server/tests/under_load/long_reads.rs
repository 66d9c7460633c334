//! One request for thousands of vectors beside requests for one.

use protocol::{CallStatus, Opcode};
use tokio::io::AsyncWriteExt;

use crate::{
    beside::{config, reads_beside},
    peer::{Peer, World, read},
};

const CARDS: usize = 4000;
/// Rounds in which a read may be late: on a busy machine those before it may be done when it comes.
const ROUNDS: usize = 20;

#[tokio::test]
async fn short_reads_are_answered_while_long_ones_take_their_time() {
    let world = World::start(CARDS, &config());
    let (mut greedy, modest) =
        (Peer::connect(&world.server).await, Peer::connect(&world.server).await);
    let all = greedy.prepare("spend:*").await;
    let long = async || {
        greedy.read(all, &world.keys, 0).await;
        greedy.receive().await.expect("an answer").1.expect("vectors").len()
    };
    let bytes = reads_beside((&world, modest), 5, long).await;
    assert!(bytes > CARDS * 8 * 8, "{bytes} bytes of eight columns");
}

#[tokio::test]
async fn a_long_read_whose_deadline_passes_while_it_waits_is_not_begun() {
    let world = World::start(CARDS, &config());
    let mut peer = Peer::connect(&world.server).await;
    let handle = peer.prepare("spend:*").await;
    for _ in 0..ROUNDS {
        // They come together, as many as may be under way: the last waits for as long as the others take.
        let all = [0, 0, 0, 1].map(|deadline_ms| {
            peer.frame(Opcode::Read, deadline_ms, |out| read(handle, &world.keys).encode(out))
        });
        peer.stream.write_all(&all.concat()).await.expect("the server reads");
        let mut answers = Vec::new();
        for _ in &all {
            answers.push(peer.receive().await.expect("an answer"));
        }
        answers.sort_by_key(|(id, _)| *id);
        let (_, last) = answers.pop().expect("four");
        for (_, vectors) in answers {
            vectors.expect("the others had all the time they wanted");
        }
        if let Err(refused) = last {
            assert_eq!(refused.status, CallStatus::DeadlineExceeded);
            assert_eq!(world.figure("requests_expired").await, 1);
            return;
        }
    }
    panic!("nothing was late in {ROUNDS} rounds");
}
