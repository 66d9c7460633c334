//! An explanation for people.

use engine::explain::{Accuracy, EntityBytes, Explanation, SLOT_BYTES, WindowExplained};
use model::{
    name::Name,
    time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, format_span},
};
use serde_json::Value as Json;

use crate::{
    error::CliError,
    output::{self, Format, Sheet},
};

pub(super) fn print(group: &Name, explained: &Explanation) -> Result<(), CliError> {
    output::line(&format!("window group {group}"))?;
    for (name, value) in properties(explained) {
        output::line(&format!("  {name}: {value}"))?;
    }
    for sheet in [windows(explained), cells(explained), entities(explained), accuracy(explained)] {
        sheet.print(Format::Table)?;
    }
    Ok(())
}

/// How an entity is kept, in a word.
pub(super) fn kept_as(cost: &EntityBytes) -> &'static str {
    if cost.is_tiled { "tiles" } else { "raw events" }
}

fn properties(explained: &Explanation) -> Vec<(&'static str, String)> {
    let Explanation { load, event, read, retention, .. } = explained;
    let levels = explained.levels.iter().map(|level| {
        let hop = level.hop_ms.map_or("for ever".to_owned(), format_span);
        let tiles = grouped(level.tiles_max);
        format!("{hop} for {}: at most {tiles} tiles", level.windows.join(", "))
    });
    let late = match (retention.accepted_ms, retention.forgotten_ms) {
        (Some(accepted), Some(forgotten)) => format!(
            "accepted up to an age of {}, forgotten and late from {} on",
            in_parts(accepted),
            in_parts(forgotten)
        ),
        _ => "accepted at any age, and never forgotten".to_owned(),
    };
    vec![
        (
            "assumed",
            format!(
                "numbers from 0 to {}, texts of {} bytes, ids of {}; {} different values; filters let {:.0} % through",
                grouped(load.number_max),
                load.text_bytes,
                load.id_bytes,
                grouped(load.values),
                load.filter_share * 100.0
            ),
        ),
        (
            "an event",
            format!("{:.0} bytes raw; {} to {}", event.expected, event.least, grouped(event.most)),
        ),
        ("tiles", levels.collect::<Vec<_>>().join("; ")),
        (
            "a tile of ten events",
            format!("{:.0} bytes", explained.levels.first().map_or(0.0, |level| level.tile_bytes)),
        ),
        ("an entity", format!("{SLOT_BYTES} bytes, its key, and what the table says")),
        (
            "a read of all columns",
            format!(
                "merges at most {} tiles, and {} of events within the horizon where these are many; \
                 passes over at most {} raw events, of an entity without tiles over {}",
                grouped(read.tiles_merged_max),
                grouped(read.young_tiles_merged_max),
                grouped(read.inbox_events_max),
                grouped(read.raw_events_max)
            ),
        ),
        ("as-of", format!("exact from {} before now on", format_span(retention.horizon_ms))),
        ("events", late),
    ]
}

fn windows(explained: &Explanation) -> Sheet {
    let mut sheet = Sheet::new(["window", "hop", "covers", "at most", "merges at most"]);
    for window in &explained.windows {
        let share = format!("{:.2} %", window.over_share * 100.0);
        sheet.push(vec![
            window.label.as_str().into(),
            window.hop_ms.map_or(Json::Null, |hop| format_span(hop).into()),
            covers(window).into(),
            if window.over_ms_max == 0 { Json::Null } else { share.into() },
            format!("{} tiles", grouped(window.tiles_merged_max)).into(),
        ]);
    }
    sheet
}

fn covers(window: &WindowExplained) -> String {
    let WindowExplained { over_ms_max: over, under_ms_max: under, shift_ms_max: shift, .. } =
        *window;
    let below = |ms: i64| format_span(ms + 1);
    match (window.length_ms, shift) {
        (None, _) => "every event, exactly".to_owned(),
        (Some(_), 0) if over == 0 => "its length, exactly".to_owned(),
        (Some(_), 0) => format!("its length and less than {} more", below(over)),
        (Some(_), _) if over == 0 => {
            format!("its length, exactly; ends less than {} early", below(shift))
        }
        (Some(_), _) => format!(
            "its length, at most {} more or {} less; ends less than {} early",
            format_span(over),
            format_span(under),
            below(shift)
        ),
    }
}

fn cells(explained: &Explanation) -> Sheet {
    let mut sheet = Sheet::new(["stored once for", "in every tile"]);
    for cell in &explained.cells {
        sheet.push(vec![cell.features.join("\n").into(), cell.keeps.join(", ").into()]);
    }
    sheet
}

fn entities(explained: &Explanation) -> Sheet {
    let events = format!("events in {}", format_span(explained.span_ms));
    let mut sheet = Sheet::new([events.as_str(), "kept as", "expected bytes", "worst bytes"]);
    for cost in &explained.entities {
        sheet.push(vec![
            grouped(cost.events).into(),
            kept_as(cost).into(),
            grouped(cost.expected).into(),
            grouped(cost.worst).into(),
        ]);
    }
    sheet
}

fn accuracy(explained: &Explanation) -> Sheet {
    let mut sheet = Sheet::new(["feature", "aggregate", "accuracy"]);
    for feature in &explained.accuracy {
        let words = in_words(feature.accuracy);
        sheet.push(vec![
            feature.feature.as_str().into(),
            feature.text.as_str().into(),
            words.into(),
        ]);
    }
    sheet
}

fn in_words(accuracy: Accuracy) -> String {
    match accuracy {
        Accuracy::Exact => "exact".to_owned(),
        Accuracy::Rounded => "exact, rounded once".to_owned(),
        Accuracy::ByValue { values_max } => {
            format!("exact; {values_max} values apart, the others together")
        }
        Accuracy::Distinct { exact_max, standard_error: error } => {
            let percent = |sigmas: f64| format!("{:.2} %", sigmas * error * 100.0);
            format!(
                "exact to {exact_max} values in the window; above, standard error {}\n\
                 within {} in 95 %, within {} in 99.7 % of windows",
                percent(1.0),
                percent(2.0),
                percent(3.0)
            )
        }
        Accuracy::Quantile { relative_error } => {
            format!("within {:.0} % of the value of that rank", relative_error * 100.0)
        }
        Accuracy::Top { exact_max, error_share, probability, sample } => format!(
            "exact to {exact_max} values in the window; above, counts too high by at most {:.2} % of all events \
             in {:.1} % of cases\na value of share p is found with probability 1 - (1 - p)^{sample}",
            error_share * 100.0,
            probability * 100.0
        ),
        Accuracy::Decayed { weight_error, half_lives } => {
            format!("weights within {weight_error:e}; nothing older than {half_lives} half-lives")
        }
    }
}

/// A span in as many units as it takes: `7d 1m`.
fn in_parts(span_ms: i64) -> String {
    let units = [DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, 1];
    let mut rest = span_ms;
    let mut parts = Vec::new();
    for unit in units {
        let part = rest.div_euclid(unit) * unit;
        if part > 0 {
            parts.push(format_span(part));
        }
        rest -= part;
    }
    parts.join(" ")
}

/// Digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        let shown = [0, 999, 1_000, 12_345, 1_000_000].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,000,000"]);
        assert_eq!(in_parts(7 * DAY_MS + MINUTE_MS + 5), "7d 1m 5ms");
    }
}
