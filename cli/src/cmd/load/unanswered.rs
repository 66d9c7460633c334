//! What is said of batches that got no answer: which they are, whether they may have been applied, and what to do.

use super::{Again, Unanswered};
use crate::error::CliError;

/// A batch without the answer it wanted.
#[derive(Debug)]
pub(super) struct Lost {
    /// Its number, from 1.
    pub(super) batch: u64,
    /// The numbers of its first and its last record.
    pub(super) records: (u64, u64),
    pub(super) unanswered: Unanswered,
}

/// How a load of `source` ended, whose records are numbered by `unit`, that lost some batches. `unsent_from`: the last record that was
/// sent, when there are more.
pub(super) fn told(
    (source, unit): (&str, &str),
    lost: &[Lost],
    unsent_from: Option<u64>,
    again: Again,
) -> CliError {
    let error = lost.first().map(|lost| lost.unanswered.error.to_string()).unwrap_or_default();
    let mut parts = vec![format!("{source}: {error}")];
    let (unknown, refused): (Vec<_>, Vec<_>) =
        lost.iter().partition(|lost| lost.unanswered.may_be_applied);
    if !unknown.is_empty() {
        parts.push(format!("outcome unknown, applied or not, of {}", named(&unknown, unit)));
    }
    if !refused.is_empty() {
        parts.push(format!("not applied: {}", named(&refused, unit)));
    }
    parts.extend(unsent_from.map(|last| format!("nothing behind {unit} {last} was sent")));
    parts.extend(advice(again, !unknown.is_empty()).map(str::to_owned));
    CliError::failed(parts.join("; "))
}

fn named(lost: &[&Lost], unit: &str) -> String {
    let name = |lost: &&Lost| {
        let (first, last) = lost.records;
        format!("batch {} ({unit}s {first} to {last})", lost.batch)
    };
    lost.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn advice(again: Again, is_unknown: bool) -> Option<&'static str> {
    match again {
        Again::Once => Some(
            "run it again with the same --producer and file: every batch is applied once, those that were are not applied again",
        ),
        Again::Twice if is_unknown => Some(
            "a second run would apply again what was applied, but for duplicates that event ids and event times tell; a load with \
             --producer NAME can be run again, and applies every batch once",
        ),
        Again::Twice => None,
        Again::Rejected => {
            Some("run it again: events that are taken back already are rejected, and nothing else")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(batch: u64, may_be_applied: bool) -> Lost {
        let error = client::Error::Connect { addr: "a:1".into(), reason: "refused".into() };
        let records = (batch * 10 + 1, batch * 10 + 10);
        Lost { batch, records, unanswered: Unanswered { error, may_be_applied } }
    }

    #[test]
    fn unknown_batches_are_told_from_those_that_were_not_applied() {
        let lost = [lost(1, true), lost(2, true), lost(3, false)];
        let said = told(("rows.csv", "line"), &lost, Some(50), Again::Once).to_string();
        for part in [
            "rows.csv: connect to a:1",
            "outcome unknown, applied or not, of batch 1 (lines 11 to 20), batch 2 (lines 21 to 30)",
            "not applied: batch 3 (lines 31 to 40)",
            "nothing behind line 50 was sent",
            "same --producer",
        ] {
            assert!(said.contains(part), "{part:?} is missing in: {said}");
        }
    }

    #[test]
    fn only_a_load_with_a_name_is_told_to_run_again() {
        let said = told(("rows.parquet", "row"), &[lost(1, true)], None, Again::Twice).to_string();
        assert!(
            said.contains("second run would apply again") && !said.contains("behind"),
            "{said}"
        );
        let said = told(("rows.parquet", "row"), &[lost(1, false)], None, Again::Twice).to_string();
        assert!(!said.contains("unknown") && !said.contains("--producer"), "{said}");
    }
}
