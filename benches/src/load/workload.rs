//! What is asked: kinds of requests and how they are mixed, and the definitions they need.

use std::fmt;
use std::str::FromStr;

use stdx::prng::Prng;

/// Names of what the load generator defines begin with this.
pub const PREFIX: &str = "bench_";

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// All features of one entity's row.
    ReadRow,
    /// Those of many entities, in one request.
    ReadBatch,
    /// Count, sum, min and max of one entity in four windows.
    ReadWindows,
    /// Distinct values of one entity in a window of a day.
    ReadDistinct,
    /// One row, whole.
    Put,
    /// Many rows, in one request.
    PutBatch,
    /// One event into four windows.
    Push,
    /// Many events, in one request.
    PushBatch,
    /// One event that counts distinct values.
    PushDistinct,
    /// A service of the user's, about one or many key tuples.
    Service,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ReadRow,
        Self::ReadBatch,
        Self::ReadWindows,
        Self::ReadDistinct,
        Self::Put,
        Self::PutBatch,
        Self::Push,
        Self::PushBatch,
        Self::PushDistinct,
        Self::Service,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadRow => "read-row",
            Self::ReadBatch => "read-batch",
            Self::ReadWindows => "read-windows",
            Self::ReadDistinct => "read-distinct",
            Self::Put => "put",
            Self::PutBatch => "put-batch",
            Self::Push => "push",
            Self::PushBatch => "push-batch",
            Self::PushDistinct => "push-distinct",
            Self::Service => "service",
        }
    }

    /// True when it is about as many entities as a batch has.
    #[must_use]
    pub fn is_batch(self) -> bool {
        matches!(self, Self::ReadBatch | Self::PutBatch | Self::PushBatch | Self::Service)
    }

    /// True when it changes nothing.
    #[must_use]
    pub fn is_read(self) -> bool {
        matches!(
            self,
            Self::ReadRow
                | Self::ReadBatch
                | Self::ReadWindows
                | Self::ReadDistinct
                | Self::Service
        )
    }

    /// Which of the generator's tables it is about; none for a service of the user's.
    #[must_use]
    pub fn table(self) -> Option<Table> {
        match self {
            Self::ReadRow | Self::ReadBatch | Self::Put | Self::PutBatch => Some(Table::Rows),
            Self::ReadWindows | Self::Push | Self::PushBatch => Some(Table::Windows),
            Self::ReadDistinct | Self::PushDistinct => Some(Table::Distinct),
            Self::Service => None,
        }
    }
}

/// What the generator defines and fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The row group.
    Rows,
    /// The window group of counters.
    Windows,
    /// The window group of distinct counts.
    Distinct,
}

/// Kinds with their shares, in percent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    name: String,
    shares: Vec<(Kind, u64)>,
}

impl Workload {
    /// Only one kind.
    #[must_use]
    pub fn only(kind: Kind) -> Self {
        Self { name: kind.as_str().to_owned(), shares: vec![(kind, 100)] }
    }

    /// What a model service does in production: 80 % reads, half of rows and half of windows, 15 % pushes, 5 % puts.
    #[must_use]
    pub fn mixed() -> Self {
        let shares =
            vec![(Kind::ReadRow, 40), (Kind::ReadWindows, 40), (Kind::Push, 15), (Kind::Put, 5)];
        Self { name: "mixed".to_owned(), shares }
    }

    /// The reads of a service that the user defined.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self { name: format!("service {name}"), shares: vec![(Kind::Service, 100)] }
    }

    /// Kinds and their shares in percent.
    #[must_use]
    pub fn shares(&self) -> &[(Kind, u64)] {
        &self.shares
    }

    /// The tables it needs.
    #[must_use]
    pub fn tables(&self) -> Vec<Table> {
        let mut tables: Vec<_> = self.shares.iter().filter_map(|(kind, _)| kind.table()).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    }

    /// The kind at `percent`, from 0 to 99.
    #[must_use]
    pub fn at(&self, percent: u64) -> Kind {
        let mut end = 0;
        let found = self.shares.iter().find(|(_, share)| {
            end += share;
            percent < end
        });
        found.or(self.shares.last()).map_or(Kind::ReadRow, |(kind, _)| *kind)
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "mixed" {
            return Ok(Self::mixed());
        }
        let ours = Kind::ALL.into_iter().filter(|kind| kind.table().is_some());
        let found = ours.clone().find(|kind| kind.as_str() == text);
        found.map(Self::only).ok_or_else(|| {
            let names: Vec<_> = ours.map(Kind::as_str).collect();
            format!("`{text}` is no workload: write {} or mixed", names.join(", "))
        })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The definitions of the generator: one entity, rows of `features` f64, counters and distinct counts in windows.
#[must_use]
pub fn definitions(features: usize) -> String {
    let columns: String = (0..features).map(|i| format!("f{i} = \"f64\"\n")).collect();
    format!(
        r#"
[entity.bench_entity]
key = "string"

[group.bench_rows]
entity = "bench_entity"
description = "made by larder bench: rows"
[group.bench_rows.features]
{columns}
[stream.bench_payments]
event_time = "ts"
[stream.bench_payments.fields]
entity = "string"
amount = "decimal(2)"
ts = "timestamp"

[group.bench_windows]
entity = "bench_entity"
stream = "bench_payments"
key = "entity"
windows = ["5m", "1h", "24h", "7d"]
description = "made by larder bench: counters"
[group.bench_windows.features]
n = "count(*)"
total = "sum(amount)"
low = "min(amount)"
high = "max(amount)"

[stream.bench_visits]
event_time = "ts"
[stream.bench_visits.fields]
entity = "string"
place = "string"
ts = "timestamp"

[group.bench_distinct]
entity = "bench_entity"
stream = "bench_visits"
key = "entity"
windows = ["24h"]
description = "made by larder bench: distinct counts"
[group.bench_distinct.features]
places = "approx_distinct(place)"
"#
    )
}

/// An amount in cents.
pub(super) fn amount(prng: &mut Prng) -> i64 {
    prng.between(100, 100_000)
}

/// One of a thousand places.
pub(super) fn place(prng: &mut Prng) -> String {
    format!("place-{:03}", prng.below(1000))
}

/// The key of entity `number`.
#[must_use]
pub fn key(number: u64) -> String {
    format!("bench-{number:08}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_valid_and_carry_the_prefix() {
        let none = model::definition::Definitions::default();
        let parsed = model::definition::Definitions::parse("bench.toml", &definitions(50), &none);
        let parsed = parsed.expect("valid");
        assert!(parsed.groups.iter().all(|group| group.name.as_str().starts_with(PREFIX)));
        assert!(parsed.streams.iter().all(|stream| stream.name.as_str().starts_with(PREFIX)));
    }

    #[test]
    fn a_mix_is_drawn_by_its_shares_and_unknown_words_are_told_with_the_known() {
        let mixed: Workload = "mixed".parse().expect("known");
        let count = |kind| (0..100).filter(|percent| mixed.at(*percent) == kind).count();
        let kinds = [Kind::ReadRow, Kind::ReadWindows, Kind::Push, Kind::Put];
        assert_eq!(kinds.map(count), [40, 40, 15, 5]);
        assert_eq!(mixed.tables(), [Table::Rows, Table::Windows]);
        let error = "service".parse::<Workload>().expect_err("not by this name");
        assert!(error.contains("read-row") && error.contains("mixed"), "{error}");
    }
}
