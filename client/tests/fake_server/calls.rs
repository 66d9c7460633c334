//! Calls under trouble: replies out of order, lost connections, silence, overload.

use std::time::Duration;

use crate::fake::{FakeServer, fraud, receipt, table, vectors};
use client::{Client, Error};
use model::value::DataType;
use protocol::{
    ApplyReply, CallStatus, CheckpointReply, CheckpointRequest, DescribeReply, DescribeRequest,
    Failure, Header, Opcode, PushReply, PushRequest, ReadRequest,
};
use tokio::{net::TcpListener, task::JoinSet};

/// A description that is told apart by its number of sections.
fn sections(count: usize) -> DescribeReply {
    let section = model::definition::Section {
        kind: String::new(),
        name: String::new(),
        properties: Vec::new(),
        columns: Vec::new(),
    };
    DescribeReply { sections: vec![section; count] }
}

fn pushed() -> PushReply {
    let (duplicate, late, rejected, rejects) = (0, 0, 0, Vec::new());
    PushReply { receipt: receipt(), accepted: 1, duplicate, late, rejected, rejects }
}

/// An address where nobody listens.
async fn unused_addr() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
    listener.local_addr().expect("it is bound").to_string()
}

async fn ping(client: Client) -> Result<(), Error> {
    client.ping().await
}

#[tokio::test]
async fn replies_in_any_order_reach_their_callers() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let mut calls = JoinSet::new();
    for count in 0_usize..50 {
        let client = client.clone();
        calls.spawn(async move {
            let reply = client.describe(Some(&count.to_string())).await.expect("answered");
            assert_eq!(reply.sections.len(), count);
        });
    }
    let mut peer = server.accept().await;
    let mut requests = Vec::new();
    for _ in 0..50 {
        requests.push(peer.expect(Opcode::Describe).await);
    }
    for request in requests.iter().rev() {
        let name = DescribeRequest::decode(request.body()).expect("valid").name.expect("named");
        let count = name.parse().expect("a number");
        peer.ok(request, |out| sections(count).encode(out)).await;
    }
    calls.join_all().await;
}

#[tokio::test]
async fn no_more_calls_are_in_flight_than_allowed() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let client = client.clone();
        calls.spawn(ping(client));
    }
    let mut peer = server.accept().await;
    let mut waiting = Vec::new();
    for _ in 0..model::limits::IN_FLIGHT_MAX {
        waiting.push(peer.expect(Opcode::Ping).await);
    }
    // Everything the client has to send has left in few writes: one too many would be here.
    for _ in model::limits::IN_FLIGHT_MAX..200 {
        assert!(!peer.has_input().await, "nothing more comes before something is answered");
        peer.ok(&waiting.remove(0), |_| {}).await;
        waiting.push(peer.expect(Opcode::Ping).await);
    }
    for request in waiting {
        peer.ok(&request, |_| {}).await;
    }
    for outcome in calls.join_all().await {
        outcome.expect("answered");
    }
}

#[tokio::test]
async fn a_read_survives_a_lost_connection() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let call = tokio::spawn(ping(client));
    let mut peer = server.accept().await;
    peer.expect(Opcode::Ping).await;
    drop(peer);
    let mut peer = server.accept().await;
    let request = peer.expect(Opcode::Ping).await;
    peer.ok(&request, |_| {}).await;
    assert!(call.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_lost_push_is_sent_again_under_the_same_sequence() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let call = tokio::spawn(async move {
        let stream = client.stream("payments").await?;
        let event = stream.event().set("amount", 12.5);
        stream.push([event]).await
    });
    let mut peer = server.accept().await;
    peer.prepare(&table(1, false, &[("amount", DataType::Decimal(2))])).await;
    let lost = peer.expect(Opcode::Push).await;
    drop(peer);
    let mut peer = server.accept().await;
    let unknown = peer.expect(Opcode::Push).await;
    peer.fail(&unknown, CallStatus::Unknown).await;
    let last = peer.expect(Opcode::Push).await;
    assert_eq!((lost.body(), unknown.body()), (last.body(), last.body()));
    let options = PushRequest::decode(last.body()).expect("valid").options;
    assert!(options.producer != 0 && options.sequence == 1, "{options:?}");
    peer.ok(&last, |out| pushed().encode(out)).await;
    assert_eq!(call.await.expect("no panic").expect("answered"), pushed());
}

#[tokio::test]
async fn a_lost_apply_is_not_sent_again() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let call = {
        let client = client.clone();
        tokio::spawn(async move { client.apply("f.toml", "", false).await })
    };
    let mut peer = server.accept().await;
    peer.expect(Opcode::Apply).await;
    drop(peer);
    let error = call.await.expect("no panic").expect_err("it was lost");
    assert!(matches!(error, Error::Lost { operation: Opcode::Apply, .. }), "{error}");
    assert!(error.may_be_applied() && error.to_string().contains("may or may not"), "{error}");

    let call = tokio::spawn(async move { client.apply("f.toml", "", true).await });
    let mut peer = server.accept().await;
    let request = peer.expect(Opcode::Apply).await;
    let reply = ApplyReply { version: 2, applied: false, changes: Vec::new() };
    peer.ok(&request, |out| reply.encode(out)).await;
    assert_eq!(call.await.expect("no panic").expect("answered"), reply);
}

