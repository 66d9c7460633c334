//! A request from bytes: its operation's code, then its body. What decodes is encoded as it came, and asked of a database.

use engine::{
    Database, ProducerId, PushRequest, PutRequest, PutRowRequest, ReadOptions, ReadRequest,
    RetractRequest, ScanCursor, WriteOptions,
};
use protocol::{
    ApplyRequest, CheckpointRequest, DeleteRequest, DescribeRequest, ExportRequest, Failure,
    HelloRequest, Opcode, PrepareRequest, ReadOptions as WireOptions, Target, op::ping,
};
use stdx::cursor::Writer;
use storage::fs::SimFs;

use crate::base;

/// What clients call a handle stands for one of these, by its lowest bits.
const READS: [&str; 4] = ["profile:visits", "profile:*", "clicking:*", "profile:*,clicking:*"];

fn again(encode: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut Writer::new(&mut out));
    out
}

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let Some((&code, body)) = input.split_first() else { return };
    let Some(opcode) = Opcode::from_code(code) else { return };
    let same = match opcode {
        // Later protocols add to it.
        Opcode::Hello => HelloRequest::decode(body).ok().map(|_| body.to_vec()),
        Opcode::Ping => ping::decode(body).ok().map(|()| Vec::new()),
        Opcode::Apply => {
            ApplyRequest::decode(body).ok().map(|asked| again(|out| asked.encode(out)))
        }
        Opcode::Describe => {
            DescribeRequest::decode(body).ok().map(|asked| again(|out| asked.encode(out)))
        }
        Opcode::Prepare => PrepareRequest::decode(body).ok().map(|_| body.to_vec()),
        Opcode::Checkpoint => {
            CheckpointRequest::decode(body).ok().map(|asked| again(|out| asked.encode(out)))
        }
        Opcode::Export => {
            ExportRequest::decode(body).ok().map(|asked| again(|out| asked.encode(out)))
        }
        Opcode::Stats => None,
        Opcode::Read
        | Opcode::Put
        | Opcode::Push
        | Opcode::Delete
        | Opcode::Scan
        | Opcode::Retract => None,
    };
    if let Some(same) = same {
        assert_eq!(same, body, "{opcode}: it is encoded in another way");
    }
    let _ = Failure::decode(protocol::CallStatus::Invalid, body);
    let fs = base::defined();
    let database = base::open(&fs).expect("it opens");
    ask(&database, opcode, body);
    let before = database.digest().expect("whole");
    assert!(!database.is_torn());
    base::flush(&database).expect("a healthy disk");
    drop(database);
    fs.kill();
    let after = base::open(&fs).expect("it opens again").digest().expect("whole");
    assert_eq!(before, after, "{opcode}: a restart brings something else back");
}

/// What a server does with a request, as far as the engine sees it.
fn ask(database: &Database<SimFs>, opcode: Opcode, body: &[u8]) {
    match opcode {
        Opcode::Read => drop(read(database, body)),
        Opcode::Put => {
            let Ok(asked) = protocol::PutRequest::decode(body) else { return };
            let row =
                |row: &protocol::PutRow<'_>| (row.key.to_vec(), row.event_time, row.row.to_vec());
            let rows: Vec<_> = asked.rows.iter().map(row).collect();
            let rows = rows.iter().map(|(key, event_time, row)| PutRowRequest {
                key,
                event_time: *event_time,
                row,
            });
            let put = PutRequest {
                group: index(asked.handle, 2),
                features: usize::from(asked.features),
                rows: rows.collect(),
            };
            let _ = database.put(&put, &options(asked.options));
        }
        Opcode::Push => {
            let Ok(asked) = protocol::PushRequest::decode(body) else { return };
            let push = PushRequest {
                stream: index(asked.handle, 1),
                fields: usize::from(asked.fields),
                events: asked.events,
            };
            let _ = database.push(&push, &options(asked.options));
        }
        Opcode::Retract => {
            let Ok(asked) = protocol::RetractRequest::decode(body) else { return };
            let retract = RetractRequest {
                stream: index(asked.handle, 1),
                fields: usize::from(asked.fields),
                events: asked.events,
            };
            let _ = database.retract(&retract, &options(asked.options));
        }
        Opcode::Delete => {
            let Ok(asked) = DeleteRequest::decode(body) else { return };
            let _ = database.delete(index(asked.handle, 2), &asked.keys, &options(asked.options));
        }
        Opcode::Scan => {
            let Ok(asked) = protocol::ScanRequest::decode(body) else { return };
            let plan = database.plan_features(&["profile:*"]).expect("it is defined");
            let _ = database.scan(&plan, ScanCursor::default(), asked.limit as usize);
        }
        Opcode::Prepare => match PrepareRequest::decode(body).map(|asked| asked.target) {
            Ok(Target::Service(name)) => drop(database.plan_service(&name)),
            Ok(Target::Features(names)) => {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                drop(database.plan_features(&names));
            }
            Ok(Target::Group(name)) => drop(database.group_index(&name)),
            Ok(Target::Stream(name)) => drop(database.stream_index(&name)),
            Err(_) => {}
        },
        Opcode::Apply => {
            let Ok(asked) = ApplyRequest::decode(body) else { return };
            let _ = database.apply(asked.file, asked.definitions, asked.dry_run);
        }
        Opcode::Describe => {
            let Ok(asked) = DescribeRequest::decode(body) else { return };
            let _ = database.describe(asked.name);
        }
        Opcode::Hello | Opcode::Ping | Opcode::Stats | Opcode::Checkpoint | Opcode::Export => {}
    }
}

