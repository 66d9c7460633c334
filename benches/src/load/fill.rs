//! What reads find: every entity gets a row, and events over the last day, before anything is measured.

use std::sync::Arc;

use super::{
    Error, larder::Larder, peer::redis::Redis, side::Outcome, stop::Stop, workload::Table,
};
use model::time::DAY_MS;
use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
};
use tokio::task::JoinSet;

/// Events that each entity gets, one in each of so many parts of the last day.
pub const EVENTS_PER_ENTITY: u64 = 8;
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
    /// Which part of the day, for events.
    turn: u64,
    pub(super) seed: u64,
    now: i64,
}

impl Portion {
    /// Entities with the times of their events.
    pub(super) fn events(&self) -> impl Iterator<Item = (u64, i64)> + use<> {
        let mut prng = Prng::stream(self.seed, "times");
        let part = DAY_MS / i64::try_from(EVENTS_PER_ENTITY).unwrap_or(1);
        let end = self.now - part * i64::try_from(self.turn).unwrap_or(0);
        self.entities.clone().map(move |entity| (entity, end - prng.between(1, part)))
    }
}

/// All that `tables` get; the oldest events first, so that the newest says last how long a bucket of Redis's lives.
pub(super) fn portions(tables: &[Table], entities: u64, seed: u64) -> Vec<Portion> {
    let now = SystemClock::new().wall_ms();
    let mut prng = Prng::stream(seed, "fill");
    let mut portions = Vec::new();
    for table in tables {
        let turns = if *table == Table::Rows { 1 } else { EVENTS_PER_ENTITY };
        for turn in (0..turns).rev() {
            for start in (0..entities).step_by(usize::try_from(BATCH).unwrap_or(1)) {
                let entities = start..(start + BATCH).min(entities);
                let seed = prng.next_u64();
                portions.push(Portion { table: *table, entities, turn, seed, now });
            }
        }
    }
    portions
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
                Ok(larder.push(table, portion.events(), portion.seed).await?)
            }
        }
    }
}

/// Fills a server; `progress` hears portions done and all.
pub(super) async fn fill(
    server: Filling,
    (tables, entities, seed): (&[Table], u64, u64),
    (progress, stop): (&mut dyn FnMut(u64, u64), &Stop),
) -> Result<(), Error> {
    let server = Arc::new(server);
    let portions = portions(tables, entities, seed);
    let all = portions.len() as u64;
    let (mut flying, mut done) = (JoinSet::new(), 0);
    for portion in portions {
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
             other features"
        ))),
        Outcome::Failed(why) => Err(Error::Failed(format!("filling: {why}"))),
    }
}
