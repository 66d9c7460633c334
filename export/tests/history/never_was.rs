//! In order of events a history gives what its events would give without those that were taken back or deleted later, as files: kept
//! in memory, or spilled with what undoes them.

use std::fmt::Write;

use engine::WriteOptions;
use export::replay::{ReplayOptions, ReplayOrder};
use stdx::prng::Prng;

use crate::harness::{LAZY, Place, START, Writer, apply};
use crate::replays::{DEFINITIONS, Given, Served, replay};

const CARDS: u64 = 40;

/// An event or row that was accepted, and nothing has undone so far.
struct Kept {
    card: String,
    /// Id, amount and time, or event time, country and score.
    cells: [String; 3],
}

/// What a server took, and what is left of it.
struct World<'d> {
    writer: Writer<'d>,
    random: Prng,
    events: Vec<Kept>,
    rows: Vec<Kept>,
    next_id: usize,
    retracted: usize,
}

impl World<'_> {
    fn card(&mut self) -> String {
        format!("c{}", self.random.below(CARDS))
    }

    /// Many events of few moments: ids alone tell some of them apart.
    fn push(&mut self, now: i64) {
        let mut events = Vec::new();
        for _ in 0..600 {
            let time = now - i64::try_from(self.random.below(200)).expect("small");
            let (id, amount) = (self.next_id.to_string(), format!("{}.25", self.random.below(90)));
            self.next_id += 1;
            events.push(Kept { card: self.card(), cells: [id, amount, time.to_string()] });
        }
        let rows: Vec<[&str; 4]> = events.iter().map(event).collect();
        let rows: Vec<&[&str]> = rows.iter().map(<[&str; 4]>::as_slice).collect();
        let written = self.writer.push("payments", &rows, now);
        assert!(written.rejects.is_empty(), "{:?}", written.rejects);
        self.events.append(&mut events);
    }

    /// Takes some of the newest back, and some of them pushes again with another amount.
    fn retract(&mut self, now: i64) {
        let (mut gone, newest) = (Vec::new(), self.events.len().saturating_sub(600));
        for _ in 0..self.events.len().min(400) {
            let back = self.random.below((self.events.len() - newest) as u64);
            let place = newest + usize::try_from(back).expect("small");
            gone.push(self.events.swap_remove(place));
        }
        let rows: Vec<[&str; 4]> = gone.iter().map(event).collect();
        let rows: Vec<&[&str]> = rows.iter().map(<[&str; 4]>::as_slice).collect();
        self.writer.retract("payments", &rows);
        self.retracted += gone.len();
        gone.truncate(gone.len() / 4);
        for event in &mut gone {
            event.cells[1] = "1.5".to_owned();
        }
        let rows: Vec<[&str; 4]> = gone.iter().map(event).collect();
        let rows: Vec<&[&str]> = rows.iter().map(<[&str; 4]>::as_slice).collect();
        let written = self.writer.push("payments", &rows, now);
        assert!(written.rejects.is_empty(), "{:?}", written.rejects);
        self.events.append(&mut gone);
    }

    fn put(&mut self, now: i64) {
        let (card, score) = (self.card(), self.random.below(1000).to_string());
        let time = now - i64::try_from(self.random.below(5000)).expect("small");
        self.writer.put("profile", &[(&card, time, &["CH", &score])]);
        self.rows.push(Kept { card, cells: [time.to_string(), "CH".to_owned(), score] });
    }

    fn delete(&mut self, group: &str) {
        let card = self.card();
        let (_, definitions) = self.writer.database.definitions();
        let (index, _) = definitions.group(group).expect("defined");
        let options = WriteOptions::default();
        let deleted = self.writer.database.delete(index, &[card.as_bytes()], &options);
        deleted.expect("deleted").ticket.wait().expect("synced");
        let kept = if group == "spend" { &mut self.events } else { &mut self.rows };
        kept.retain(|it| it.card != card);
    }

    /// What is left, as files.
    fn files(&self) -> (String, String) {
        let mut events = "id,card,amount,ts\n".to_owned();
        for Kept { card, cells: [id, amount, time] } in &self.events {
            writeln!(events, "{id},{card},{amount},{time}").expect("a string grows");
        }
        let mut rows = "card,event_time,country,score\n".to_owned();
        for Kept { card, cells: [time, country, score] } in &self.rows {
            writeln!(rows, "{card},{time},{country},{score}").expect("a string grows");
        }
        (events, rows)
    }
}

fn event(kept: &Kept) -> [&str; 4] {
    let [id, amount, time] = &kept.cells;
    [id, &kept.card, amount, time]
}

#[test]
fn in_order_of_events_what_was_undone_never_was() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(3);
    println!("LARDER_SEED={seed}");
    let place = Place::new();
    let database = place.open();
    apply(&database, DEFINITIONS);
    let mut follower = place.follow(&database, LAZY);
    let (writer, random) = (Writer::new(&place, &database, 1), Prng::stream(seed, "never was"));
    let (events, rows) = (Vec::new(), Vec::new());
    let mut world = World { writer, random, events, rows, next_id: 0, retracted: 0 };
    let mut now = START;
    for _ in 0..60 {
        now += 500;
        place.clock.advance_ms(500);
        world.push(now);
        world.retract(now);
        (0..3).for_each(|_| world.put(now));
        world.delete("spend");
        world.delete("profile");
    }
    place.catch_up(&database, &mut follower);
    let mut spine = Served::new();
    for number in 0..4_000_i64 {
        spine.push((world.card(), START + number % 400 * 80, Vec::new()));
    }
    let options = ReplayOptions {
        order: ReplayOrder::Event { delay_ms: 0 },
        observed_since: Some(START - 60_000),
        ..ReplayOptions::default()
    };
    let (events, rows) = world.files();
    let left =
        Given { has_history: false, events: Some(&events), rows: Some(&rows), ..Given::HISTORY };
    let (_, expected) = replay(&place, &spine, &options, &left);
    assert!(world.retracted > 10_000 && world.events.len() > 3_000, "{}", world.events.len());
    for (partition_bits, memory_bytes) in [(0, u64::MAX), (5, 0), (0, 0)] {
        let options = ReplayOptions { partition_bits, memory_bytes, ..options.clone() };
        let (report, given) = replay(&place, &spine, &options, &Given::HISTORY);
        let differences = expected.iter().zip(&given).filter(|(a, b)| a != b).count();
        assert_eq!((differences, given.len()), (0, expected.len()));
        assert_eq!(report.spilled > 0, memory_bytes == 0, "{} bytes", report.spilled);
    }
}
