//! `cusum`: a fold over the tiles of a window in the order of time.
//!
//! What one tile adds depends only on its count and sum, so raw events are added up by tile first; where an event is kept does
//! not show.

use std::collections::BTreeMap;

use model::{
    definition::{AggregateFunction, CusumSide},
    value::ValueRef,
};

use super::{EntityView, level::LevelState, read::WindowAt};
use crate::{
    Overflow,
    finalize::exact,
    partial::Numbers,
    plan::{CellUse, Output, WindowPlan},
    raw::{ColumnValue, Records},
    sketch::cusum::Cusum,
    tile::CellFields,
};

/// One `cusum` to compute.
pub(super) struct Run<'o> {
    output: &'o Output,
    side: CusumSide,
    target: i64,
    slack: i64,
}

/// Count and sum of each tile.
type Tiles = BTreeMap<i64, (u64, i128)>;

/// True for a column that is not made of numbers and edges alone.
pub(crate) fn is_cusum(output: &Output) -> bool {
    Run::of(output).is_some()
}

impl<'o> Run<'o> {
    /// `None` when `output` is something else.
    pub(super) fn of(output: &'o Output) -> Option<Self> {
        match output.function {
            AggregateFunction::Cusum { side, target, slack } => {
                Some(Self { output, side, target, slack })
            }
            _ => None,
        }
    }

    /// The value of a window that `count` events count in; null for none.
    ///
    /// # Errors
    /// [`Overflow`] when it does not fit.
    pub(super) fn value(
        &self,
        plan: &WindowPlan,
        entity: EntityView<'_>,
        (used, count): (&CellUse, u64),
        at: WindowAt,
    ) -> Result<Option<ValueRef<'static>>, Overflow> {
        if count == 0 {
            return Ok(None);
        }
        let mut state = Cusum::default();
        for (count, sum) in tiles_of(plan, entity, used, at).into_values() {
            state.step(count, sum, self.target, self.slack);
        }
        let sum = match self.side {
            CusumSide::Both => state.high.max(state.low),
            CusumSide::High => state.high,
            CusumSide::Low => state.low,
        };
        exact(self.output.element, self.output.input, sum).map(Some)
    }
}

fn tiles_of(plan: &WindowPlan, entity: EntityView<'_>, used: &CellUse, at: WindowAt) -> Tiles {
    let mut tiles = Tiles::new();
    let Some(level) = plan.levels().get(at.level) else { return tiles };
    let young_hop = plan.young_hop_ms();
    let cut = at.head.div_euclid(young_hop);
    let mut values = Vec::new();
    let mut add = |tile: i64, count: u64, sum: i128| {
        let place = tiles.entry(tile).or_insert((0, 0));
        *place = (place.0.wrapping_add(count), place.1.wrapping_add(sum));
    };
    let head_logs = entity.grown.map(|grown| grown.young.raw(plan, cut, cut.saturating_add(1)));
    let logs = std::iter::once(Records::new(plan, entity.log));
    for mut records in logs.chain(head_logs.into_iter().flatten()) {
        while let Some(record) = records.next(&mut values) {
            let is_inside = (at.start..at.head).contains(&record.time);
            let number = used.number.and_then(|column| values.get(column));
            if let (true, Some(ColumnValue::Number(number))) =
                (is_inside && record.counts_in(used.bit), number)
            {
                add(level.tile(record.time), 1, i128::from(*number));
            }
        }
    }
    let Some(grown) = entity.grown else { return tiles };
    let first = at.start.div_euclid(young_hop);
    of_table(plan, &grown.young.sums, used, (first, cut), |number, count, sum| {
        add(level.tile(number.saturating_mul(young_hop)), count, sum);
    });
    if let Some(state) = grown.levels.get(at.level) {
        let end = level.tile(at.head.saturating_sub(1)) + 1;
        of_table(plan, state, used, (level.tile(at.start), end), add);
    }
    tiles
}

fn of_table(
    plan: &WindowPlan,
    state: &LevelState,
    used: &CellUse,
    (first, end): (i64, i64),
    mut add: impl FnMut(i64, u64, i128),
) {
    let mut places = Vec::new();
    state.tiles.places(&mut places);
    let Some(cell) = plan.cells().get(used.cell) else { return };
    let fields = CellFields::new(cell, &places);
    for tile in state.tiles.range(first, end) {
        let mut numbers = Numbers::default();
        tile.merge_numbers(&fields, used, &mut numbers);
        if numbers.count > 0 {
            add(tile.number, numbers.count, numbers.sum);
        }
    }
}
