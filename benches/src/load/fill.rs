//! What reads find: every entity gets a row and events, before anything is measured.
//!
//! Events have every age from a second to nearly that of the longest window, as many between one and two minutes as between one
//! and two days: customers come now and then, and often soon again. So each window holds some.

use std::sync::Arc;

use super::{
    Error, larder::Larder, peer::redis::Redis, side::Outcome, stop::Stop, workload::Table,
};
use model::time::{DAY_MS, HOUR_MS, SECOND_MS};
use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
};
use tokio::task::JoinSet;

/// Rows or events of one request.
const BATCH: u64 = 500;
/// Requests on their way at once.
const IN_FLIGHT: usize = 8;

/// Some rows or events of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Portion {
    pub(super) table: Table,
    /// The entities, from and to before.
    pub(super) entities: std::ops::Range<u64>,
    /// Which of how many events of each entity, from the newest on.
    turn: (u64, u64),
    pub(super) seed: u64,
}

impl Portion {
    /// Entities with the times of their events, when it is `now`.
    pub(super) fn events(&self, now: i64) -> impl Iterator<Item = (u64, i64)> + use<> {
        let mut prng = Prng::stream(self.seed, "times");
        let (turn, turns) = self.turn;
        let oldest = oldest_ms(self.table) as f64 / SECOND_MS as f64;
        self.entities.clone().map(move |entity| {
            let part = (turn as f64 + prng.unit()) / turns as f64;
            #[expect(clippy::cast_possible_truncation, reason = "at most the oldest")]
            let age_ms = (SECOND_MS as f64 * oldest.powf(part)) as i64;
            (entity, now - age_ms)
        })
    }
}

/// How much there is to fill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Each {
    pub(super) entities: u64,
    /// Of each entity, in each window group.
    pub(super) events: u64,
}

impl Each {
    /// How often an entity is filled.
    fn turns(self, table: Table) -> u64 {
        if table == Table::Rows { 1 } else { self.events }
    }
}

/// The greatest age of an event, in ms: less than the longest window, since time goes on.
fn oldest_ms(table: Table) -> i64 {
    match table {
        Table::Distinct => 22 * HOUR_MS,
        Table::Rows | Table::Windows => 6 * DAY_MS,
    }
}

/// All that `tables` get; the oldest events first, so that the newest says last how long a bucket of Redis's lives.
fn portions(tables: &[Table], each: Each, seed: u64) -> impl Iterator<Item = Portion> {
    let mut prng = Prng::stream(seed, "fill");
    let all = tables.iter().flat_map(move |table| {
        let turns = each.turns(*table);
        let starts = move || (0..each.entities).step_by(usize::try_from(BATCH).unwrap_or(1));
        let of_turn = move |turn| starts().map(move |start| (*table, (turn, turns), start));
        (0..turns).rev().flat_map(of_turn)
    });
    all.map(move |(table, turn, start)| {
        let entities = start..(start + BATCH).min(each.entities);
        Portion { table, entities, turn, seed: prng.next_u64() }
    })
}

/// How many of them there are.
fn portion_count(tables: &[Table], each: Each) -> u64 {
    tables.iter().map(|table| each.turns(*table)).sum::<u64>() * each.entities.div_ceil(BATCH)
}

/// Who is filled.
pub(super) enum Filling {
    Larder(Larder),
    Redis(Redis),
}

impl Filling {
    async fn take(&self, portion: &Portion) -> Result<Outcome, Error> {
        match (self, portion.table) {
            (Self::Redis(redis), _) => Ok(redis.fill(portion).await),
            (Self::Larder(larder), Table::Rows) => {
                let entities: Vec<_> = portion.entities.clone().collect();
                Ok(larder.put(&entities, portion.seed).await?)
            }
            (Self::Larder(larder), table) => {
                let now = SystemClock::new().wall_ms();
                Ok(larder.push(table, portion.events(now), portion.seed).await?)
            }
        }
    }
}

/// Fills a server; `progress` hears portions done and all.
pub(super) async fn fill(
    server: Filling,
    (tables, each, seed): (&[Table], Each, u64),
    (progress, stop): (&mut dyn FnMut(u64, u64), &Stop),
) -> Result<(), Error> {
    let server = Arc::new(server);
    let all = portion_count(tables, each);
    let (mut flying, mut done) = (JoinSet::new(), 0);
    for portion in portions(tables, each, seed) {
        stop.check()?;
        if flying.len() == IN_FLIGHT {
            land(&mut flying).await?;
            done += 1;
            progress(done, all);
        }
        let server = Arc::clone(&server);
        flying.spawn(async move { server.take(&portion).await });
    }
    while !flying.is_empty() {
        land(&mut flying).await?;
    }
    progress(all, all);
    Ok(())
}

async fn land(flying: &mut JoinSet<Result<Outcome, Error>>) -> Result<(), Error> {
    let Some(landed) = flying.join_next().await else { return Ok(()) };
    match landed.map_err(|error| Error::Failed(error.to_string()))?? {
        Outcome::Answered { refused: 0, .. } => Ok(()),
        Outcome::Answered { units, refused } => Err(Error::Failed(format!(
            "filling: the server refused {refused} of {units} rows or events; what is left from an earlier load may have \
             other features, or the server's clock is hours from this one"
        ))),
        Outcome::Failed(why) => Err(Error::Failed(format!("filling: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use model::time::MINUTE_MS;

    use super::*;

    const EACH: Each = Each { entities: 1000, events: 8 };

    #[test]
    fn events_have_every_age_that_a_window_holds_the_oldest_first() {
        for (table, oldest) in [(Table::Windows, 6 * DAY_MS), (Table::Distinct, 22 * HOUR_MS)] {
            let (now, tables) = (1_767_225_600_000, [table]);
            let events = portions(&tables, EACH, 1).flat_map(|portion| portion.events(now));
            let ages: Vec<(u64, i64)> = events.map(|(entity, at)| (entity, now - at)).collect();
            assert_eq!(ages.len(), 8000);
            assert!(ages.iter().all(|(_, age)| (SECOND_MS..=oldest).contains(age)));
            let of_one: Vec<_> = ages.iter().filter(|(entity, _)| *entity == 77).collect();
            assert_eq!(of_one.len(), 8);
            assert!(of_one.is_sorted_by(|a, b| a.1 >= b.1), "{of_one:?}");
            // A minute is ln 60 of ln 518,400, or of ln 79,200: a third of the doublings.
            let young = ages.iter().filter(|(_, age)| *age < MINUTE_MS).count();
            assert!((2400..3000).contains(&young), "{young} of 8000");
        }
        for tables in [&[Table::Rows][..], &[Table::Rows, Table::Windows]] {
            let count = portions(tables, EACH, 1).count() as u64;
            assert_eq!((count, count % 16), (portion_count(tables, EACH), 2), "a row each");
        }
    }
}
