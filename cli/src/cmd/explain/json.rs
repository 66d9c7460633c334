//! An explanation as one JSON object: everything there is, in bytes, ms and shares.

use engine::explain::{Accuracy, Explanation, FeatureAccuracy, SLOT_BYTES, WindowExplained};
use model::name::Name;
use serde_json::{Value as Json, json};

pub(super) fn of(group: &Name, explained: &Explanation) -> Json {
    let Explanation { load, event, read, retention, .. } = explained;
    let list = |items: Vec<Json>| Json::Array(items);
    let cells = explained.cells.iter();
    let levels = explained.levels.iter();
    let entities = explained.entities.iter();
    json!({
        "group": group.as_str(),
        "load": {
            "number_max": load.number_max, "text_bytes": load.text_bytes, "id_bytes": load.id_bytes,
            "values": load.values, "filter_share": load.filter_share,
        },
        "span_ms": explained.span_ms,
        "event_bytes": {"least": event.least, "expected": tenths(event.expected), "most": event.most},
        "cells": list(cells.map(|cell| json!({"features": cell.features, "keeps": cell.keeps})).collect()),
        "levels": list(levels.map(|level| json!({
            "hop_ms": level.hop_ms, "windows": level.windows, "tiles_max": level.tiles_max,
            "tile_bytes": tenths(level.tile_bytes),
        })).collect()),
        "slot_bytes": SLOT_BYTES,
        "entities": list(entities.map(|cost| json!({
            "events": cost.events, "is_tiled": cost.is_tiled, "expected_bytes": cost.expected,
            "worst_bytes": cost.worst,
        })).collect()),
        "windows": list(explained.windows.iter().map(window).collect()),
        "read": {
            "tiles_merged_max": read.tiles_merged_max, "young_tiles_merged_max": read.young_tiles_merged_max,
            "raw_events_max": read.raw_events_max, "inbox_events_max": read.inbox_events_max,
            "young_hop_ms": read.young_hop_ms,
        },
        "retention": {
            "horizon_ms": retention.horizon_ms, "accepted_ms": retention.accepted_ms,
            "forgotten_ms": retention.forgotten_ms,
        },
        "features": list(explained.accuracy.iter().map(feature).collect()),
    })
}

fn window(window: &WindowExplained) -> Json {
    json!({
        "window": window.label, "length_ms": window.length_ms, "hop_ms": window.hop_ms,
        "offset_ms": window.offset_ms, "over_ms_max": window.over_ms_max, "under_ms_max": window.under_ms_max,
        "shift_ms_max": window.shift_ms_max, "over_share": window.over_share,
        "tiles_merged_max": window.tiles_merged_max,
    })
}

fn feature(feature: &FeatureAccuracy) -> Json {
    let accuracy = match feature.accuracy {
        Accuracy::Exact => json!({"is": "exact"}),
        Accuracy::Rounded => json!({"is": "rounded"}),
        Accuracy::ByValue { values_max } => json!({"is": "exact", "values_max": values_max}),
        Accuracy::Distinct { exact_max, standard_error } => {
            json!({"is": "approximate", "exact_max": exact_max, "standard_error": standard_error})
        }
        Accuracy::Quantile { relative_error } => {
            json!({"is": "approximate", "relative_error": relative_error})
        }
        Accuracy::Top { exact_max, error_share, probability, sample } => json!({
            "is": "approximate", "exact_max": exact_max, "error_share": error_share,
            "probability": probability, "sample": sample,
        }),
        Accuracy::Decayed { weight_error, half_lives } => {
            json!({"is": "approximate", "weight_error": weight_error, "half_lives": half_lives})
        }
    };
    json!({"feature": feature.feature, "aggregate": feature.text, "accuracy": accuracy})
}

/// Rounded to a tenth.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
