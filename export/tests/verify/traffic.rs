//! Writers and readers on many threads: events late, repeated, retried and retracted; rows, deletes; reads at all kinds of moments.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::{
    Database, OsFs, ProducerId, PushRequest, PutRequest, PutRowRequest, ReadOptions,
    RetractRequest, WriteOptions,
};
use export::reads::ReadSample;
use model::definition::Field;
use model::key::EntityKey;
use model::packed_row::{Cell, write_row};
use model::value::{Floats, ValueRef};
use stdx::clock::{Clock, ManualClock};
use stdx::prng::Prng;

use crate::world::read;

const USERS: u64 = 12;
const SHOPS: u64 = 4;

/// Writes and reads until somebody says that it is over.
pub(crate) struct Traffic<'a> {
    pub(crate) database: &'a Database<OsFs>,
    pub(crate) clock: &'a ManualClock,
    pub(crate) seed: u64,
    /// Writes so far.
    pub(crate) writes: AtomicUsize,
    /// Writers that go on.
    pub(crate) writers: AtomicUsize,
    pub(crate) samples: Mutex<Vec<ReadSample>>,
}

impl Traffic<'_> {
    /// The writers and as many readers, so many operations each; `beside` runs beside them.
    pub(crate) fn run(&self, operations: usize, beside: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            for number in 0..self.writers.load(Ordering::Acquire) as u64 {
                let writer = Writer::new(self, number);
                scope.spawn(move || writer.run(operations));
                scope.spawn(move || self.reads(number, operations / 2));
            }
            scope.spawn(beside);
        });
    }

    /// Waits until there were so many writes.
    pub(crate) fn wait_for(&self, count: usize) {
        while self.writes.load(Ordering::Acquire) < count {
            let is_over = self.writers.load(Ordering::Acquire) == 0;
            assert!(!is_over || self.writes.load(Ordering::Acquire) >= count, "they ended before");
            std::thread::yield_now();
        }
    }

    fn reads(&self, number: u64, reads: usize) {
        let mut prng = Prng::stream(self.seed, &format!("reader {number}"));
        let mut plan = self.database.plan_service("offer").expect("it is defined");
        for _ in 0..reads {
            let mut keys = Vec::new();
            for _ in 0..=prng.below(4) {
                keys.push(user(&mut prng).into_bytes());
                let shop = format!("{}|{}", shop(&mut prng), prng.below(3));
                let kinds = [model::key::KeyType::String, model::key::KeyType::I64];
                let shop = EntityKey::parse(&shop, &kinds).expect("a key");
                keys.push(shop.as_bytes().to_vec());
            }
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            let now = self.clock.wall_ms();
            let as_of = match prng.below(4) {
                0 => Some(now - prng.between(0, 25_000)),
                1 => Some(now - prng.between(0, 200_000)),
                2 => Some(now + prng.between(0, 5_000)),
                _ => None,
            };
            let (exclusive, snap) = (prng.chance(0.4), prng.chance(0.7));
            let options = ReadOptions { as_of, exclusive, snap, times: false };
            let mut row = Vec::new();
            let amount =
                [1.5, -0.0, f64::MIN_POSITIVE][usize::try_from(prng.below(3)).expect("small")];
            let request = plan.request_fields().to_vec();
            if !request.is_empty() {
                let cells = [Cell::Value(ValueRef::F64(amount)), Cell::Null];
                write_row(&mut row, &request, cells).expect("types match");
            }
            let sample = read(self.database, &mut plan, &keys, options, &row);
            self.samples.lock().expect("nobody panics").extend(sample);
        }
    }
}

fn user(prng: &mut Prng) -> String {
    // Some are read and written far more often.
    format!("u{}", prng.below(USERS).min(prng.below(USERS)))
}

fn shop(prng: &mut Prng) -> String {
    format!("s{}", prng.below(SHOPS))
}

struct Writer<'a> {
    traffic: &'a Traffic<'a>,
    prng: Prng,
    producer: u128,
    sequence: u64,
    /// Orders that were pushed, to be retracted.
    pushed: Vec<Vec<u8>>,
}

/// However it ends.
impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.traffic.writers.fetch_sub(1, Ordering::Release);
    }
}

impl<'a> Writer<'a> {
    fn new(traffic: &'a Traffic<'a>, number: u64) -> Self {
        let prng = Prng::stream(traffic.seed, &format!("writer {number}"));
        let producer = u128::from(traffic.seed) << 8 | u128::from(number + 1);
        Self { traffic, prng, producer, sequence: 0, pushed: Vec::new() }
    }

    /// Ends early when the database does.
    fn run(mut self, operations: usize) {
        for _ in 0..operations {
            let done = match self.prng.below(100) {
                0..55 => self.orders(),
                55..75 => self.clicks(),
                75..83 => self.retract(),
                83..95 => self.put(),
                _ => self.delete(),
            };
            if done.is_none() {
                return;
            }
            self.traffic.writes.fetch_add(1, Ordering::Release);
            let ms = u32::try_from(self.prng.below(60)).expect("small");
            self.traffic.clock.advance_ms(ms);
        }
    }

    fn options(&mut self) -> WriteOptions {
        self.sequence += 1;
        WriteOptions { producer: ProducerId(self.producer), sequence: self.sequence, sync: None }
    }

