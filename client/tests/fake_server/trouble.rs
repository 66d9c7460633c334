//! A server that is slow, silent or overloaded: the time of a call, hedges, the circuit breaker. Time passes when told to.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use client::{Client, Error, Hedge, ServiceReader};
use model::{limits::IN_FLIGHT_MAX, value::DataType};
use protocol::{CallStatus, Opcode, PushReply};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use crate::fake::{FakeServer, Peer, fraud, pass, receipt, table, vectors};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

type Outcome = JoinHandle<Result<client::Vectors, Error>>;

/// A read of one vector, under way.
fn read(service: &ServiceReader, hedge: Hedge, within: Duration) -> Outcome {
    let read = service.read().key("card", "c1").key("merchant", 9).hedge(hedge).within(within);
    tokio::spawn(read.send())
}

/// A call that is under way: it waits for something, and so would a task that it was handed to.
async fn begun<F: Future>(call: F) -> Pin<Box<F>> {
    let mut call = Box::pin(call);
    let is_over = poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await;
    assert!(!is_over, "nobody has answered");
    call
}

/// A reader, and the connection that it was prepared on.
async fn prepared(server: &FakeServer, client: &Client) -> (ServiceReader, Peer) {
    let service = tokio::spawn({
        let client = client.clone();
        async move { client.service("fraud_v3").await }
    });
    let mut peer = server.accept().await;
    peer.prepare(&fraud(1)).await;
    (service.await.expect("no panic").expect("prepared"), peer)
}

async fn answer_read(peer: &mut Peer) -> u32 {
    let request = peer.expect(Opcode::Read).await;
    peer.ok(&request, |out| vectors(1).encode(out)).await;
    request.header().deadline_ms
}

#[tokio::test]
async fn every_attempt_carries_what_is_left_of_the_time_of_the_call() {
    let server = FakeServer::start().await;
    let client = server.client().request_timeout(ms(120_000)).build();
    let call = tokio::spawn(async move { client.ping().await });
    let mut peer = server.accept().await;
    assert!(peer.expect(Opcode::Ping).await.header().deadline_ms > 60_000);
    pass(60_000).await;
    drop(peer);
    let mut peer = server.accept().await;
    let again = peer.expect(Opcode::Ping).await;
    assert!((1..=60_000).contains(&again.header().deadline_ms), "{:?}", again.header());
    pass(60_000).await;
    let error =
        call.await.expect("no panic").expect_err("the time is over, not only the attempt's");
    assert!(matches!(error, Error::Timeout { after_ms: 120_000, .. }), "{error}");
}

#[tokio::test]
async fn what_has_no_time_left_is_not_sent() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let (service, mut peer) = prepared(&server, &client).await;
    let error = read(&service, Hedge::Never, Duration::ZERO).await.expect("no panic");
    let error = error.expect_err("no time at all");
    assert!(matches!(error, Error::Expired { operation: Opcode::Read, after_ms: 0 }), "{error}");
    assert!(error.is_retryable() && !error.may_be_applied());

    // Whoever waits for room on a connection that does not answer has not been sent, and knows it.
    let client = server.client().request_timeout(ms(60_000)).build();
    let calls: JoinSet<_> = (0..=IN_FLIGHT_MAX)
        .map(|_| {
            let client = client.clone();
            async move { client.ping().await }
        })
        .collect();
    let mut busy = server.accept().await;
    for _ in 0..IN_FLIGHT_MAX {
        busy.expect(Opcode::Ping).await;
    }
    pass(60_000).await;
    let errors: Vec<_> = calls.join_all().await.into_iter().filter_map(Result::err).collect();
    let unsent = errors.iter().filter(|error| matches!(error, Error::Expired { .. })).count();
    assert_eq!((errors.len(), unsent), (IN_FLIGHT_MAX + 1, 1));
    assert!(!peer.has_input().await && !busy.has_input().await);
    // The first peer has seen nothing but the preparation: this is what comes next.
    let last = read(&service, Hedge::Never, ms(60_000));
    answer_read(&mut peer).await;
    last.await.expect("no panic").expect("answered");
}

