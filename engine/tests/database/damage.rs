//! Bit rot in a snapshot: every value read afterwards is the one that was written, or an error that names the file. Never another
//! value, never silence. `LARDER_SEED` replays one seed.

use engine::{Database, Error, ReadOptions, ReadRequest, ScanCursor, StorageError};
use model::{status::Status, time::format_timestamp, value::Value};
use stdx::prng::Prng;
use storage::{Vfs, fs::SimFs};

use crate::harness::{Place, START, by, pack, push, put};

const USERS: u64 = 400;

type Vector = Vec<(Status, Option<Value>)>;

/// A closed database whose snapshot holds rows and windows, some of them with tiles; and what each user's vector is.
fn place() -> (Place, Vec<Vector>) {
    let place = Place::new();
    let database = place.start();
    for user in 0..USERS {
        let (key, limit) = (format!("u{user}"), user.to_string());
        put(&database, "profile", &key, START, &[&country(user), &limit], &by(user + 1));
    }
    for order in 0..300_i64 {
        place.clock.advance_ms(10_000);
        let (id, at) = (format!("o{order}"), format_timestamp(START + order * 10_000));
        let user = format!("u{}", if order % 2 == 0 { 0 } else { order });
        push(&database, "orders", &[&[&id, &user, "1.25", &at]], &Default::default());
    }
    database.checkpoint(&mut |_| {}).expect("the disk works");
    let seen = (0..USERS).map(|user| vector(&database, user).expect("undamaged")).collect();
    database.close().expect("closed");
    (place, seen)
}

/// Long enough that most blocks of the snapshot hold nothing but these.
fn country(user: u64) -> String {
    char::from(b'a' + u8::try_from(user % 26).expect("small")).to_string().repeat(40_000)
}

fn vector(database: &Database<SimFs>, user: u64) -> Result<Vector, Error> {
    let plan = database.plan_features(&["profile:*", "buying:*"]).expect("defined");
    let key = format!("u{user}");
    // Rows are an hour old at most: their age does not show.
    let request =
        ReadRequest { keys: &[key.as_bytes()], request_rows: &[], options: ReadOptions::default() };
    let vectors = database.read(&plan, &request)?;
    let shown = |column: model::column::ColumnRef<'_>| {
        let (status, value) = column.get(0).expect("one row");
        (status, value.map(|value| value.to_owned()))
    };
    Ok(vectors.columns.iter().map(shown).collect())
}

fn snapshot(fs: &SimFs) -> String {
    let names = fs.list().expect("listed");
    names.into_iter().find(|name| name.ends_with(".lsnap")).expect("there is one")
}

/// True for the errors that damage may give.
fn names_the_snapshot(error: &Error) -> bool {
    let is_storage = matches!(error, Error::Storage(StorageError::Damaged { .. }));
    is_storage && error.to_string().contains(".lsnap")
}

#[test]
fn a_flipped_bit_of_a_snapshot_is_told_and_never_served() {
    let (place, seen) = place();
    let seeds = match std::env::var("LARDER_SEED").ok().and_then(|text| text.parse::<u64>().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..60,
    };
    let is_whole = seeds.end > 1;
    let (mut refused_starts, mut refused_reads, mut refused_writes) = (0, 0, 0);
    for seed in seeds {
        let mut prng = Prng::new(seed);
        let fs = place.fs.fork();
        let name = snapshot(&fs);
        let bits = fs.bytes(&name).len() * 8;
        fs.flip_bit(&name, usize::try_from(prng.below(bits as u64)).expect("small"));
        let copy = Place { fs, clock: place.clock.clone() };
        let database = match copy.try_open() {
            Ok(database) => database,
            Err(error) => {
                assert!(names_the_snapshot(&error), "seed {seed}: {error}");
                refused_starts += 1;
                continue;
            }
        };
        let written = prng.below(USERS - 50)..;
        for user in written.clone().take(50) {
            refused_writes += u32::from(!write_is_right(&database, user, seed));
        }
        for (user, right) in (0..USERS).zip(&seen) {
            if written.clone().take(50).any(|written| written == user) {
                continue;
            }
            match vector(&database, user) {
                Ok(shown) => assert!(shown == *right, "seed {seed}, user {user}"),
                Err(error) => {
                    assert!(names_the_snapshot(&error), "seed {seed}: {error}");
                    refused_reads += 1;
                }
            }
        }
        // Looked at by whoever looks, or in the background.
        while database.verify_step(1000).is_ok_and(|verified| verified.done < verified.total) {}
        let damage = database.checkpoint_trouble();
        assert!(
            damage.as_ref().is_some_and(|told| told.reason.contains(".lsnap")),
            "seed {seed}: {damage:?}"
        );
    }
    let refused = [refused_starts, refused_reads, refused_writes];
    assert!(!is_whole || refused.iter().all(|count| *count > 0), "{refused:?}");
}

