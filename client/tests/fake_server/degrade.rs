//! A model service that goes on: missing values, and a server that does not answer. Nothing looks like what was read.

use std::time::Duration;

use client::{Error, OnMissing, ServiceReader, blocking};
use model::{
    columns::Columns,
    status::Status,
    value::{Value, ValueRef},
};
use protocol::{CallStatus, Opcode, ReadReply};

use crate::fake::{FakeServer, Peer, columns, fraud, pass, vectors};

/// Prepares, and hands the reader with a default for each of both columns to `script`; `served` answers what follows.
async fn with_reader<T>(
    served: impl AsyncFnOnce(&mut Peer),
    script: impl AsyncFnOnce(ServiceReader) -> T,
) -> T {
    let server = FakeServer::start().await;
    let client = server.client().retries(0).build();
    let (outcome, ()) = tokio::join!(
        async {
            let service = client.service("fraud_v3").await.expect("prepared");
            let service = service.default_value("country", "??").expect("text");
            script(service.default_value("spend_1h", -1.0).expect("a number")).await
        },
        async {
            let mut peer = server.accept().await;
            peer.prepare(&fraud(1)).await;
            served(&mut peer).await;
        }
    );
    outcome
}

fn read(service: &ServiceReader) -> client::Read {
    service.read().key("card", "c1").key("merchant", 9)
}

#[tokio::test]
async fn missing_values_are_none_a_default_or_an_error_and_keep_their_status() {
    let served = async |peer: &mut Peer| {
        for _ in 0..3 {
            let request = peer.expect(Opcode::Read).await;
            peer.ok(&request, |out| vectors(1).encode(out)).await;
        }
    };
    let script = async |service: ServiceReader| {
        let plain = read(&service).send().await.expect("answered");
        assert_eq!(plain.get(0, "country"), Ok((Status::NotFound, None)));

        let filled = read(&service).on_missing(OnMissing::Default).send().await.expect("answered");
        let default = Some(Value::String("??".into()));
        assert_eq!(filled.get(0, "country"), Ok((Status::NotFound, default)));
        let spend = Some(Value::Decimal(1250, 2));
        assert_eq!(filled.get(0, "spend_1h"), Ok((Status::Present, spend)), "it was read");
        assert!(filled.failure().is_none());
        let (_, raw) = filled.columns().nth(1).expect("a column").get(0).expect("a row");
        assert!(raw.is_none(), "columns are as they came");

        let strict = service.clone().on_missing(OnMissing::Error);
        let error = read(&strict).send().await.expect_err("the country is missing");
        let message = error.to_string();
        assert!(message.starts_with("country of vector 0 is NOT_FOUND"), "{message}");
        assert!(matches!(error, Error::Missing { row: 0, status: Status::NotFound, .. }));
    };
    with_reader(served, script).await;
}

#[tokio::test]
async fn a_read_that_fails_gives_defaults_that_say_so() {
    let served = async |peer: &mut Peer| {
        let request = peer.expect(Opcode::Read).await;
        peer.fail(&request, CallStatus::Unavailable).await;
        peer.expect(Opcode::Read).await;
        pass(60_000).await;
    };
    let script = async |service: ServiceReader| {
        let service = service.or_defaults();
        let degraded = read(&service).as_of(77).send().await.expect("defaults");
        let status = degraded.failure().and_then(Error::status);
        assert_eq!((status, degraded.as_of()), (Some(CallStatus::Unavailable), 77));
        let row = degraded
            .row(0)
            .map(|(name, status, value)| (name, status, value.map(ValueRef::to_owned)));
        let expected = [
            ("spend_1h", Status::Error, Some(Value::Decimal(-100, 2))),
            ("country", Status::Error, Some(Value::String("??".into()))),
        ];
        assert_eq!(row.collect::<Vec<_>>(), expected, "never a status of what was read");
        assert_eq!(degraded.row_f64(0)[0].to_bits(), (-1.0_f64).to_bits());

        let late = read(&service).key("card", "c2").key("merchant", 9);
        let late = late.within(Duration::from_secs(50)).send().await.expect("defaults");
        assert!(matches!(late.failure(), Some(Error::Timeout { .. })), "{:?}", late.failure());
        assert_eq!((late.len(), late.as_of()), (2, i64::MIN), "a vector for each tuple");

        let no_time = read(&service).within(Duration::ZERO).send().await.expect("defaults");
        assert!(matches!(no_time.failure(), Some(Error::Expired { .. })));
    };
    with_reader(served, script).await;
}