#[tokio::test]
async fn what_is_over_while_it_waits_for_a_full_socket_is_not_sent() {
    let server = FakeServer::start().await;
    let client = server.client().retries(0).request_timeout(ms(60_000)).build();
    let (service, mut peer) = prepared(&server, &client).await;
    // More than the kernel takes while nobody reads.
    let text = "#".repeat(model::limits::FRAME_BYTES_MAX - 1_000);
    let apply = tokio::spawn({
        let client = client.clone();
        async move { client.apply("f.toml", &text, true).await }
    });
    peer.some_input().await;
    let stats = begun(client.stats()).await;
    // Behind them, and with more time. After all this silence a call that begins later would take another connection.
    let read = service.read().key("card", "c1").key("merchant", 9).within(ms(600_000));
    let read = begun(read.send()).await;
    pass(60_000).await;
    assert!(apply.await.expect("no panic").is_err() && stats.await.is_err());
    // What was under way arrives whole; the figures that nobody waits for are not asked for.
    peer.expect(Opcode::Apply).await;
    answer_read(&mut peer).await;
    read.await.expect("answered");
}

#[tokio::test]
async fn a_slow_read_goes_out_a_second_time_on_another_connection() {
    let server = FakeServer::start().await;
    let client = server.client().connections(2).build();
    let (service, mut first) = prepared(&server, &client).await;
    // In turn: this one takes the second connection.
    let call = read(&service, Hedge::Never, ms(60_000));
    let mut second = server.accept().await;
    answer_read(&mut second).await;
    call.await.expect("no panic").expect("answered");

    let call = read(&service, Hedge::After(ms(1)), ms(60_000));
    let slow = first.expect(Opcode::Read).await;
    let hedge = second.expect(Opcode::Read).await;
    assert_eq!(hedge.body(), slow.body());
    assert_ne!(hedge.header().request_id, slow.header().request_id);
    second.ok(&hedge, |out| vectors(1).encode(out)).await;
    call.await.expect("no panic").expect("the first answer counts");
    first.ok(&slow, |out| vectors(1).encode(out)).await;

    // One that fails leaves the outcome to the other.
    let call = read(&service, Hedge::After(ms(1)), ms(60_000));
    let slow = second.expect(Opcode::Read).await;
    let hedge = first.expect(Opcode::Read).await;
    first.fail(&hedge, CallStatus::Internal).await;
    second.ok(&slow, |out| vectors(1).encode(out)).await;
    call.await.expect("no panic").expect("the slow one was good");
}

#[tokio::test]
async fn a_server_that_answers_nothing_is_not_asked_twice_for_everything() {
    let server = FakeServer::start().await;
    let client = server.client().connections(2).retries(0).build();
    let (service, first) = prepared(&server, &client).await;
    let mut requests = JoinSet::new();
    let arrived = Arc::new(Semaphore::new(0));
    let count = |mut peer: Peer| {
        let arrived = Arc::clone(&arrived);
        async move {
            let mut reads = 0_u32;
            while let Some(request) = peer.request().await {
                if request.header().opcode() == Some(Opcode::Read) {
                    reads += 1;
                    arrived.add_permits(1);
                }
            }
            reads
        }
    };
    requests.spawn(count(first));
    let calls: Vec<_> = (0..60).map(|_| read(&service, Hedge::After(ms(1)), ms(600_000))).collect();
    requests.spawn(count(server.accept().await));
    // All are on their way, and as many again as are free, before time runs out.
    let free = tokio::time::timeout(ms(60_000), arrived.acquire_many(70)).await;
    drop(free.expect("slow reads are hedged"));
    pass(600_000).await;
    for call in calls {
        let error = call.await.expect("no panic").expect_err("nobody answers");
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
    }
    drop((service, client));
    let requests: u32 = requests.join_all().await.into_iter().sum();
    // Ten that are free and one for each twenty reads.
    assert!((70..=73).contains(&requests), "{requests} requests for 60 reads");
}

