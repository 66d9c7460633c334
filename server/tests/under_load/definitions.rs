//! Definitions that take long to read and plan, beside reads of one row.

use protocol::{ApplyReply, ApplyRequest, Opcode, PrepareRequest, Target};
use tokio::io::AsyncWriteExt;

use crate::{
    beside::{config, reads_beside},
    peer::{Peer, World},
};

/// As many groups as fit into a file.
const GROUPS: usize = 700;

fn many_groups() -> String {
    let features: String = (0..50).map(|feature| format!("f{feature} = \"i64\"\n")).collect();
    let group = |number| {
        format!("[group.g{number}]\nentity = \"card\"\n[group.g{number}.features]\n{features}")
    };
    let groups: String = (0..GROUPS).map(group).collect();
    format!("[entity.card]\nkey = \"string\"\n{groups}")
}

#[tokio::test]
async fn reads_are_answered_while_definitions_are_read_and_planned() {
    let world = World::start(10, &config());
    let (mut author, modest) =
        (Peer::connect(&world.server).await, Peer::connect(&world.server).await);
    let definitions = many_groups();
    let apply = ApplyRequest { file: "many.toml", definitions: &definitions, dry_run: true };
    let plan = async || {
        author.send(Opcode::Apply, 0, |out| apply.encode(out)).await;
        author.receive().await.expect("an answer").1.expect("planned");
    };
    // Thousands, more than while the file arrives.
    reads_beside((&world, modest), 100, plan).await;
}

#[tokio::test]
async fn what_a_peer_asks_for_behind_new_definitions_finds_them_applied() {
    let world = World::start(10, &config());
    let mut peer = Peer::connect(&world.server).await;
    let definitions = many_groups();
    let apply = ApplyRequest { file: "many.toml", definitions: &definitions, dry_run: false };
    // All of it comes together, and the second change is of what the first one leaves.
    let first = peer.frame(Opcode::Apply, 0, |out| apply.encode(out));
    let wider = format!("{definitions}[service.s]\nfeatures = [\"g7:*\"]\n");
    let apply = ApplyRequest { definitions: &wider, ..apply };
    let second = peer.frame(Opcode::Apply, 0, |out| apply.encode(out));
    let target = Target::Service("s".to_owned());
    let prepare = PrepareRequest { target, purpose: None };
    let prepare = peer.frame(Opcode::Prepare, 0, |out| prepare.encode(out));
    peer.stream.write_all(&[first, second, prepare].concat()).await.expect("the server reads");
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let (id, body) = peer.receive().await.expect("an answer");
        bodies.push((id, body.expect("done")));
    }
    bodies.sort_by_key(|(id, _)| *id);
    let applied: Vec<_> = bodies[..2]
        .iter()
        .map(|(_, body)| ApplyReply::decode(body).expect("a reply"))
        .map(|reply| (reply.version, reply.applied))
        .collect();
    assert_eq!(applied, [(2, true), (3, true)]);
}