#[tokio::test]
async fn a_wrong_request_fails_with_or_without_defaults() {
    let served = async |peer: &mut Peer| {
        let request = peer.expect(Opcode::Read).await;
        peer.fail(&request, CallStatus::AsOfTooOld).await;
    };
    let script = async |service: ServiceReader| {
        let service = service.or_defaults();
        let error = read(&service).as_of(0).send().await.expect_err("too old");
        assert_eq!(error.status(), Some(CallStatus::AsOfTooOld));
        let error = service.read().send().await.expect_err("no keys");
        assert!(matches!(error, Error::Invalid(_)), "{error}");
        let error = read(&service).default_value("spend", 0.0).send().await.expect_err("no name");
        assert!(error.to_string().contains("spend_1h, country"), "{error}");
        let error = service.default_value("spend_1h", "much").err().expect("no number");
        assert!(error.to_string().contains("spend_1h"), "{error}");
    };
    with_reader(served, script).await;
}

/// The service's columns came in another order, and one was renamed: defaults follow their names.
#[tokio::test]
async fn defaults_follow_their_names_when_definitions_change() {
    let served = async |peer: &mut Peer| {
        let request = peer.expect(Opcode::Read).await;
        peer.fail(&request, CallStatus::StaleHandle).await;
        let mut changed = fraud(2);
        changed.columns.reverse();
        changed.columns[1].name = "spend_2h".to_owned();
        peer.prepare(&changed).await;
        let request = peer.expect(Opcode::Read).await;
        let mut columns = columns(1);
        columns.reverse();
        let columns = Columns::of(&columns).expect("one row each");
        let reply = ReadReply { columns, ..vectors(1) };
        peer.ok(&request, |out| reply.encode(out)).await;
    };
    let script = async |service: ServiceReader| {
        let vectors = read(&service).on_missing(OnMissing::Default).send().await.expect("read");
        let country = vectors.get(0, "country").expect("it is there");
        assert_eq!(country, (Status::NotFound, Some(Value::String("??".into()))));
        assert_eq!(vectors.get(0, "spend_2h").expect("it is there").0, Status::Present);
    };
    with_reader(served, script).await;
}

#[test]
fn the_blocking_client_degrades_alike() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let server = runtime.block_on(FakeServer::start());
    let builder = server.client().retries(0).breaker_after(1);
    std::thread::scope(|scope| {
        // Its own: when it panics, the fake hears that the client is gone.
        let client = blocking::Client::with(builder).expect("a thread");
        scope.spawn(|| {
            runtime.block_on(async {
                let mut peer = server.accept().await;
                peer.prepare(&fraud(1)).await;
                let request = peer.expect(Opcode::Read).await;
                peer.fail_with(&request, CallStatus::Overloaded, 60_000).await;
            });
        });
        let service = client.service("fraud_v3").expect("prepared");
        let service = service.default_value("spend_1h", 0.5).expect("a number").or_defaults();
        // The server asks to be left alone for a minute: the breaker is open for as long.
        let first = client.wait(read(&service).send()).expect("defaults");
        let second = client.wait(read(&service).send()).expect("defaults");
        for (vectors, open) in [(first, false), (second, true)] {
            let failure = vectors.failure().expect("it was not read");
            assert_eq!(matches!(failure, Error::CircuitOpen { .. }), open, "{failure}");
            assert_eq!(vectors.row_f64(0)[0].to_bits(), 0.5_f64.to_bits());
        }
    });
}