#[tokio::test]
async fn a_checkpoint_may_take_longer_than_a_request_and_is_not_sent_again() {
    let server = FakeServer::start().await;
    let client = server.client().request_timeout(Duration::from_secs(1)).build();
    let call = |backup: Option<&'static str>| {
        let client = client.clone();
        tokio::spawn(async move { client.checkpoint(backup).await })
    };
    let first = call(Some("nightly"));
    let mut peer = server.accept().await;
    let request = peer.expect(Opcode::Checkpoint).await;
    let named = CheckpointRequest { backup: Some("nightly") };
    assert_eq!(CheckpointRequest::decode(request.body()), Ok(named));
    assert!(request.header().deadline_ms > 3_500_000, "the server knows that somebody waits");
    // Ten minutes pass, and nothing but the answer ends the call.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(600)).await;
    tokio::time::resume();
    let reply = CheckpointReply {
        number: 2,
        lsn: 77,
        entities: 10,
        bytes: 65_536,
        took_ms: 600_000,
        segments_removed: 1,
        backup: Some("/srv/larder/backups/nightly".to_owned()),
    };
    peer.ok(&request, |out| reply.encode(out)).await;
    assert_eq!(first.await.expect("no panic").expect("answered"), reply);

    let busy = call(None);
    let request = peer.expect(Opcode::Checkpoint).await;
    peer.fail(&request, CallStatus::Overloaded).await;
    let error = busy.await.expect("no panic").expect_err("others wait already");
    assert!(matches!(error, Error::Retry(_)), "{error}");
    let lost = call(None);
    peer.expect(Opcode::Checkpoint).await;
    drop(peer);
    let error = lost.await.expect("no panic").expect_err("lost");
    assert!(matches!(error, Error::Lost { operation: Opcode::Checkpoint, .. }), "{error}");
}

#[tokio::test]
async fn a_stale_handle_is_renewed_once_and_the_read_repeated() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let call = tokio::spawn(async move {
        let service = client.service("fraud_v3").await?;
        let read = || service.read().key("card", "c1").key("merchant", 9);
        let first = read().send().await.map(|vectors| vectors.schema().catalog_version());
        let second = read().send().await.map(|vectors| vectors.schema().catalog_version());
        Ok::<_, Error>((first?, second))
    });
    let mut peer = server.accept().await;
    peer.prepare(&fraud(1)).await;
    let stale = peer.expect(Opcode::Read).await;
    peer.fail(&stale, CallStatus::StaleHandle).await;
    peer.prepare(&fraud(2)).await;
    let request = peer.expect(Opcode::Read).await;
    assert_eq!(ReadRequest::decode(request.body()).map(|read| read.handle), Ok(2));
    peer.ok(&request, |out| vectors(1).encode(out)).await;
    // Stale again after a renewal: the caller hears of it.
    let stale = peer.expect(Opcode::Read).await;
    peer.fail(&stale, CallStatus::StaleHandle).await;
    peer.prepare(&fraud(3)).await;
    let stale = peer.expect(Opcode::Read).await;
    peer.fail(&stale, CallStatus::StaleHandle).await;
    let (first, second) = call.await.expect("no panic").expect("the first read is answered");
    assert_eq!(first, 2);
    assert!(second.is_err_and(|error| error.status() == Some(CallStatus::StaleHandle)));
}

/// A server that is killed and started again: the push that was under way is lost, its handle is gone, and it may or may not
/// have been applied. Only the same sequence keeps it from being applied twice.
#[tokio::test]
async fn a_push_lost_with_a_restart_is_prepared_again_and_keeps_its_sequence() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let call = tokio::spawn(async move {
        let stream = client.stream("payments").await?;
        let push = || stream.push([stream.event().set("amount", 12.5)]);
        push().await?;
        Ok::<_, Error>(push().await)
    });
    let payments = |handle| table(handle, false, &[("amount", DataType::Decimal(2))]);
    let mut peer = server.accept().await;
    peer.prepare(&payments(1)).await;
    peer.expect(Opcode::Push).await;
    drop(peer);
    let mut peer = server.accept().await;
    let stale = peer.expect(Opcode::Push).await;
    peer.fail(&stale, CallStatus::StaleHandle).await;
    peer.prepare(&payments(2)).await;
    let request = peer.expect(Opcode::Push).await;
    let push = PushRequest::decode(request.body()).expect("valid");
    assert_eq!((push.handle, push.options.sequence), (2, 1));
    peer.ok(&request, |out| pushed().encode(out)).await;

    // Lost, then refused: what happened to the first attempt is still open.
    peer.expect(Opcode::Push).await;
    drop(peer);
    let mut peer = server.accept().await;
    let request = peer.expect(Opcode::Push).await;
    peer.fail(&request, CallStatus::Unavailable).await;
    let error = call.await.expect("no panic").expect("the first is answered").expect_err("refused");
    assert!(error.may_be_applied(), "{error}");
    assert!(error.to_string().contains("sent again: as told (UNAVAILABLE)"), "{error}");
}

