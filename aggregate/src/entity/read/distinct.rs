//! Reads of distinct counts alone, of an entity whose events are all in its log: most entities are like that.
//!
//! There are so few tokens that they are counted one by one, without slots, partials and registers.

use model::{limits::DISTINCT_EXACT_MAX, value::ValueRef};

use super::{ReadScratch, Sink, emptied};
use crate::{
    entity::EntityView,
    plan::{ColumnSelection, WindowPlan},
    raw::Records,
};

/// The longest log that is read so. A token takes four bytes of it: in a longer one there may be more than are counted one by one.
const LOG_BYTES_MAX: usize = size_of::<u32>() * DISTINCT_EXACT_MAX;

impl EntityView<'_> {
    /// True when [`EntityView::read_distinct`] reads it.
    pub(super) fn has_few_tokens(self) -> bool {
        self.grown.is_none() && self.log.len() <= LOG_BYTES_MAX
    }

    /// Reads a selection that [is of distinct counts](ColumnSelection::is_of_distinct), of an entity that has few tokens, at `x`.
    pub(super) fn read_distinct(
        self,
        plan: &WindowPlan,
        selection: &ColumnSelection,
        x: i64,
        scratch: &mut ReadScratch,
        sink: Sink<'_>,
    ) {
        let ReadScratch { tokens, cuts: starts, .. } = scratch;
        let mut values = emptied(std::mem::take(&mut scratch.values));
        tokens.reset(selection.distinct_cells);
        let mut records = Records::new(plan, self.log);
        while let Some(record) = records.next(&mut values) {
            if record.time < x {
                tokens.record(&selection.cells, &record, &values);
            }
        }
        scratch.values = emptied(values);
        starts.clear();
        // What lies before a window lies before its first tile: windows start at tile edges.
        let spans = selection.windows.iter().filter_map(|window| plan.window(*window));
        starts.extend(spans.map(|span| span.start(x)));
        tokens.count_raw(selection.distinct_cells, starts);
        for (position, column) in selection.columns.iter().enumerate() {
            let Some(used) = selection.cells.get(column.cell) else { continue };
            let count = tokens.of(used.distinct, column.window, starts.len());
            sink(position, Ok(Some(ValueRef::I64(count))));
        }
    }
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;
    use crate::{EntityWindows, PreparedEvent, ReadAt, plan::tests::plan};

    const HOUR: i64 = 3_600_000;
    /// Features of the group below; the last one is no distinct count.
    const FEATURES: usize = 4;

    fn counts(entity: &EntityWindows, plan: &WindowPlan, columns: &[usize], x: i64) -> Vec<i64> {
        let (selection, mut counts) = (plan.select(columns), vec![-1; columns.len()]);
        let at = ReadAt::Exact { x };
        entity.read(plan, &selection, at, &mut ReadScratch::default(), &mut |position, value| {
            let value = value.expect("it fits").and_then(|value| value.to_word());
            counts[position] = i64::from_le_bytes(value.expect("a count"));
        });
        counts
    }

    /// Beside another aggregate they are counted in the other way.
    #[test]
    fn alone_they_are_what_they_are_beside_others() {
        let plan = plan(
            "windows = [\"5m\", \"24h\", \"7d\", \"all\"]",
            "a = \"approx_distinct(s)\"\nb = \"approx_distinct(i)\"\n\
             c = \"approx_distinct(s) filter (where b)\"\nn = \"count(*)\"",
        );
        let columns = 0..plan.column_count();
        let (distinct, others): (Vec<_>, Vec<_>) =
            columns.partition(|column| plan.select(&[*column]).is_of_distinct());
        assert_eq!(others.len() * (FEATURES - 1), distinct.len());
        let is_estimated = |count: &i64| *count > i64::try_from(DISTINCT_EXACT_MAX).expect("few");
        let (mut alone, mut beside, mut many_raw) = (0, 0, 0);
        for seed in 0..300 {
            let mut random = Prng::new(seed);
            let now = 1_000 * 24 * HOUR;
            let (mut entity, mut event) = (EntityWindows::default(), PreparedEvent::default());
            let (most, kinds) = (random.between(0, 3), random.between(1, 2_000));
            for _ in 0..random.between(0, 10_i64.pow(u32::try_from(most).expect("few")).min(1_000))
            {
                let text = format!("s{}", random.between(0, kinds));
                let fields = [
                    None,
                    random.chance(0.9).then_some(ValueRef::I64(random.between(0, kinds))),
                    None,
                    random.chance(0.9).then_some(ValueRef::String(&text)),
                    Some(ValueRef::Bool(random.chance(0.5))),
                ];
                let oldest = HOUR << random.between(0, 8);
                let column = distinct[usize::try_from(random.below(8)).expect("few")];
                // Many are the first or the last of a window, or the one before that.
                let time = match random.below(4) {
                    0 => plan.window_start(column, now + 1).saturating_sub(random.between(0, 1)),
                    _ => now - random.between(0, oldest),
                };
                let time = time.max(now - 400 * 24 * HOUR);
                plan.prepare(&fields, time, b"", &mut event).expect("nothing overflows");
                entity.update(&plan, &event, now);
            }
            for x in [now + 1, now, now - random.between(0, 30_000)] {
                let all: Vec<_> = distinct.iter().chain(&others).copied().collect();
                let wanted = counts(&entity, &plan, &all, x);
                assert_eq!(
                    counts(&entity, &plan, &distinct, x),
                    wanted[..distinct.len()],
                    "seed {seed}"
                );
                let few = entity.view().has_few_tokens();
                *(if few { &mut alone } else { &mut beside }) += 1;
                many_raw += usize::from(entity.grown.is_none() && wanted.iter().any(is_estimated));
            }
        }
        assert!(alone > 300 && beside > 100 && many_raw > 5, "{alone} {beside} {many_raw}");
    }
}