#[tokio::test]
async fn writes_are_sent_once_however_slow_the_answer() {
    let server = FakeServer::start().await;
    let client = server.client().connections(2).hedge(Hedge::After(ms(1))).build();
    let call = tokio::spawn({
        let client = client.clone();
        async move {
            let stream = client.stream("payments").await?;
            stream.push([stream.event().set("amount", 12.5)]).await
        }
    });
    let mut first = server.accept().await;
    first.prepare(&table(1, false, &[("amount", DataType::Decimal(2))])).await;
    let mut second = server.accept().await;
    let push = second.expect(Opcode::Push).await;
    pass(1_000).await;
    let (duplicate, late, rejected, rejects) = (0, 0, 0, Vec::new());
    let reply = PushReply { receipt: receipt(), accepted: 1, duplicate, late, rejected, rejects };
    second.ok(&push, |out| reply.encode(out)).await;
    assert_eq!(call.await.expect("no panic").expect("answered").accepted, 1);
    // What comes next on the other connection is this, and no second push.
    let ping = tokio::spawn(async move { client.ping().await });
    let request = first.expect(Opcode::Ping).await;
    first.ok(&request, |_| {}).await;
    ping.await.expect("no panic").expect("answered");
}

#[tokio::test]
async fn reads_leave_an_overloaded_address_alone_until_a_probe_succeeds() {
    let (one, two) = (FakeServer::start().await, FakeServer::start().await);
    let client = one.client().also_read_from(two.addr()).breaker_after(2).build();
    let (service, mut first) = prepared(&one, &client).await;
    let read = || read(&service, Hedge::Never, ms(60_000));
    // Both are asked, until two in a row were too much for the first.
    let call = read();
    let request = first.expect(Opcode::Read).await;
    first.fail(&request, CallStatus::Overloaded).await;
    let mut second = two.accept().await;
    second.prepare(&fraud(7)).await;
    answer_read(&mut second).await;
    call.await.expect("no panic").expect("answered by the second");
    let call = read();
    let request = first.expect(Opcode::Read).await;
    first.fail_with(&request, CallStatus::Overloaded, 60_000).await;
    answer_read(&mut second).await;
    call.await.expect("no panic").expect("answered by the second");
    // Left alone, for as long as it asked for; what can go nowhere else goes there.
    pass(30_000).await;
    let call = read();
    answer_read(&mut second).await;
    call.await.expect("no panic").expect("answered by the second");
    let group = tokio::spawn({
        let client = client.clone();
        async move { client.group("card_profile").await.map(|_| ()) }
    });
    first.prepare(&table(3, true, &[("country", DataType::String)])).await;
    group.await.expect("no panic").expect("reads do not close the road of others");
    // One read finds out that it works again.
    pass(30_000).await;
    let call = read();
    answer_read(&mut first).await;
    call.await.expect("no panic").expect("answered by the first");
    assert!(!second.has_input().await);
}

#[tokio::test]
async fn an_attempt_leaves_half_of_the_time_to_another_address() {
    let (one, two) = (FakeServer::start().await, FakeServer::start().await);
    let client = one.client().also_read_from(two.addr()).build();
    let (service, mut silent) = prepared(&one, &client).await;
    let call = read(&service, Hedge::Never, ms(120_000));
    let deadline_ms = silent.expect(Opcode::Read).await.header().deadline_ms;
    assert!((20_000..=60_000).contains(&deadline_ms), "{deadline_ms}");
    pass(60_000).await;
    let mut second = two.accept().await;
    second.prepare(&fraud(7)).await;
    let deadline_ms = answer_read(&mut second).await;
    assert!((1..=60_000).contains(&deadline_ms), "{deadline_ms}");
    call.await.expect("no panic").expect("answered by the second");
}