fn read(database: &Database<SimFs>, body: &[u8]) -> Option<engine::Vectors> {
    let asked = protocol::ReadRequest::decode(body).ok()?;
    let features: Vec<_> = READS[index(asked.handle, READS.len())].split(',').collect();
    let plan = database.plan_features(&features).expect("it is defined");
    let WireOptions { as_of, exclusive, snap, times } = asked.options;
    let options = ReadOptions { as_of, exclusive, snap, times };
    let request = ReadRequest { keys: &asked.keys, request_rows: &asked.request_rows, options };
    database.read(&plan, &request).ok()
}

/// Handles are the server's: here, any number is one of few.
fn index(handle: u64, bound: usize) -> usize {
    usize::try_from(handle % bound as u64).unwrap_or(0)
}

fn options(options: protocol::WriteOptions) -> WriteOptions {
    WriteOptions { producer: ProducerId(options.producer), sequence: options.sequence, sync: None }
}

/// One request of each operation that has a body.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let key = b"\x02user-1".as_slice();
    let write = protocol::WriteOptions { producer: 5, sequence: 1, ..Default::default() };
    let row = [&[0b10][..], &7_i64.to_le_bytes()].concat();
    let event = [
        &[0b10_1010][..],
        &2_u32.to_le_bytes(),
        b"e1",
        &6_u32.to_le_bytes(),
        b"user-1",
        &1_767_225_600_000_i64.to_le_bytes(),
    ]
    .concat();
    let seed = |opcode: Opcode, encode: &dyn Fn(&mut Writer<'_>)| {
        [&[opcode.code()][..], &again(|out| encode(out))].concat()
    };
    let target = |target: Target| {
        seed(Opcode::Prepare, &|out| {
            PrepareRequest { target: target.clone(), purpose: None }.encode(out)
        })
    };
    vec![
        seed(Opcode::Hello, &|out| {
            out.u16(1).block(b"fuzz");
        }),
        seed(Opcode::Describe, &|out| DescribeRequest { name: Some("profile") }.encode(out)),
        target(Target::Service("none".into())),
        target(Target::Features(vec!["profile:visits".into(), "clicking:*".into()])),
        target(Target::Group("clicking".into())),
        target(Target::Stream("clicks".into())),
        seed(Opcode::Read, &|out| {
            let keys = [b"user-1".as_slice(), b"user-2"].into_iter().collect();
            let options =
                WireOptions { as_of: Some(1_767_225_600_000), snap: true, ..Default::default() };
            protocol::ReadRequest {
                handle: 3,
                options,
                entities: 1,
                keys,
                request_rows: Vec::new(),
            }
            .encode(out);
        }),
        seed(Opcode::Put, &|out| {
            let rows = vec![protocol::PutRow { key: b"user-1", event_time: Some(5), row: &row }];
            protocol::PutRequest { handle: 0, options: write, features: 1, rows }.encode(out);
        }),
        seed(Opcode::Push, &|out| {
            protocol::PushRequest { handle: 0, options: write, fields: 3, events: vec![&event] }
                .encode(out);
        }),
        seed(Opcode::Retract, &|out| {
            protocol::RetractRequest { handle: 0, options: write, fields: 3, events: vec![&event] }
                .encode(out);
        }),
        seed(Opcode::Delete, &|out| {
            DeleteRequest { handle: 0, options: write, keys: vec![key, b"user-1"] }.encode(out);
        }),
        seed(Opcode::Scan, &|out| {
            protocol::ScanRequest { handle: 0, cursor: b"", limit: 10 }.encode(out);
        }),
        seed(Opcode::Checkpoint, &|out| CheckpointRequest { backup: Some("nightly") }.encode(out)),
        [&[Opcode::Ping.code()][..], b""].concat(),
    ]
}
