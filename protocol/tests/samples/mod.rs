//! One request and one reply of every operation, with what decodes it: golden, hostile and round-trip tests share them.

use model::{
    column::Column,
    columns::Columns,
    definition::{Field, Section, Verb},
    key::KeyType,
    name::Name,
    packed_row::{Cell, write_row},
    status::Status,
    value::{DataType, ValueRef},
};
use protocol::{
    AppliedChange, ApplyReply, ApplyRequest, CallStatus, CheckpointReply, CheckpointRequest,
    DeleteReply, DeleteRequest, DescribeReply, DescribeRequest, Error, ExportFormat, ExportReply,
    ExportRequest, ExportedFile, Failure, Header, HelloReply, HelloRequest, Opcode, PrepareRequest,
    Prepared, PreparedColumn, PreparedEntity, PushReply, PushRequest, PutReply, PutRequest, PutRow,
    ReadOptions, ReadReply, ReadRequest, ReadTimes, Receipt, Reject, RejectKind, RetractReply,
    RetractRequest, ScanReply, ScanRequest, StatValue, StatsReply, SyncLevel, Target, WriteOptions,
    frame, op::ping,
};
use stdx::cursor::Writer;

/// One message.
pub(crate) struct Sample {
    /// Operation and direction: the name of its golden file.
    pub(crate) name: String,
    /// The whole frame.
    pub(crate) frame: Vec<u8>,
    /// Decodes a body and encodes it again.
    pub(crate) again: fn(&[u8]) -> Result<Vec<u8>, Error>,
}

impl Sample {
    /// Another one of the same operation and direction.
    fn called(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The body of the frame.
    pub(crate) fn body(&self) -> &[u8] {
        &self.frame[frame::HEADER_BYTES..]
    }
}

/// The types of the sample vector, for decoding.
pub(crate) const TYPES: [DataType; 3] = [DataType::F64, DataType::String, DataType::Bool];

fn body(encode: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut Writer::new(&mut out));
    out
}

macro_rules! again {
    ($kind:ty) => {
        |bytes| <$kind>::decode(bytes).map(|value| body(|out| value.encode(out)))
    };
    ($kind:ty, $types:expr) => {
        |bytes| <$kind>::decode(bytes, $types).map(|value| body(|out| value.encode(out)))
    };
}

type Again = fn(&[u8]) -> Result<Vec<u8>, Error>;

