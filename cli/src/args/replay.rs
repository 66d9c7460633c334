//! Arguments of `larder replay`.

use std::path::PathBuf;

use clap::Args;
use model::time;

use crate::{output::Format, size};

/// See [`super::Command::Replay`].
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("target").required(true).args(["service", "features"]),
    after_help = "Examples:\n  \
    larder replay --definitions features.toml --events payments.parquet --spine labels.parquet --service fraud_v3 --out train.parquet\n  \
    larder replay --definitions features.toml --events payments=p.arrow --events logins=l.arrow --rows card_profile=profiles.csv \\\n    \
    --spine labels.csv --feature 'card_spend:*,card_profile:country' --exclusive --out train.arrow\n  \
    larder replay --definitions features.toml --events arrived.parquet --order arrival --spine labels.parquet --service fraud_v3 \\\n    \
    --status --out train.parquet\n\n\
    The spine has a column for each entity's key (ENTITY, or ENTITY_1, ENTITY_2, … for the parts of a composite one), the as-of, and a\n\
    column for each request value; other columns are carried through. Row files have the key's columns, event_time, and features."
)]
pub(crate) struct Replay {
    /// The definitions (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) definitions: PathBuf,
    /// Events of a stream: .arrow, .parquet, .csv or .jsonl. Repeat for more; STREAM= may be left out when features are of one stream only.
    /// A directory is a history (DATA/history): what no file is given for comes from it.
    #[arg(long, value_name = "[STREAM=]FILE", value_parser = named_file)]
    pub(crate) events: Vec<NamedFile>,
    /// Rows of a row group, each with its event_time. Repeat for more.
    #[arg(long, value_name = "GROUP=FILE", value_parser = named_file)]
    pub(crate) rows: Vec<NamedFile>,
    /// A column of event and row files that gives a field of another name; of one stream or row group when that is named. Repeat for more.
    #[arg(long = "map", value_name = "[SOURCE:]FIELD=COLUMN", value_parser = map)]
    pub(crate) maps: Vec<Map>,
    /// Whose vectors are wanted, as of when.
    #[arg(long, value_name = "FILE")]
    pub(crate) spine: PathBuf,
    /// The service whose vectors are wanted.
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Features instead: GROUP:FEATURE[,GROUP:*…].
    #[arg(long = "feature", value_name = "REFS")]
    pub(crate) features: Vec<String>,
    /// Where vectors go, one for each row of the spine, in its order: .arrow, .parquet, .csv or .jsonl.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The spine's column of as-ofs.
    #[arg(long, default_value = "as_of", value_name = "COLUMN")]
    pub(crate) as_of_column: String,
    /// Events exactly at the as-of do not count: the row being scored is itself an event.
    #[arg(long)]
    pub(crate) exclusive: bool,
    /// Which events a row sees.
    #[arg(long, default_value = "event", value_name = "ORDER")]
    pub(crate) order: Order,
    /// In event order: an event is known this long after it happened, like 5s or 2m.
    #[arg(long, value_name = "SPAN", value_parser = time::parse_span, conflicts_with = "arrival_column")]
    pub(crate) assumed_delay: Option<i64>,
    /// In arrival order: the column that says when an event or row arrived [default: arrival].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) arrival_column: Option<String>,
    /// Since when there are events: windows that reach back further are PARTIAL, and their rows history_incomplete. The earliest event when not given.
    #[arg(long, allow_hyphen_values = true, value_name = "T", value_parser = time::parse_timestamp)]
    pub(crate) observed_since: Option<i64>,
    /// Also write the status of every feature, as FEATURE__status.
    #[arg(long)]
    pub(crate) status: bool,
    /// Keep events and rows that are rejected in this file, as JSON lines, and only count them; without it they are told, and end in exit code 1.
    #[arg(long, value_name = "FILE")]
    pub(crate) rejected: Option<PathBuf>,
    /// Threads; one for each core when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Memory for events and results; more goes to a temporary file.
    #[arg(long, default_value = "2GiB", value_name = "SIZE", value_parser = size::parse)]
    pub(crate) memory: u64,
    /// Where that file is made; the system's directory when not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) temp_dir: Option<PathBuf>,
    /// Parts that events are split into, by entity: as many as one of them fits into memory for each thread.
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16384))]
    pub(crate) partitions: u32,
    /// How to print the counts.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`Replay::order`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Order {
    /// All events of before its as-of, whenever they arrived.
    Event,
    /// The events that had arrived by its as-of, in the order of the files.
    Arrival,
}

/// A file, and what it is of.
#[derive(Debug, Clone)]
pub(crate) struct NamedFile {
    pub(crate) name: Option<String>,
    pub(crate) path: PathBuf,
}

/// Reads `NAME=FILE` or `FILE`; a name has no `/` and no `.`, so that files may have a `=`.
fn named_file(text: &str) -> Result<NamedFile, String> {
    let split = text.split_once('=').filter(|(name, _)| !name.contains(['/', '.']));
    let (name, path) = split.map_or((None, text), |(name, path)| (Some(name.to_owned()), path));
    if path.is_empty() {
        return Err("it names no file".to_owned());
    }
    Ok(NamedFile { name, path: PathBuf::from(path) })
}

/// A column that gives a field of another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Map {
    /// The stream or row group.
    pub(crate) source: Option<String>,
    pub(crate) field: String,
    pub(crate) column: String,
}

/// Reads `FIELD=COLUMN` or `SOURCE:FIELD=COLUMN`; columns may be called anything.
fn map(text: &str) -> Result<Map, String> {
    let (field, column) = text.split_once('=').unwrap_or_default();
    let (source, field) =
        field.split_once(':').map_or((None, field), |(source, field)| (Some(source), field));
    if field.is_empty() || column.is_empty() || source == Some("") {
        return Err("write FIELD=COLUMN, or SOURCE:FIELD=COLUMN".to_owned());
    }
    let source = source.map(str::to_owned);
    Ok(Map { source, field: field.to_owned(), column: column.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_may_name_its_source() {
        let shown = |text: &str| {
            map(text)
                .map(|Map { source, field, column }| (source.unwrap_or_default(), field, column))
        };
        let of = |source: &str, field: &str, column: &str| {
            Ok((source.to_owned(), field.to_owned(), column.to_owned()))
        };
        assert_eq!(shown("amount=chf"), of("", "amount", "chf"));
        assert_eq!(shown("payments:amount=a:b=c"), of("payments", "amount", "a:b=c"));
        for wrong in ["amount", "=x", "amount=", ":amount=x", "payments:=x"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_stands_before_its_file() {
        let shown = |text: &str| {
            let file = named_file(text).expect("valid");
            (file.name, file.path.display().to_string())
        };
        assert_eq!(shown("payments=a/b.csv"), (Some("payments".to_owned()), "a/b.csv".to_owned()));
        assert_eq!(shown("day=1/b.csv"), (Some("day".to_owned()), "1/b.csv".to_owned()));
        assert_eq!(shown("./day=1/b.csv"), (None, "./day=1/b.csv".to_owned()));
        assert_eq!(shown("b.csv"), (None, "b.csv".to_owned()));
        assert!(named_file("payments=").is_err());
    }
}
