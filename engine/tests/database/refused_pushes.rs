//! A push that is refused because what it needs cannot be read leaves no trace: not on the stream's clock, not among its ids, not in
//! what is counted. A restart would have none of it, and both must go on alike.

use engine::{Database, Error, PushRequest, ReadOptions, StatValue, StorageError, Written};
use model::time::{HOUR_MS, MINUTE_MS, format_timestamp};
use storage::{Vfs, fs::SimFs};

use crate::harness::{Place, START, get, pack};

const CLOCKS: [&str; 2] = ["event", "wall"];

/// A stream on the clock named, whose raw events are kept for long.
fn definitions(clock: &str) -> String {
    format!(
        r#"
[entity.user]
key = "string"
[stream.visits]
event_time = "at"
event_id = "visit"
dedup = "1h"
horizon = "3h"
retract = true
clock = "{clock}"
[stream.visits.fields]
visit = "string"
user = "string"
at = "timestamp"
[group.visiting]
entity = "user"
stream = "visits"
key = "user"
windows = ["6h"]
[group.visiting.features]
visits = "count(*)"
"#
    )
}

/// A database at rest with two users, and the log of one of them, `victim`, so long that blocks of the snapshot hold nothing else:
/// one of these is damaged.
fn damaged(clock: &str) -> Place {
    let place = Place::new();
    let database = place.open();
    database.apply("test.toml", &definitions(clock), false).expect("valid");
    visit(&database, &[("first", "other", START)]).expect("taken");
    for batch in 0..30_i64 {
        let visits: Vec<_> = (0..1000_i64)
            .map(|number| (format!("v{batch}-{number}"), START - (number * 997) % HOUR_MS))
            .collect();
        let visits: Vec<_> = visits.iter().map(|(id, at)| (id.as_str(), "victim", *at)).collect();
        visit(&database, &visits).expect("taken");
    }
    database.checkpoint(&mut |_| {}).expect("the disk works");
    database.close().expect("closed");
    drop(database);
    let names = place.fs.list().expect("listed");
    let snapshot = names.into_iter().find(|name| name.ends_with(".lsnap")).expect("there is one");
    for block in 0..place.fs.bytes(&snapshot).len() / (1 << 16) {
        let fs = place.fs.fork();
        fs.flip_bit(&snapshot, (block << 16 | 1 << 15) * 8);
        let copy = Place { fs: fs.fork(), clock: place.clock.clone() };
        let Ok(database) = copy.try_open() else { continue };
        let is_hit = visit(&database, &[("probe", "victim", START)]).is_err();
        let is_other_whole = visit(&database, &[("probe", "other", START)]).is_ok();
        database.abandon();
        if is_hit && is_other_whole {
            return Place { fs, clock: place.clock };
        }
    }
    panic!("no block of the snapshot is the victim's alone");
}

/// Pushes visits: id, user, time.
fn visit(database: &Database<SimFs>, visits: &[(&str, &str, i64)]) -> Result<Written, Error> {
    let (_, definitions) = database.definitions();
    let (stream, definition) = definitions.stream("visits").expect("defined");
    let rows =
        visits.iter().map(|(id, user, at)| [*id, *user, &format_timestamp(*at)].map(str::to_owned));
    let rows: Vec<_> =
        rows.map(|cells| pack(&definition.fields, &cells.each_ref().map(String::as_str))).collect();
    let events = rows.iter().map(Vec::as_slice).collect();
    let request = PushRequest { stream, fields: definition.fields.len(), events };
    database.push(&request, &Default::default())
}

fn stat(database: &Database<SimFs>, name: &str) -> Option<StatValue> {
    database.stats().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The clock moved, so that events on time were late and reads of the recent past too old; ids were let go of under a time that
/// never came, so that a duplicate was taken for new.
#[test]
fn a_push_refused_for_damage_leaves_neither_time_nor_ids_nor_counts() {
    for clock in CLOCKS {
        let place = damaged(clock);
        let database = place.open();
        let counted =
            ["events_accepted_count", "events_duplicate_count"].map(|name| stat(&database, name));
        assert!(counted.iter().all(Option::is_some), "{:?}", database.stats());
        let far = START + 5 * HOUR_MS;
        place.clock.set_wall_ms(far);
        let visits = [("new", "other", far), ("lost", "victim", far), ("first", "other", far)];
        let refused = visit(&database, &visits).expect_err("the victim cannot be read");
        assert!(matches!(refused, Error::Storage(StorageError::Damaged { .. })), "{refused}");
        let still =
            ["events_accepted_count", "events_duplicate_count"].map(|name| stat(&database, name));
        assert_eq!(still, counted, "{clock}");
        place.clock.set_wall_ms(START);
        let restarted = Place { fs: place.fs.fork(), clock: place.clock.clone() }.open();
        for (database, name) in
            [(&database, "the one that refused"), (&restarted, "a restarted one")]
        {
            let past = ReadOptions { as_of: Some(START - 2 * HOUR_MS), ..ReadOptions::default() };
            assert_eq!(
                get(database, &["visiting:*"], "other", past),
                ["PARTIAL 0"],
                "{clock}, {name}"
            );
            let old = START - HOUR_MS - MINUTE_MS;
            let visits = [("first", "other", old), ("new", "other", old), ("new", "other", START)];
            let written = visit(database, &visits).expect("other is whole");
            let kinds: Vec<_> =
                written.rejects.iter().map(|reject| (reject.index, reject.kind)).collect();
            use engine::RejectKind::Duplicate;
            assert_eq!(kinds, [(0, Duplicate), (2, Duplicate)], "{clock}, {name}");
            assert_eq!(written.outcome.applied, 1, "{clock}, {name}");
        }
    }
}
