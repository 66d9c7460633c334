//! What a read passes over and how exactly a window covers what was asked for: the arithmetic of `plan/levels.rs` and
//! `entity/read/`, over every way that a window can lie.

use model::limits::{RAW_EVENTS_MAX, YOUNG_EVENTS_MAX};

use super::{EventBytes, ReadCost, WindowPlan, load::whole};
use crate::{
    entity::{BLOCK_TILES, BLOCKS_FROM, INBOX_BYTES, INBOX_EVENTS},
    plan::{Level, Span},
};

/// Most tiles at one end of a range that are in no whole block.
const LOOSE_TILES: u64 = BLOCK_TILES.unsigned_abs() - 1;
/// Most tiles of a table without blocks.
const UNBLOCKED_MAX: u64 = BLOCKS_FROM as u64 - 1;
/// A log grows by a quarter, and one event may not have had room.
const LOG_GROWS_BY: u64 = 4;

/// How far a window is from what was asked for, at most, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) over_ms: i64,
    pub(super) under_ms: i64,
    pub(super) shift_ms: i64,
}

/// The tail snaps outward to a hop; with an offset both ends snap alike, so that a length of whole hops is met exactly.
pub(super) fn coverage(span: &Span) -> Coverage {
    let none = Coverage { over_ms: 0, under_ms: 0, shift_ms: 0 };
    let rest = span.length_ms().rem_euclid(span.hop_ms());
    match (span.is_lifetime(), span.offset_ms) {
        (true, _) => none,
        (false, 0) => Coverage { over_ms: span.hop_ms() - 1, ..none },
        (false, _) if rest == 0 => Coverage { shift_ms: span.hop_ms() - 1, ..none },
        (false, _) => {
            Coverage { over_ms: span.hop_ms() - rest, under_ms: rest, shift_ms: span.hop_ms() - 1 }
        }
    }
}

/// Tiles and blocks that a read of these windows together merges, at most: of an entity that has every tile.
pub(super) fn merged_of_windows(plan: &WindowPlan, windows: &[usize]) -> u64 {
    let spans: Vec<&Span> = windows.iter().filter_map(|window| plan.window(*window)).collect();
    let levels = plan.levels.iter().enumerate();
    levels
        .map(|(index, level)| {
            let spans: Vec<&Span> =
                spans.iter().copied().filter(|span| span.level == index).collect();
            merged_of_level(level, &spans)
        })
        .sum()
}

fn merged_of_level(level: &Level, spans: &[&Span]) -> u64 {
    if spans.iter().any(|span| span.is_lifetime()) {
        return level.tiles_max();
    }
    // Where x is within a tile matters only for which ends are behind an edge.
    let mut within = vec![0, 1];
    for span in spans {
        for end in [span.offset_ms, span.offset_ms + span.length_ms()] {
            within.extend([end.rem_euclid(level.hop_ms), (end + 1).rem_euclid(level.hop_ms)]);
        }
    }
    let phases = (0..BLOCK_TILES).flat_map(|phase| within.iter().map(move |part| (phase, *part)));
    let merged = phases.map(|(phase, part)| {
        let slots = slots(spans, phase * level.hop_ms + part);
        let ranges = slots.iter().map(|(start, end)| {
            (start.div_euclid(level.hop_ms), (end - 1).div_euclid(level.hop_ms) + 1)
        });
        let all: i64 = ranges.clone().map(|(first, end)| end - first).sum();
        let blocked: u64 = ranges.map(|(first, end)| merged_of_range(first, end)).sum();
        blocked.max(all.unsigned_abs().min(UNBLOCKED_MAX))
    });
    merged.max().unwrap_or(0)
}

/// The ends of windows read at `x` cut time into slots.
fn slots(spans: &[&Span], x: i64) -> Vec<(i64, i64)> {
    let mut cuts: Vec<i64> = spans.iter().flat_map(|span| [span.start(x), span.head(x)]).collect();
    if !cuts.is_empty() {
        cuts.push(x);
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?))).collect()
}

/// Tiles and whole blocks from tile `first` on and before `end`.
fn merged_of_range(first: i64, end: i64) -> u64 {
    let first_block = -(-first).div_euclid(BLOCK_TILES);
    let end_block = end.div_euclid(BLOCK_TILES);
    let merged = if first_block < end_block {
        (first_block * BLOCK_TILES - first)
            + (end_block - first_block)
            + (end - end_block * BLOCK_TILES)
    } else {
        end - first
    };
    merged.unsigned_abs()
}

/// What a read of all columns passes over.
pub(super) fn cost(plan: &WindowPlan, event: &EventBytes) -> ReadCost {
    let all: Vec<usize> = (0..plan.windows.len()).collect();
    // Windows shorter than the horizon cut young tiles into slots.
    let near = |ms: i64| ms < plan.horizon_ms;
    let cuts =
        plan.windows.iter().flat_map(|span| [span.offset_ms, span.offset_ms + span.length_ms()]);
    let mut cuts: Vec<i64> = cuts.filter(|ms| *ms > 0 && near(*ms)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let young = (plan.horizon_ms.div_euclid(plan.young_hop_ms) + 2).unsigned_abs();
    let slots = cuts.len() as u64 + 1;
    let blocked = young / BLOCK_TILES.unsigned_abs() + slots * 2 * LOOSE_TILES;
    let kept = RAW_EVENTS_MAX as u64 + YOUNG_EVENTS_MAX as u64;
    let room = whole((INBOX_BYTES as f64).max(INBOX_EVENTS as f64 * event.expected));
    let inbox = (room + 16).div_ceil(event.least) + 1;
    ReadCost {
        tiles_merged_max: merged_of_windows(plan, &all),
        young_tiles_merged_max: young.min(blocked.max(UNBLOCKED_MAX)),
        raw_events_max: kept + kept / LOG_GROWS_BY + 2,
        inbox_events_max: YOUNG_EVENTS_MAX as u64 + inbox,
        young_hop_ms: plan.young_hop_ms,
    }
}
