//! Replaying the log gives what the live database held: random puts, pushes and deletes, then a crash and a restart, again
//! and again. `LARDER_SEED` replays one seed.

use crate::harness::{Place, START, push, put};
use engine::WriteOptions;
use model::time::format_timestamp;
use stdx::prng::Prng;

#[test]
fn the_digest_survives_every_restart() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|text| text.parse().ok());
    for seed in seed.map_or(0..20, |seed: u64| seed..seed + 1) {
        let mut prng = Prng::new(seed);
        let place = Place::new();
        drop(place.start());
        for life in 0..4 {
            let database = place.open();
            for _ in 0..prng.below(60) {
                place.clock.advance_ms(u32::try_from(prng.below(60_000)).expect("small"));
                act(&place, &database, &mut prng);
            }
            let live = database.digest().expect("readable");
            if prng.chance(0.5) {
                database.close().expect("closed");
            } else {
                database.abandon();
            }
            drop(database);
            place.fs.crash(&mut prng);
            let replayed = place.open().digest().expect("readable");
            assert_eq!(live, replayed, "seed {seed}, life {life}: replay with LARDER_SEED={seed}");
        }
    }
}

/// One random write.
pub(crate) fn act(place: &Place, database: &engine::Database<storage::fs::SimFs>, prng: &mut Prng) {
    use stdx::clock::Clock;
    let nobody = WriteOptions::default();
    let user = format!("user-{}", prng.below(12));
    let time = place.clock.wall_ms() - prng.between(0, 3_600_000);
    match prng.below(10) {
        0..=3 => {
            let cell = |prng: &mut Prng| {
                ["-", "null", "1", "2"][usize::try_from(prng.below(4)).expect("small")]
            };
            let (country, limit) = (cell(prng), cell(prng));
            put(database, "profile", &user, time, &[country, limit], &nobody);
        }
        4 => {
            let group = database.group_index("profile").expect("defined");
            let deleted = database.delete(group, &[user.as_bytes()], &nobody).expect("taken");
            deleted.ticket.wait().expect("synced");
        }
        5 => {
            let at = format_timestamp(START + prng.between(-100, 100) * 60_000);
            push(database, "clicks", &[&[&user, &at]], &nobody);
        }
        _ => {
            let (id, at) = (prng.below(200).to_string(), format_timestamp(time));
            push(database, "orders", &[&[&id, &user, "2.50", &at]], &nobody);
        }
    }
}