fn request(opcode: Opcode, encode: impl FnOnce(&mut Writer<'_>), again: Again) -> Sample {
    sample(format!("{opcode}_request"), Header::request(opcode, 7, 250), encode, again)
}

fn reply(opcode: Opcode, encode: impl FnOnce(&mut Writer<'_>), again: Again) -> Sample {
    let header = Header::request(opcode, 7, 250).reply(CallStatus::Ok);
    sample(format!("{opcode}_reply"), header, encode, again)
}

fn sample(
    name: String,
    header: Header,
    encode: impl FnOnce(&mut Writer<'_>),
    again: Again,
) -> Sample {
    let mut frame = Vec::new();
    frame::write(&mut frame, header, encode).expect("samples are short");
    Sample { name, frame, again }
}

/// All of them.
pub(crate) fn all() -> Vec<Sample> {
    let mut samples = cold();
    samples.extend(definitions());
    samples.extend(reads());
    samples.extend(writes());
    samples.extend(exports());
    samples
}
/// An export.
fn exports() -> Vec<Sample> {
    let export = ExportReply {
        directory: "/srv/larder/exports/nightly".into(),
        lsn: Some(77),
        definitions_version: 3,
        took_ms: 850,
        file_count: 1,
        rows: 1_000_000,
        bytes: 412_000_256,
        files: vec![ExportedFile {
            group: "profile".into(),
            path: "profile/part-00000.parquet".into(),
            rows: 1_000_000,
            bytes: 412_000_256,
            checksum: 0x0102_0304_0506_0708,
        }],
    };
    vec![
        request(
            Opcode::Export,
            |out| {
                ExportRequest {
                    name: "nightly",
                    format: ExportFormat::Parquet,
                    groups: vec!["profile"],
                    as_of: Some(1_767_225_600_000),
                    partials: true,
                }
                .encode(out);
            },
            again!(ExportRequest<'_>),
        ),
        reply(Opcode::Export, |out| export.encode(out), again!(ExportReply)),
    ]
}

fn cold() -> Vec<Sample> {
    let hello = HelloReply {
        protocol: 1,
        server: "larder 0.1.0".into(),
        catalog_version: 3,
        frame_bytes_max: 16 * 1024 * 1024,
        in_flight_max: 128,
    };
    let failure = Failure {
        status: CallStatus::AsOfTooOld,
        detail: 1_237_714_200_000,
        message: "as-of 5 is before the floor".into(),
    };
    let stats = StatsReply {
        figures: vec![
            ("wal_bytes_written".into(), StatValue::U64(4096)),
            ("clock_offset_ms".into(), StatValue::I64(-3)),
            ("load_ratio".into(), StatValue::F64(0.5)),
            ("wal_sync_policy".into(), StatValue::Text("always".into())),
        ],
    };
    let checkpoint = CheckpointReply {
        number: 3,
        lsn: 77,
        entities: 1_000_000,
        bytes: 412_000_256,
        took_ms: 850,
        segments_removed: 4,
        backup: Some("/srv/larder/backups/nightly".into()),
    };
    let empty: Again = |bytes| ping::decode(bytes).map(|()| Vec::new());
    let failed = Header::request(Opcode::Read, 7, 0).reply(failure.status);
    vec![
        request(
            Opcode::Hello,
            |out| hello_request(1, "", "").encode(out),
            again!(HelloRequest<'_>),
        ),
        request(
            Opcode::Hello,
            |out| hello_request(2, "larder_0123456789", "fraud-prevention").encode(out),
            again!(HelloRequest<'_>),
        )
        .called("hello_request_2"),
        reply(Opcode::Hello, |out| hello.encode(out), again!(HelloReply)),
        request(Opcode::Ping, |_| {}, empty),
        reply(Opcode::Ping, |_| {}, empty),
        request(Opcode::Stats, |_| {}, empty),
        reply(Opcode::Stats, |out| stats.encode(out), again!(StatsReply)),
        request(
            Opcode::Checkpoint,
            |out| CheckpointRequest { backup: Some("nightly") }.encode(out),
            again!(CheckpointRequest<'_>),
        ),
        reply(Opcode::Checkpoint, |out| checkpoint.encode(out), again!(CheckpointReply)),
        sample(
            "failure_reply".into(),
            failed,
            |out| failure.encode(out),
            |bytes| {
                let failure = Failure::decode(CallStatus::AsOfTooOld, bytes)?;
                Ok(body(|out| failure.encode(out)))
            },
        ),
    ]
}

fn hello_request<'a>(protocol: u16, token: &'a str, purpose: &'a str) -> HelloRequest<'a> {
    HelloRequest { protocol, client: "larder-client 0.1.0", token, purpose }
}

fn definitions() -> Vec<Sample> {
    let text = "[entity.card]\nkey = \"string\"\n";
    let apply = ApplyRequest { file: "features.toml", definitions: text, dry_run: true };
    let applied = ApplyReply {
        version: 4,
        applied: false,
        changes: vec![AppliedChange {
            verb: Verb::Add,
            kind: "entity".into(),
            name: "card".into(),
            detail: String::new(),
        }],
    };
    let described = DescribeReply {
        sections: vec![Section {
            kind: "row group".into(),
            name: "card_profile".into(),
            properties: vec![("entity".into(), "card".into())],
            columns: vec![("country".into(), "string".into(), String::new())],
        }],
    };
    let target = Target::Features(vec!["card_profile:country".into(), "card_spend:*".into()]);
    let prepare = PrepareRequest { target: target.clone(), purpose: None };
    let purposeful = PrepareRequest { target, purpose: Some("fraud-prevention".into()) };
    vec![
        request(Opcode::Apply, |out| apply.encode(out), again!(ApplyRequest<'_>)),
        reply(Opcode::Apply, |out| applied.encode(out), again!(ApplyReply)),
        request(
            Opcode::Describe,
            |out| DescribeRequest { name: Some("card_profile") }.encode(out),
            again!(DescribeRequest<'_>),
        ),
        reply(Opcode::Describe, |out| described.encode(out), again!(DescribeReply)),
        request(Opcode::Prepare, |out| prepare.encode(out), again!(PrepareRequest)),
        request(Opcode::Prepare, |out| purposeful.encode(out), again!(PrepareRequest))
            .called("prepare_request_2"),
        reply(Opcode::Prepare, |out| prepared().encode(out), again!(Prepared)),
    ]
}

fn prepared() -> Prepared {
    let column =
        |(name, data_type): (&str, DataType)| PreparedColumn { name: name.to_owned(), data_type };
    let named = ["spend_1h", "country", "is_new"].into_iter().zip(TYPES);
    Prepared {
        handle: 0x0102_0304_0506_0708,
        catalog_version: 4,
        entities: vec![PreparedEntity {
            name: "card".into(),
            key: vec![KeyType::String, KeyType::I64],
        }],
        groups: vec!["card_spend".into(), "card_profile".into()],
        columns: named.map(column).collect(),
        derived: 1,
        request: vec![field("amount", DataType::Decimal(2))],
        event_time: None,
        event_id: Some(1),
    }
}

pub(crate) fn field(name: &str, data_type: DataType) -> Field {
    Field { name: Name::new(name).expect("valid"), data_type }
}

fn columns() -> Vec<Column> {
    let mut columns = TYPES.map(|data_type| Column::new(data_type, 2));
    columns[0].push(Status::Present, ValueRef::F64(12.5));
    columns[0].push_empty(Status::NotFound);
    columns[1].push(Status::Partial, ValueRef::String("CH"));
    columns[1].push(Status::Present, ValueRef::String("SE"));
    columns[2].push_empty(Status::Null);
    columns[2].push(Status::Present, ValueRef::Bool(true));
    columns.into()
}

fn reads() -> Vec<Sample> {
    let options = ReadOptions { as_of: Some(1_000), exclusive: true, snap: false, times: true };
    let mut row = Vec::new();
    let cells = [Cell::Value(ValueRef::Decimal(1250, 2))];
    write_row(&mut row, &[field("amount", DataType::Decimal(2))], cells).expect("types match");
    let read = ReadRequest {
        handle: 9,
        options,
        entities: 2,
        keys: [&b"c1"[..], b"m9", b"c2", b"m9"].into_iter().collect(),
        request_rows: vec![&row],
    };
    let times = ReadTimes {
        groups: vec![vec![990, i64::MIN]],
        window_starts: vec![900, i64::MIN, i64::MIN],
    };
    let whole = Columns::of(&columns()).expect("two rows each");
    let vectors = ReadReply { as_of: 1_000, snapped: true, columns: whole, times: Some(times) };
    let page = ScanReply {
        keys: vec![(*b"c1").into(), (*b"c22").into()],
        event_times: vec![990, i64::MIN],
        columns: columns(),
        next: Some(vec![0, 0, 0, 5]),
    };
    vec![
        request(Opcode::Read, |out| read.encode(out), again!(ReadRequest<'_>)),
        reply(Opcode::Read, |out| vectors.encode(out), again!(ReadReply, &TYPES)),
        request(
            Opcode::Scan,
            |out| ScanRequest { handle: 9, cursor: &[0, 0, 0, 4], limit: 2 }.encode(out),
            again!(ScanRequest<'_>),
        ),
        reply(Opcode::Scan, |out| page.encode(out), again!(ScanReply, &TYPES)),
    ]
}

fn writes() -> Vec<Sample> {
    let options = WriteOptions { sync: Some(SyncLevel::Durable), producer: 0xab, sequence: 3 };
    let receipt = Receipt { lsn: 77, level: SyncLevel::Durable, repeated: false };
    let reject = |kind| Reject { index: 1, kind, reason: "amount: too large".into() };
    let rows = vec![
        PutRow { key: b"c1", event_time: Some(1_000), row: &[2, 1] },
        PutRow { key: b"c2", event_time: None, row: &[0] },
    ];
    let put = PutRequest { handle: 9, options, features: 1, rows };
    let put_reply = PutReply {
        receipt,
        applied: 1,
        stale: 0,
        rejected: 1,
        rejects: vec![reject(RejectKind::Rejected)],
    };
    let push = PushRequest { handle: 9, options, fields: 2, events: vec![&[0], &[2, 5]] };
    let push_reply = PushReply {
        receipt,
        accepted: 1,
        duplicate: 0,
        late: 1,
        rejected: 0,
        rejects: vec![reject(RejectKind::Late)],
    };
    let delete = DeleteRequest { handle: 9, options, keys: vec![b"c1", b"c2"] };
    let delete_reply = DeleteReply { receipt, deleted: 2, rejected: 0, rejects: Vec::new() };
    let retract = RetractRequest { handle: 9, options, fields: 2, events: vec![&[2, 7], &[2, 5]] };
    let retract_reply = RetractReply {
        receipt,
        retracted: 1,
        late: 0,
        rejected: 1,
        rejects: vec![reject(RejectKind::Rejected)],
    };
    vec![
        request(Opcode::Put, |out| put.encode(out), again!(PutRequest<'_>)),
        reply(Opcode::Put, |out| put_reply.encode(out), again!(PutReply)),
        request(Opcode::Push, |out| push.encode(out), again!(PushRequest<'_>)),
        reply(Opcode::Push, |out| push_reply.encode(out), again!(PushReply)),
        request(Opcode::Delete, |out| delete.encode(out), again!(DeleteRequest<'_>)),
        reply(Opcode::Delete, |out| delete_reply.encode(out), again!(DeleteReply)),
        request(Opcode::Retract, |out| retract.encode(out), again!(RetractRequest<'_>)),
        reply(Opcode::Retract, |out| retract_reply.encode(out), again!(RetractReply)),
    ]
}