    fn orders(&mut self) -> Option<()> {
        let (index, fields) = self.stream("orders");
        let now = self.traffic.clock.wall_ms();
        let count = self.prng.below(4) + 1;
        let rows: Vec<_> = (0..count)
            .map(|_| {
                let at = match self.prng.below(10) {
                    0 => now + self.prng.between(0, 4_000),
                    1 => now - self.prng.between(0, 900_000),
                    2..5 => now - self.prng.between(0, 60_000),
                    _ => now - self.prng.between(0, 500),
                };
                let (order, user) = (self.prng.below(3000).to_string(), user(&mut self.prng));
                let shop = shop(&mut self.prng);
                let weight = self.prng.below(1000) as f64 / 8.0;
                let cells = [
                    Cell::Value(ValueRef::String(&order)),
                    Cell::Value(ValueRef::String(&user)),
                    Cell::Value(ValueRef::String(&shop)),
                    Cell::Value(ValueRef::I64(self.prng.between(0, 2))),
                    Cell::Value(ValueRef::Decimal(self.prng.between(-5_000, 20_000), 2)),
                    // The group that comes later divides by it, and could not hold an event of weight 0.
                    Cell::Value(ValueRef::F64(weight)),
                    Cell::Value(ValueRef::Timestamp(at)),
                ];
                pack(&fields, &cells)
            })
            .collect();
        self.push(index, fields.len(), &rows)?;
        self.pushed.extend(rows);
        Some(())
    }

    fn clicks(&mut self) -> Option<()> {
        let (index, fields) = self.stream("clicks");
        let now = self.traffic.clock.wall_ms();
        let rows: Vec<_> = (0..=self.prng.below(3))
            .map(|_| {
                let (user, page) = (user(&mut self.prng), format!("p{}", self.prng.below(9)));
                let page = if self.prng.chance(0.1) { None } else { Some(page.as_str()) };
                let mut cells = vec![
                    Cell::Value(ValueRef::String(&user)),
                    page.map_or(Cell::Null, |page| Cell::Value(ValueRef::String(page))),
                    Cell::Value(ValueRef::Timestamp(now - self.prng.between(0, 3_000))),
                ];
                cells.resize(fields.len(), Cell::Value(ValueRef::I64(7)));
                pack(&fields, &cells)
            })
            .collect();
        self.push(index, fields.len(), &rows)
    }

    /// Pushes, and now and then again: the answer was lost.
    fn push(&mut self, stream: usize, fields: usize, rows: &[Vec<u8>]) -> Option<()> {
        let options = self.options();
        let events = rows.iter().map(Vec::as_slice).collect();
        let request = PushRequest { stream, fields, events };
        self.traffic.database.push(&request, &options).ok()?;
        if self.prng.chance(0.1) {
            let again = self.traffic.database.push(&request, &options).ok()?;
            assert!(again.repeated, "it was applied before");
        }
        Some(())
    }

    fn retract(&mut self) -> Option<()> {
        let (stream, fields) = self.stream("orders");
        if self.pushed.is_empty() {
            return Some(());
        }
        let newest = self.pushed.len().saturating_sub(8) as u64;
        let place = newest + self.prng.below(self.pushed.len() as u64 - newest);
        let row = self.pushed.get(usize::try_from(place).ok()?)?.clone();
        let options = self.options();
        let request = RetractRequest { stream, fields: fields.len(), events: vec![&row] };
        self.traffic.database.retract(&request, &options).ok().map(drop)
    }

    fn put(&mut self) -> Option<()> {
        let (_, definitions) = self.traffic.database.definitions();
        let (group, definition) = definitions.group("profile")?;
        let features = definition.columns();
        let vector = [if self.prng.chance(0.5) { 0.1 } else { f32::MIN_POSITIVE }, -0.0];
        let country = format!("c{}", self.prng.below(5));
        let mut cells = vec![
            Cell::Value(ValueRef::String(&country)),
            Cell::Value(ValueRef::F64(self.prng.unit())),
            Cell::Value(ValueRef::Vector(Floats::Native(&vector))),
        ];
        for cell in &mut cells {
            match self.prng.below(5) {
                0 => *cell = Cell::Null,
                1 => *cell = Cell::Absent,
                _ => {}
            }
        }
        cells.truncate(features.len());
        cells.resize(features.len(), Cell::Value(ValueRef::I64(3)));
        if cells.iter().all(|cell| matches!(cell, Cell::Absent)) {
            return Some(());
        }
        let row = pack(&features, &cells);
        let now = self.traffic.clock.wall_ms();
        let event_time = self.prng.chance(0.7).then(|| now - self.prng.between(-3_000, 90_000));
        let (key, options) = (user(&mut self.prng), self.options());
        let rows = vec![PutRowRequest { key: key.as_bytes(), event_time, row: &row }];
        let request = PutRequest { group, features: features.len(), rows };
        self.traffic.database.put(&request, &options).ok().map(drop)
    }

    fn delete(&mut self) -> Option<()> {
        let group = ["profile", "buying", "clicking"][usize::try_from(self.prng.below(3)).ok()?];
        let group = self.traffic.database.group_index(group).ok()?;
        let (key, options) = (user(&mut self.prng), self.options());
        self.traffic.database.delete(group, &[key.as_bytes()], &options).ok().map(drop)
    }

    fn stream(&self, name: &str) -> (usize, Vec<Field>) {
        let (_, definitions) = self.traffic.database.definitions();
        let (index, stream) = definitions.stream(name).expect("it is defined");
        (index, stream.fields.clone())
    }
}

fn pack(fields: &[Field], cells: &[Cell<'_>]) -> Vec<u8> {
    let mut row = Vec::new();
    write_row(&mut row, fields, cells.iter().copied()).expect("types match");
    row
}