#[tokio::test]
async fn a_read_without_room_on_a_silent_address_turns_to_another() {
    let (one, two) = (FakeServer::start().await, FakeServer::start().await);
    let client = one.client().also_read_from(two.addr()).request_timeout(ms(600_000)).build();
    let (service, mut silent) = prepared(&one, &client).await;
    let _pings: JoinSet<_> = (0..IN_FLIGHT_MAX)
        .map(|_| {
            let client = client.clone();
            async move { client.ping().await }
        })
        .collect();
    for _ in 0..IN_FLIGHT_MAX {
        silent.expect(Opcode::Ping).await;
    }
    let read = service.read().key("card", "c1").key("merchant", 9).within(ms(120_000));
    let call = tokio::spawn(begun(read.hedge(Hedge::Never).send()).await);
    pass(60_000).await;
    let mut second = two.accept().await;
    second.prepare(&fraud(7)).await;
    answer_read(&mut second).await;
    call.await.expect("no panic").expect("answered by the second");
}

#[tokio::test]
async fn a_read_that_nobody_answers_names_the_time_it_was_given() {
    let (one, two) = (FakeServer::start().await, FakeServer::start().await);
    let client = one.client().also_read_from(two.addr()).retries(1).build();
    let (service, mut first) = prepared(&one, &client).await;
    let call = read(&service, Hedge::Never, ms(120_000));
    first.expect(Opcode::Read).await;
    pass(60_000).await;
    let mut second = two.accept().await;
    second.prepare(&fraud(7)).await;
    second.expect(Opcode::Read).await;
    pass(60_000).await;
    let error = call.await.expect("no panic").expect_err("nobody answers");
    assert!(matches!(error, Error::Timeout { after_ms: 120_000, .. }), "{error}");
}

#[tokio::test]
async fn a_server_says_how_long_it_wants_to_be_left_alone() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let (service, mut peer) = prepared(&server, &client).await;
    let call = read(&service, Hedge::Never, ms(60_000));
    let request = peer.expect(Opcode::Read).await;
    // Nothing but the pause can end: the clock jumps to its end.
    tokio::time::pause();
    let begun = Instant::now();
    peer.fail_with(&request, CallStatus::Overloaded, 7_000).await;
    answer_read(&mut peer).await;
    let waited = begun.elapsed();
    tokio::time::resume();
    assert!((ms(7_000)..ms(8_000)).contains(&waited), "{waited:?}");
    call.await.expect("no panic").expect("answered");

    // No time for that: the caller hears of it at once.
    let call = read(&service, Hedge::Never, ms(60_000));
    let request = peer.expect(Opcode::Read).await;
    let begun = Instant::now();
    peer.fail_with(&request, CallStatus::Overloaded, 70_000).await;
    let error = call.await.expect("no panic").expect_err("too long to wait");
    assert_eq!(error.status(), Some(CallStatus::Overloaded));
    assert!(error.retry_after() == Some(ms(70_000)) && begun.elapsed() < ms(50_000), "{error}");
}

/// A peer that vanished without a word: TCP would notice after a quarter of an hour.
#[tokio::test]
async fn a_connection_on_which_nothing_is_heard_is_replaced() {
    let server = FakeServer::start().await;
    let client = server.client().retries(0).build();
    let (service, mut dead) = prepared(&server, &client).await;
    let call = read(&service, Hedge::Never, ms(60_000));
    dead.expect(Opcode::Read).await;
    pass(60_000).await;
    assert!(call.await.expect("no panic").is_err());
    let call = read(&service, Hedge::Never, ms(60_000));
    answer_read(&mut server.accept().await).await;
    call.await.expect("no panic").expect("answered on a new connection");
}

#[tokio::test]
async fn a_reply_to_something_else_is_no_reply() {
    let server = FakeServer::start().await;
    let client = server.client().build();
    let (service, mut peer) = prepared(&server, &client).await;
    for as_reply in [true, false] {
        let call = read(&service, Hedge::Never, ms(60_000));
        let request = peer.expect(Opcode::Read).await.header();
        let mut header = protocol::Header::request(Opcode::Scan, request.request_id, 0);
        if as_reply {
            header = header.reply(CallStatus::Ok);
        } else {
            header.opcode_code = Opcode::Read.code();
        }
        peer.reply(header, |out| vectors(1).encode(out)).await;
        let error = call.await.expect("no panic").expect_err("not what was asked");
        assert!(matches!(error, Error::Protocol { .. }), "{error}");
        assert!(error.to_string().contains("instead of a reply to read"), "{error}");
    }
}