/// Puts half a row: right, or refused before it is logged.
fn write_is_right(database: &Database<SimFs>, user: u64, seed: u64) -> bool {
    let fields = {
        let (_, definitions) = database.definitions();
        definitions.group("profile").expect("defined").1.columns()
    };
    let (row, key) = (pack(&fields, &["-", "7777"]), format!("u{user}"));
    let rows =
        vec![engine::PutRowRequest { key: key.as_bytes(), event_time: Some(START + 1), row: &row }];
    let request = engine::PutRequest { group: 0, features: fields.len(), rows };
    let before = database.wal().appended_lsn();
    match database.put(&request, &by(100_000 + user)) {
        Ok(written) => {
            assert_eq!(written.outcome.applied, 1, "seed {seed}");
            let shown = vector(database, user);
            let half = [Value::String(country(user).into()), Value::I64(7777)].map(Some);
            if let Ok(shown) = &shown {
                assert!(shown.iter().map(|(_, value)| value).zip(&half).all(|(a, b)| a == b));
            }
            shown.is_ok()
        }
        Err(error) => {
            assert!(names_the_snapshot(&error), "seed {seed}: {error}");
            assert_eq!(database.wal().appended_lsn(), before, "seed {seed}: nothing was logged");
            false
        }
    }
}

#[test]
fn a_snapshot_of_another_length_or_none_refuses_the_start_by_name() {
    let (place, _) = place();
    let name = snapshot(&place.fs);
    for cut in [0, 1, 4096, place.fs.bytes(&name).len() - 1] {
        let fs = place.fs.fork();
        use storage::fs::VFile;
        fs.open(&name).expect("there").set_len(cut as u64).expect("cut");
        let error =
            Place { fs, clock: place.clock.clone() }.try_open().expect_err("cut").to_string();
        assert!(error.contains(&name), "{error}");
    }
    let fs = place.fs.fork();
    fs.remove(&name).expect("removed");
    let error = Place { fs, clock: place.clock.clone() }.try_open().expect_err("gone").to_string();
    assert!(error.contains(&name), "{error}");
}

/// A scan stopped at the first damaged block, and what lies behind it was out of reach.
#[test]
fn a_scan_goes_on_behind_damage_and_ends_with_how_many_it_left_out() {
    let (place, seen) = place();
    let name = snapshot(&place.fs);
    let blocks = place.fs.bytes(&name).len() >> 16;
    let mut incomplete = 0;
    for block in (0..blocks).step_by(7) {
        let fs = place.fs.fork();
        fs.flip_bit(&name, (block << 16 | 1 << 15) * 8);
        let Ok(database) = (Place { fs, clock: place.clock.clone() }).try_open() else { continue };
        let plan = database.plan_features(&["profile:*"]).expect("defined");
        let (mut cursor, mut found, mut end) = (Some(ScanCursor::default()), 0_u64, None);
        while let Some(from) = cursor {
            match database.scan_readable(&plan, from, 23) {
                Ok(page) => {
                    assert!(page.keys.len() <= 23);
                    for (row, key) in page.keys.iter().enumerate() {
                        let user: usize =
                            String::from_utf8_lossy(&key[1..]).parse().expect("known");
                        let cells =
                            page.columns.iter().map(|column| column.get(row).expect("there"));
                        let cells =
                            cells.map(|(status, value)| (status, value.map(|v| v.to_owned())));
                        assert!(cells.eq(seen[user][..2].iter().cloned()), "{block}: user {user}");
                    }
                    found += page.keys.len() as u64;
                    cursor = page.next;
                }
                Err(error) => (cursor, end) = (None, Some(error)),
            }
        }
        let strict = (|| {
            let mut cursor = Some(ScanCursor::default());
            while let Some(from) = cursor {
                cursor = database.scan(&plan, from, 1000)?.next;
            }
            Ok::<_, Error>(())
        })();
        match end {
            None => assert!(found == USERS && strict.is_ok(), "{block}: {found}, {strict:?}"),
            Some(Error::Incomplete { unreadable, why }) => {
                assert_eq!(found + u64::from(unreadable), USERS, "{block}");
                assert!(unreadable > 0 && why.contains(&name), "{block}: {why}");
                assert!(strict.is_err_and(|error| names_the_snapshot(&error)), "{block}");
                incomplete += 1;
            }
            Some(error) => panic!("{block}: {error}"),
        }
    }
    assert!(incomplete > 0, "no block held rows alone");
}
