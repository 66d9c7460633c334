//! What is encoded is decoded, whatever it holds: the hot messages, under generated contents.

use model::{
    column::{Column, ColumnRef},
    columns::Columns,
    limits::KEY_BYTES_MAX,
    status::Status,
    value::{DataType, Value},
};
use proptest::{collection::vec, prelude::*};
use protocol::{
    PushRequest, PutRequest, PutRow, ReadOptions, ReadReply, ReadRequest, ReadTimes,
    RetractRequest, SyncLevel, WriteOptions,
};
use stdx::cursor::Writer;

fn body(encode: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    // A reply is rarely the first in its buffer: alignment counts from the body's start.
    let mut out = vec![0xee; 5];
    encode(&mut Writer::new(&mut out));
    out.split_off(5)
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..max)
}

fn time() -> impl Strategy<Value = Option<i64>> {
    proptest::option::of((i64::MIN + 1)..=i64::MAX)
}

fn write_options() -> impl Strategy<Value = WriteOptions> {
    let sync =
        proptest::option::of(prop_oneof![Just(SyncLevel::Written), Just(SyncLevel::Durable)]);
    (sync, any::<u128>(), any::<u64>()).prop_map(|(sync, producer, sequence)| WriteOptions {
        sync,
        producer,
        sequence,
    })
}

fn value(data_type: DataType) -> BoxedStrategy<Value> {
    match data_type {
        DataType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        DataType::String => ".{0,12}".prop_map(|text: String| Value::String(text.into())).boxed(),
        DataType::Bytes => bytes(12).prop_map(|bytes| Value::Bytes(bytes.into())).boxed(),
        DataType::Vector(count) => vec(-1e6_f32..1e6, count as usize)
            .prop_map(|floats| Value::Vector(floats.into()))
            .boxed(),
        DataType::Decimal(scale) => {
            any::<i64>().prop_map(move |unscaled| Value::Decimal(unscaled, scale)).boxed()
        }
        DataType::F32 => (-1e6_f32..1e6).prop_map(Value::F32).boxed(),
        DataType::F64 => (-1e9..1e9).prop_map(Value::F64).boxed(),
        DataType::I64 => any::<i64>().prop_map(Value::I64).boxed(),
        DataType::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
    }
}

fn data_type() -> impl Strategy<Value = DataType> {
    proptest::sample::select(vec![
        DataType::Bool,
        DataType::I64,
        DataType::F32,
        DataType::F64,
        DataType::String,
        DataType::Bytes,
        DataType::Timestamp,
        DataType::Decimal(2),
        DataType::Vector(3),
    ])
}

fn column(rows: usize) -> impl Strategy<Value = Column> {
    data_type().prop_flat_map(move |data_type| {
        let cell = (proptest::sample::select(Status::ALL.to_vec()), value(data_type));
        vec(cell, rows).prop_map(move |cells| {
            let mut column = Column::new(data_type, rows);
            for (status, value) in cells {
                match status {
                    Status::Present | Status::Partial => column.push(status, value.borrow()),
                    other => column.push_empty(other),
                }
            }
            column
        })
    })
}

fn read_reply() -> impl Strategy<Value = ReadReply> {
    (0_usize..5, 0_usize..6, 0_usize..3).prop_flat_map(|(rows, columns, groups)| {
        let times = (vec(vec(any::<i64>(), rows), groups), vec(any::<i64>(), columns))
            .prop_map(|(groups, window_starts)| ReadTimes { groups, window_starts });
        let times = proptest::option::of(times);
        (vec(column(rows), columns), times, any::<i64>(), any::<bool>()).prop_map(
            move |(columns, times, as_of, snapped)| {
                let mut whole = Columns::default();
                whole.reset(columns.iter().map(Column::data_type), rows);
                for (place, column) in columns.iter().enumerate() {
                    whole.put_column(place, column.view()).expect("of the same type");
                }
                ReadReply { as_of, snapped, columns: whole, times }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn replies_to_reads_keep_every_value(reply in read_reply()) {
        let types: Vec<_> = reply.columns.iter().map(ColumnRef::data_type).collect();
        let decoded = ReadReply::decode(&body(|out| reply.encode(out)), &types);
        prop_assert_eq!(decoded, Ok(reply));
    }

    #[test]
    fn values_start_at_multiples_of_eight(reply in read_reply()) {
        let bytes = body(|out| reply.encode(out));
        prop_assert_eq!(bytes.len() % 8, 0);
        let Some(first) = reply.columns.get(0).filter(|column| column.data_type().fixed_bytes() == Some(8)) else {
            return Ok(());
        };
        let start = (16 + reply.columns.len() * first.len()).next_multiple_of(8);
        prop_assert_eq!(&bytes[start..start + first.data().len()], first.data());
    }

    #[test]
    fn reads_keep_keys_and_request_rows(
        (entities, keys) in (1_u16..4, 0_usize..5).prop_flat_map(|(entities, tuples)| {
            (Just(entities), vec(bytes(KEY_BYTES_MAX), usize::from(entities) * tuples))
        }),
        row in proptest::option::of(bytes(40)),
        as_of in time(),
        (exclusive, snap, times) in any::<(bool, bool, bool)>(),
        handle in any::<u64>(),
    ) {
        let mut encoded = Vec::new();
        let request = ReadRequest {
            handle,
            options: ReadOptions { as_of, exclusive, snap, times },
            entities,
            keys: keys.iter().map(Vec::as_slice).collect(),
            request_rows: row.iter().map(Vec::as_slice).collect(),
        };
        request.encode(&mut Writer::new(&mut encoded));
        prop_assert_eq!(ReadRequest::decode(&encoded), Ok(request));
    }

    #[test]
    fn puts_keep_keys_times_and_rows(
        rows in vec((bytes(40), time(), bytes(60)), 0..20),
        options in write_options(),
        features in any::<u16>(),
    ) {
        let rows = rows.iter();
        let rows = rows.map(|(key, event_time, row)| PutRow { key, event_time: *event_time, row });
        let request = PutRequest { handle: 1, options, features, rows: rows.collect() };
        let bytes = body(|out| request.encode(out));
        prop_assert_eq!(PutRequest::decode(&bytes), Ok(request));
    }

    #[test]
    fn pushes_keep_events(events in vec(bytes(60), 0..20), options in write_options(), fields in any::<u16>()) {
        let events = events.iter().map(Vec::as_slice).collect();
        let request = PushRequest { handle: 1, options, fields, events };
        let bytes = body(|out| request.encode(out));
        prop_assert_eq!(PushRequest::decode(&bytes), Ok(request));
    }

    #[test]
    fn retractions_keep_rows(events in vec(bytes(60), 0..20), options in write_options(), fields in any::<u16>()) {
        let events = events.iter().map(Vec::as_slice).collect();
        let request = RetractRequest { handle: 1, options, fields, events };
        let bytes = body(|out| request.encode(out));
        prop_assert_eq!(RetractRequest::decode(&bytes), Ok(request));
    }
}
