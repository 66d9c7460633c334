//! The typed builders: what they send, what they refuse before sending, how replies read.

use crate::fake::{FakeServer, Peer, fraud, receipt, table, vectors};
use client::{Client, Error, blocking};
use model::{
    column::Column,
    packed_row::{Cell, read_row},
    status::Status,
    value::{DataType, Value, ValueRef},
};
use protocol::{
    DeleteReply, DeleteRequest, Opcode, Prepared, PutReply, PutRequest, ReadRequest, ScanReply,
    ScanRequest,
};

const PROFILE: [(&str, DataType); 3] =
    [("country", DataType::String), ("limit", DataType::Decimal(2)), ("seen", DataType::Timestamp)];

/// Runs `script` against a client whose first call is a `prepare` that gets `prepared`.
async fn with_server<T, F>(
    prepared: Prepared,
    server: impl AsyncFnOnce(&mut Peer),
    script: impl FnOnce(Client) -> F,
) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let listener = FakeServer::start().await;
    let call = tokio::spawn(script(listener.client().build()));
    let mut peer = listener.accept().await;
    peer.prepare(&prepared).await;
    server(&mut peer).await;
    call.await.expect("no panic")
}

fn int_key(number: i64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

#[tokio::test]
async fn keys_fill_tuples_and_request_values_follow_their_tuple() {
    let served = async |peer: &mut Peer| {
        let request = peer.expect(Opcode::Read).await;
        let read = ReadRequest::decode(request.body()).expect("valid");
        assert_eq!((read.entities, read.tuples()), (2, 2));
        let (nine, ten) = (int_key(9), int_key(10));
        assert_eq!(read.keys[..], [b"c1", &nine[..], b"c2", &ten[..]], "in schema order");
        let amounts: Vec<_> = read
            .request_rows
            .iter()
            .map(|row| read_row(row, &[DataType::Decimal(2)]).expect("valid")[0].value())
            .map(|value| value.map(ValueRef::to_owned))
            .collect();
        let amount = |unscaled| Some(Value::Decimal(unscaled, 2));
        assert_eq!(amounts, [amount(100), amount(750)], "the first keeps the shared value");
        assert_eq!((read.options.as_of, read.options.exclusive), (Some(5), true));
        peer.ok(&request, |out| vectors(2).encode(out)).await;
    };
    let script = async |client: Client| {
        let fraud = client.service("fraud_v3").await?;
        let read = fraud.read().request("amount", 1.0).key("merchant", 9).key("card", "c1");
        let read = read.key("card", "c2").key("merchant", "10").request("amount", 7.5);
        read.as_of(5).exclusive().send().await
    };
    let vectors = with_server(fraud(1), served, script).await.expect("answered");
    assert_eq!((vectors.len(), vectors.as_of()), (2, 1_000));
    let spend = vectors.get(1, "spend_1h").expect("there");
    assert_eq!(spend, (Status::Present, Some(Value::Decimal(1251, 2))));
    assert_eq!(vectors.get(0, "country").expect("there"), (Status::NotFound, None));
    assert_eq!(vectors.row_f64(0)[0], 12.5);
    assert!(vectors.to_f64()[3].is_nan());
    let error = vectors.get(0, "spend").expect_err("no such column").to_string();
    assert!(error.contains("one of spend_1h, country"), "{error}");
    assert!(vectors.get(2, "country").is_err_and(|error| error.to_string().contains("below 2")));
}

#[tokio::test]
async fn wrong_reads_are_refused_before_they_are_sent() {
    let script = async |client: Client| {
        let fraud = client.service("fraud_v3").await.expect("prepared");
        let read = || fraud.read().key("card", "c1");
        [
            (read().send().await, "merchant"),
            (fraud.read().send().await, "card, merchant"),
            (read().key("shop", 1).send().await, "one of card, merchant"),
            (read().key("card", "c2").send().await, "once in a tuple"),
            (read().key("merchant", "x").send().await, "i64 key \"x\""),
            (read().request("amount", "much").send().await, "request.amount: expected decimal(2)"),
            (read().request("sum", 1).send().await, "one of amount"),
            (fraud.read().keys(["c1"]).send().await, "card, merchant"),
        ]
        .map(|(outcome, part)| (outcome.expect_err(part), part))
    };
    for (error, part) in with_server(fraud(1), async |_| {}, script).await {
        assert!(matches!(error, Error::Invalid(_)), "{error}");
        assert!(error.to_string().contains(part), "{error} should name {part}");
    }
}

#[tokio::test]
async fn rows_keep_null_and_absent_apart() {
    let served = async |peer: &mut Peer| {
        let request = peer.expect(Opcode::Put).await;
        let put = PutRequest::decode(request.body()).expect("valid");
        assert_eq!((put.features, put.options.sequence), (3, 1));
        let [row, bare] = put.rows[..] else { panic!("{} rows", put.rows.len()) };
        assert_eq!((row.key, row.event_time), (&b"c1"[..], Some(1_000)));
        let types = PROFILE.map(|(_, data_type)| data_type);
        let cells = read_row(row.row, &types).expect("valid");
        assert!(matches!(
            cells[..],
            [Cell::Value(ValueRef::String("CH")), Cell::Null, Cell::Value(ValueRef::Timestamp(1))]
        ));
        assert_eq!((bare.event_time, bare.row), (None, &[0_u8][..]));
        let reply =
            PutReply { receipt: receipt(), applied: 2, stale: 0, rejected: 0, rejects: Vec::new() };
        peer.ok(&request, |out| reply.encode(out)).await;
    };
    let script = async |client: Client| {
        let group = client.group("card_profile").await?;
        let row = group.row().key("c1").at(1_000).set("country", "CH").set_null("limit");
        let row = row.set("seen", "1970-01-01T00:00:00.001Z");
        group.put([row, group.row().key("c2")]).await
    };
    let reply = with_server(table(1, true, &PROFILE), served, script).await.expect("answered");
    assert_eq!(reply.applied, 2);
}

#[tokio::test]
async fn wrong_rows_are_refused_with_the_feature_named() {
    let script = async |client: Client| {
        let group = client.group("card_profile").await.expect("prepared");
        let row = || group.row().key("c1");
        [
            (row().set("country", 5).pack(), "country: expected string, got number 5"),
            (row().set("limit", f64::INFINITY).pack(), "limit: expected decimal(2)"),
            (row().set("nation", "CH").pack(), "one of country, limit, seen"),
            (group.row().set("country", "CH").pack(), "without a key"),
            (group.row().key("").pack(), "must not be empty"),
        ]
        .map(|(outcome, part)| (outcome.expect_err(part).to_string(), part))
    };
    for (error, part) in with_server(table(1, true, &PROFILE), async |_| {}, script).await {
        assert!(error.contains(part), "{error} should name {part}");
    }
}

#[tokio::test]
async fn requests_above_the_limits_are_refused_before_they_are_sent() {
    let nowhere = Client::new("127.0.0.1:1");
    let text = "#".repeat(model::limits::FRAME_BYTES_MAX);
    let error = nowhere.apply("f.toml", &text, true).await.expect_err("too long");
    assert!(error.to_string().contains("at most 16777216"), "{error}");
    assert!(!error.may_be_applied() && matches!(error, Error::Invalid(_)));

    let script = async |client: Client| {
        let group = client.group("card_profile").await.expect("prepared");
        let rows = vec![group.row().key("c1"); model::limits::BATCH_MAX + 1];
        group.put(rows).await.expect_err("too many").to_string()
    };
    let error = with_server(table(1, true, &PROFILE), async |_| {}, script).await;
    assert!(error.contains("4097 rows") && error.contains("at most 4096"), "{error}");
}

#[tokio::test]
async fn deletes_and_scans_speak_of_keys() {
    let served = async |peer: &mut Peer| {
        let request = peer.expect(Opcode::Delete).await;
        let delete = DeleteRequest::decode(request.body()).expect("valid");
        assert_eq!(delete.keys, [b"c1", b"c2"]);
        let reply =
            DeleteReply { receipt: receipt(), deleted: 1, rejected: 0, rejects: Vec::new() };
        peer.ok(&request, |out| reply.encode(out)).await;
        for (cursor, next) in [(&b""[..], Some(vec![1])), (&[1], None)] {
            let request = peer.expect(Opcode::Scan).await;
            let scan = ScanRequest::decode(request.body()).expect("valid");
            assert_eq!((scan.cursor, scan.limit), (cursor, 10));
            let mut column = Column::new(DataType::String, 1);
            column.push(Status::Present, ValueRef::String("CH"));
            let page = ScanReply {
                keys: vec![(*b"c1").into()],
                event_times: vec![7],
                columns: vec![column],
                next,
            };
            peer.ok(&request, |out| page.encode(out)).await;
        }
    };
    let script = async |client: Client| {
        let group = client.group("card_profile").await?;
        let deleted = group.delete(["c1", "c2"]).await?.deleted;
        let (mut scan, mut rows) = (group.scan(10), Vec::new());
        while let Some(page) = scan.next().await? {
            let values: Vec<_> = page.row(0).map(|(name, ..)| name.to_owned()).collect();
            rows.push((page.key_text(0), page.event_time(0), values));
        }
        Ok::<_, Error>((deleted, rows))
    };
    let outcome = with_server(table(1, true, &PROFILE[..1]), served, script).await;
    let row = ("c1".to_owned(), Some(7), vec!["country".to_owned()]);
    assert_eq!(outcome.expect("answered"), (1, vec![row.clone(), row]));
}

#[test]
fn the_blocking_client_reads_without_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let server = runtime.block_on(FakeServer::start());
    std::thread::scope(|scope| {
        // Its own: when it panics, the fake hears that the client is gone.
        let client = blocking::Client::with(server.client()).expect("a thread");
        scope.spawn(|| {
            runtime.block_on(async {
                let mut peer = server.accept().await;
                peer.prepare(&fraud(1)).await;
                let request = peer.expect(Opcode::Read).await;
                peer.ok(&request, |out| vectors(1).encode(out)).await;
            });
        });
        let fraud = client.service("fraud_v3").expect("prepared");
        let read = fraud.read().key("card", "c1").key("merchant", 9);
        assert_eq!(client.wait(read.send()).expect("answered").len(), 1);
    });
}
