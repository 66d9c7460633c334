//! Frames: found in a receive buffer; reads of 1 and 100 keys, a push of 100 events and a reply of 100 vectors of 50 f64, written and
//! read.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use larder_benches::workload;
use model::{
    column::Column,
    columns::Columns,
    status::Status,
    value::{DataType, ValueRef},
};
use protocol::{
    CallStatus, Header, Opcode, PushRequest, PutRequest, PutRow, ReadOptions, ReadReply,
    ReadRequest, WriteOptions, frame,
};

const ROWS: usize = 100;

fn read(criterion: &mut Criterion) {
    let keys: Vec<String> = (0..100).map(workload::key).collect();
    for count in [1, ROWS] {
        let request = ReadRequest {
            handle: 1,
            options: ReadOptions::default(),
            entities: 1,
            keys: keys.iter().take(count).map(String::as_bytes).collect(),
            request_rows: Vec::new(),
        };
        let header = Header::request(Opcode::Read, 7, 100);
        let mut out = Vec::new();
        criterion.bench_function(&format!("encode a read of {count} keys"), |bencher| {
            bencher.iter(|| {
                out.clear();
                frame::write(&mut out, header, |body| request.encode(body)).expect("short");
            });
        });
        criterion.bench_function(&format!("find the frame of a read of {count} keys"), |bencher| {
            bencher.iter(|| frame::first(black_box(&out)).expect("a frame").expect("whole").length);
        });
        criterion.bench_function(&format!("decode a read of {count} keys"), |bencher| {
            let frame = frame::first(&out).expect("a frame").expect("whole");
            bencher.iter(|| ReadRequest::decode(black_box(frame.body)).expect("a read").keys.len());
        });
    }
}

fn put(criterion: &mut Criterion) {
    let (key, row) = (workload::key(1), workload::wide_row(1));
    let put = PutRow { key: key.as_bytes(), event_time: Some(1), row: &row };
    let rows = vec![put; ROWS];
    let options = WriteOptions::default();
    let request = PutRequest { handle: 1, options, features: 50, rows };
    let mut out = Vec::new();
    let header = Header::request(Opcode::Put, 7, 0);
    criterion.bench_function("encode a put of 100 rows of 50 f64", |bencher| {
        bencher.iter(|| {
            out.clear();
            frame::write(&mut out, header, |body| request.encode(body)).expect("below the limit");
        });
    });
    criterion.bench_function("decode a put of 100 rows of 50 f64", |bencher| {
        let frame = frame::first(&out).expect("a frame").expect("whole");
        bencher.iter(|| PutRequest::decode(black_box(frame.body)).expect("a put").rows.len());
    });
}

fn push(criterion: &mut Criterion) {
    let event = workload::wide_row(1);
    let request = PushRequest {
        handle: 1,
        options: WriteOptions::default(),
        fields: 50,
        events: vec![&event; ROWS],
    };
    let header = Header::request(Opcode::Push, 7, 0);
    let mut out = Vec::new();
    criterion.bench_function("encode a push of 100 events", |bencher| {
        bencher.iter(|| {
            out.clear();
            frame::write(&mut out, header, |body| request.encode(body)).expect("below the limit");
        });
    });
    criterion.bench_function("decode a push of 100 events", |bencher| {
        bencher.iter_batched(
            || BytesMut::from(&out[..]),
            |mut input| {
                let frame = frame::split(&mut input).expect("a frame").expect("whole");
                PushRequest::decode(frame.body()).expect("a push").events.len()
            },
            BatchSize::SmallInput,
        );
    });
}

fn reply(criterion: &mut Criterion) {
    let mut column = Column::new(DataType::F64, ROWS);
    (0..ROWS).for_each(|_| column.push(Status::Present, ValueRef::F64(1.5)));
    let types = [DataType::F64; workload::WIDE];
    let columns = Columns::of(&vec![column; workload::WIDE]).expect("as many rows each");
    let reply = ReadReply { as_of: 1, snapped: false, columns, times: None };
    let header = Header::request(Opcode::Read, 7, 0).reply(CallStatus::Ok);
    let mut out = Vec::new();
    criterion.bench_function("encode 100 vectors of 50 f64", |bencher| {
        bencher.iter(|| {
            out.clear();
            frame::write(&mut out, header, |body| reply.encode(body)).expect("below the limit");
        });
    });
    criterion.bench_function("decode 100 vectors of 50 f64", |bencher| {
        bencher.iter_batched(
            || BytesMut::from(&out[..]),
            |mut input| {
                let frame = frame::split(&mut input).expect("a frame").expect("whole");
                ReadReply::decode(frame.body(), &types).expect("a reply").columns.len()
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, read, put, push, reply);
criterion_main!(benches);
