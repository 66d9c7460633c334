//! A live database that is written and read, and a note of all that was accepted, in order.

use std::sync::Arc;

use engine::{
    Config, Database, ProducerId, PushRequest, PutRequest, PutRowRequest, ReadOptions, ReadRequest,
    RetractRequest, SyncPolicy, WriteOptions,
};
use model::{
    columns::Columns,
    packed_row::{Cell, write_row},
    value::Value,
};
use stdx::clock::ManualClock;
use storage::fs::SimFs;

use crate::workload::Event;

pub(crate) const START: i64 = 1_767_225_600_000;

/// Something that happened, at its place in the order of all.
#[derive(Debug)]
pub(crate) enum Happened {
    /// An event arrived: who sent it, when, and what became of it (`None`: accepted).
    Event { event: Event, sequence: u64, wall_ms: i64, refused: Option<engine::RejectKind> },
    /// An event was taken back.
    Retracted { event: Event },
    /// A row was put.
    Put { key: String, time: i64, row: Vec<u8> },
    /// An entity was deleted from a group.
    Deleted { group: usize, key: String },
    /// A vector was read.
    Read { key: String, options: ReadOptions, wall_ms: i64, snapped: bool, columns: Columns },
}

/// See the module.
pub(crate) struct Live {
    pub(crate) database: Database<SimFs>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) happened: Vec<Happened>,
    sequence: u64,
}

impl Live {
    pub(crate) fn start(definitions: &str) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let config = Config { sync: SyncPolicy::Memory, seed: 5, ..Config::default() };
        let database = Database::open(SimFs::new(), &config, clock.clone()).expect("opens");
        database.apply("case.toml", definitions, false).expect("valid definitions");
        Self { database, clock, happened: Vec::new(), sequence: 0 }
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        use stdx::clock::Clock;
        self.clock.wall_ms()
    }

    fn options(&mut self) -> WriteOptions {
        self.sequence += 1;
        WriteOptions { producer: ProducerId(9), sequence: self.sequence, sync: None }
    }

    pub(crate) fn push(&mut self, events: Vec<Event>) {
        let options = self.options();
        let packed: Vec<_> = events.iter().map(|event| self.packed(event)).collect();
        let fields = events.first().map_or(0, |event| event.fields.len());
        let request =
            PushRequest { stream: 0, fields, events: packed.iter().map(Vec::as_slice).collect() };
        let written = self.database.push(&request, &options).expect("taken");
        let (sequence, wall_ms) = (options.sequence, self.wall_ms());
        for (index, event) in (0..).zip(events) {
            let refused = written.rejects.iter().find(|reject| reject.index == index);
            let refused = refused.map(|reject| reject.kind);
            self.happened.push(Happened::Event { event, sequence, wall_ms, refused });
        }
    }

    pub(crate) fn retract(&mut self, event: Event) {
        let options = self.options();
        let packed = self.packed(&event);
        let request =
            RetractRequest { stream: 0, fields: event.fields.len(), events: vec![&packed] };
        let written = self.database.retract(&request, &options).expect("taken");
        if written.rejects.is_empty() {
            self.happened.push(Happened::Retracted { event });
        }
    }

    pub(crate) fn put(
        &mut self,
        group: usize,
        key: &str,
        time: i64,
        cells: &[Option<Option<Value>>],
    ) {
        let (_, definitions) = self.database.definitions();
        let fields = definitions.groups[group].columns();
        let mut row = Vec::new();
        let cells = cells.iter().map(|given| match given {
            None => Cell::Absent,
            Some(None) => Cell::Null,
            Some(Some(value)) => Cell::Value(value.borrow()),
        });
        write_row(&mut row, &fields, cells).expect("types match");
        let rows = vec![PutRowRequest { key: key.as_bytes(), event_time: Some(time), row: &row }];
        let options = self.options();
        let request = PutRequest { group, features: fields.len(), rows };
        let written = self.database.put(&request, &options).expect("taken");
        if written.outcome.rejected == 0 {
            self.happened.push(Happened::Put { key: key.to_owned(), time, row });
        }
    }

    pub(crate) fn delete(&mut self, group: usize, key: &str) {
        let options = self.options();
        self.database.delete(group, &[key.as_bytes()], &options).expect("taken");
        self.happened.push(Happened::Deleted { group, key: key.to_owned() });
    }

    /// Reads the vector of service `v`; an as-of that is too old is not noted.
    pub(crate) fn read(&mut self, key: &str, options: ReadOptions, request_row: &[u8]) {
        let plan = self.database.plan_service("v").expect("defined");
        let request =
            ReadRequest { keys: &[key.as_bytes()], request_rows: &[request_row], options };
        match self.database.read(&plan, &request) {
            Ok(vectors) => {
                let (wall_ms, snapped) = (self.wall_ms(), vectors.snapped);
                let (key, columns) = (key.to_owned(), vectors.columns);
                self.happened.push(Happened::Read { key, options, wall_ms, snapped, columns });
            }
            Err(engine::Error::AsOfTooOld { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn packed(&self, event: &Event) -> Vec<u8> {
        let (_, definitions) = self.database.definitions();
        let mut row = Vec::new();
        let cells = event.fields.iter().map(|value| match value {
            None => Cell::Null,
            Some(value) => Cell::Value(value.borrow()),
        });
        write_row(&mut row, &definitions.streams[0].fields, cells).expect("types match");
        row
    }
}
