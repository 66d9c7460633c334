//! Frames: a push of 100 events and a reply of 100 vectors of 50 f64, written and read.

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use larder_benches::workload;
use model::{
    column::Column,
    status::Status,
    value::{DataType, ValueRef},
};
use protocol::{CallStatus, Header, Opcode, PushRequest, ReadReply, WriteOptions, frame};

const ROWS: usize = 100;

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
    let columns = vec![column; workload::WIDE];
    let reply = ReadReply { as_of: 1, snapped: false, rows: 100, columns, times: None };
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

criterion_group!(benches, push, reply);
criterion_main!(benches);