#[tokio::test]
async fn one_failed_attempt_to_connect_answers_all_who_waited_for_it() {
    let addr = unused_addr().await;
    let client = Client::builder(addr).connections(1).retries(0).build();
    let calls: JoinSet<_> = (0..50).map(|_| ping(client.clone())).collect();
    for outcome in calls.join_all().await {
        assert!(matches!(outcome, Err(Error::Connect { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn silence_ends_at_the_request_timeout_and_late_replies_are_ignored() {
    let server = FakeServer::start().await;
    let client = server.client().request_timeout(Duration::from_secs(60)).build();
    let patient = tokio::spawn({
        let client = client.clone();
        async move { client.checkpoint(None).await }
    });
    let mut peer = server.accept().await;
    let last = peer.expect(Opcode::Checkpoint).await;
    let call = tokio::spawn(ping(client.clone()));
    let request = peer.expect(Opcode::Ping).await;
    let deadline_ms = request.header().deadline_ms;
    assert!((1..=60_000).contains(&deadline_ms), "the server knows the deadline: {deadline_ms}");
    // From here on nothing but the timeout can happen: the clock jumps to it.
    tokio::time::pause();
    let error = call.await.expect("no panic").expect_err("no answer");
    tokio::time::resume();
    assert!(matches!(error, Error::Timeout { after_ms: 60_000, .. }), "{error}");
    peer.ok(&request, |_| {}).await;
    // Once this is heard, the late reply was heard as well: the connection is not taken for dead.
    peer.fail(&last, CallStatus::Overloaded).await;
    patient.await.expect("no panic").expect_err("as told");
    let call = tokio::spawn(ping(client));
    let request = peer.expect(Opcode::Ping).await;
    peer.ok(&request, |_| {}).await;
    assert!(call.await.expect("no panic").is_ok(), "the connection is still good");
}

#[tokio::test]
async fn retries_are_bounded_by_the_budget_of_all_calls() {
    let server = FakeServer::start().await;
    let client = server.client().retries(1).build();
    let calls = tokio::spawn(async move {
        for _ in 0..100 {
            let error = client.ping().await.expect_err("overloaded");
            assert!(matches!(error, Error::Retry(_)), "{error}");
        }
    });
    let mut peer = server.accept().await;
    let mut requests = 0;
    while let Some(request) = peer.request().await {
        requests += 1;
        peer.fail(&request, CallStatus::Overloaded).await;
    }
    calls.await.expect("no panic");
    // 100 calls, the ten retries a client starts with, and a tenth for each call.
    assert!((115..=121).contains(&requests), "{requests} requests");
}

#[tokio::test]
async fn a_refused_connection_names_the_address_and_the_remedy() {
    let addr = unused_addr().await;
    let error = Client::builder(&addr).retries(0).build().ping().await.expect_err("nobody there");
    let expected = format!(
        "connect to {addr}: connection refused; is `larder serve` running there? set --addr or LARDER_ADDR"
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn another_protocol_is_named() {
    let server = FakeServer::start().await;
    let client = server.client().retries(0).build();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    let mut peer = server.accept().await;
    peer.expect(Opcode::Ping).await;
    peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = call.await.expect("no panic").expect_err("that is HTTP").to_string();
    assert!(error.contains("HTTP") && error.contains(&server.addr()), "{error}");

    let call = tokio::spawn(ping(client));
    let mut peer = server.accept().await;
    peer.expect(Opcode::Ping).await;
    let farewell =
        Failure { status: CallStatus::Invalid, detail: 0, message: "too many connections".into() };
    let header = Header::request(Opcode::Ping, 0, 0).reply(CallStatus::Invalid);
    peer.reply(header, |out| farewell.encode(out)).await;
    let error = call.await.expect("no panic").expect_err("closed").to_string();
    assert!(error.contains("too many connections"), "{error}");
}

#[tokio::test]
async fn failures_of_the_request_are_not_retried() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let call = tokio::spawn(async move { client.service("nowhere").await.map(drop) });
    let mut peer = server.accept().await;
    let request = peer.expect(Opcode::Prepare).await;
    peer.fail(&request, CallStatus::NotFound).await;
    let error = call.await.expect("no panic").expect_err("not defined");
    assert!(matches!(&error, Error::Fix(_)), "{error}");
    assert_eq!(error.to_string(), "as told (NOT_FOUND)");
    assert!(peer.request().await.is_none(), "the client left without asking again");
}
