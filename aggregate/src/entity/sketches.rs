//! Distinct sets of a window as Apache DataSketches HLL sketches, out and in: what Java, Python and Spark read and write.

use model::definition::AggregateFunction;

use super::{EntityView, EntityWindows, level::LevelState};
use crate::{
    Error,
    distinct::{
        counter::{Counter, WindowSet},
        datasketches,
    },
    plan::{Cell, WindowPlan},
    raw::{ColumnValue, Records},
};

impl WindowPlan {
    /// The cell and level of a column that counts distinct values.
    fn distinct_column(&self, column: usize) -> Option<(&Cell, usize)> {
        let output = self.output(column)?;
        let is_distinct = matches!(output.function, AggregateFunction::ApproxDistinct { .. });
        let window = self.window(output.window)?;
        self.cells().get(output.cell).filter(|_| is_distinct).map(|cell| (cell, window.level))
    }
}

impl EntityView<'_> {
    /// The values that `approx_distinct` column `column` counts at `x`, as the bytes of a DataSketches HLL sketch of the
    /// feature's precision: a list or set of coupons up to 512 values, registers of 8 bits above. `None` when the column counts
    /// no distinct values. Strings and bytes are hashed as they are, numbers as 8 bytes, so that a union with a sketch made
    /// elsewhere counts nothing twice.
    #[must_use]
    pub fn export_distinct(self, plan: &WindowPlan, column: usize, x: i64) -> Option<Vec<u8>> {
        let (cell, index) = plan.distinct_column(column)?;
        let level = plan.levels().get(index)?;
        let start = plan.output(column).and_then(|output| plan.window(output.window))?.start(x);
        let mut counter = Counter::default();
        counter.reset(cell.precision);
        let young =
            self.grown.into_iter().flat_map(|grown| grown.young.raw(plan, i64::MIN, i64::MAX));
        let mut values = Vec::new();
        for mut records in std::iter::once(Records::new(plan, self.log)).chain(young) {
            while let Some(record) = records.next(&mut values) {
                let token = cell.token.and_then(|column| values.get(column));
                if let (true, true, Some(ColumnValue::Token(token))) =
                    (record.time < x, record.counts_in(cell.bit), token)
                {
                    counter.raw(level.tile(record.time), *token);
                }
            }
        }
        let state =
            self.grown.and_then(|grown| grown.levels.get(index)?.distinct.get(cell.distinct?));
        let set = counter.set(state, level.tile(start));
        Some(datasketches::export(cell.precision, &set))
    }
}

impl EntityWindows {
    /// Adds the values of a DataSketches HLL sketch to what `approx_distinct` column `column` counts, in every window of its
    /// feature, as if they had come at `event_time`. Other features see nothing of them. A sketch of registers has no values
    /// any more: windows that see it are estimated, however few values they have.
    ///
    /// # Errors
    /// [`Error::Sketch`] when the bytes are no such sketch or a less precise one, when the column counts no distinct values, and
    /// when `event_time` is not older than the horizon: until then, reads tell events apart by the millisecond.
    pub fn import_distinct(
        &mut self,
        plan: &WindowPlan,
        column: usize,
        (event_time, now): (i64, i64),
        bytes: &[u8],
    ) -> Result<(), Error> {
        let refused = |reason: String| Error::Sketch(reason);
        let (cell, _) = plan
            .distinct_column(column)
            .ok_or_else(|| refused(format!("column {column} counts no distinct values")))?;
        let floor = plan.floor(now);
        if event_time >= floor {
            let reason = format!("time {event_time} is not before {floor}, now less the horizon");
            return Err(refused(reason));
        }
        let set = datasketches::import(cell.precision, bytes)
            .map_err(|error| refused(error.to_string()))?;
        let grown = self.grown.get_or_insert_default();
        grown.levels.resize_with(plan.levels().len(), LevelState::default);
        for (state, level) in grown.levels.iter_mut().zip(plan.levels()) {
            let (tile, first_live) = (level.tile(event_time), level.first_live_tile(floor));
            state.make_distinct(plan);
            if tile < first_live {
                continue;
            }
            let Some(state) = cell.distinct.and_then(|place| state.distinct.get_mut(place)) else {
                continue;
            };
            state.forget_before(first_live);
            match &set {
                WindowSet::Tokens(tokens) => {
                    tokens.iter().for_each(|token| state.insert(tile, *token));
                }
                WindowSet::Registers(registers) => state.insert_registers(tile, registers),
            }
        }
        if grown.is_empty() {
            self.grown = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ::datasketches::{
        hash::value::raw_bytes,
        hll::{HllSketch, HllType},
    };
    use model::value::ValueRef;

    use super::*;
    use crate::{PreparedEvent, plan::tests::plan};

    fn theirs(values: std::ops::Range<u32>) -> HllSketch {
        let mut sketch = HllSketch::new(12, HllType::Hll8).expect("12 is a precision");
        values.for_each(|value| sketch.update(raw_bytes::from_str(&format!("v{value}"))));
        sketch
    }

    fn ours(plan: &WindowPlan, values: std::ops::Range<u32>, now: i64) -> EntityWindows {
        let (mut entity, mut event) = (EntityWindows::default(), PreparedEvent::default());
        for value in values {
            let text = format!("v{value}");
            let fields = [None, None, None, Some(ValueRef::String(&text)), None];
            plan.prepare(&fields, 1000, b"", &mut event).expect("no expression fails");
            entity.update(plan, &event, now);
        }
        entity
    }

    #[test]
    fn a_union_with_a_sketch_made_elsewhere_counts_nothing_twice() {
        let plan = plan("windows = [\"24h\"]", "a = \"approx_distinct(s)\"");
        let now = 3_600_000;
        for (mine, foreign, all) in [(0..200, 100..300, 300), (0..5000, 2500..7500, 7500)] {
            let mut entity = ours(&plan, mine.clone(), now);
            let exported = entity.view().export_distinct(&plan, 0, now).expect("it counts");
            let back = HllSketch::deserialize(&exported).expect("DataSketches reads it");
            let n = f64::from(mine.end);
            assert!((back.composite_estimate() / n - 1.0).abs() < 0.05, "{n}");
            let bytes = theirs(foreign).serialize();
            entity.import_distinct(&plan, 0, (1000, now), &bytes).expect("it is a sketch");
            let exported = entity.view().export_distinct(&plan, 0, now).expect("it counts");
            let back = HllSketch::deserialize(&exported).expect("DataSketches reads it");
            let error = back.composite_estimate() / f64::from(all) - 1.0;
            assert!(error.abs() < 0.05, "{all}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_imported_is_refused_with_the_reason() {
        let plan = plan("windows = [\"24h\"]", "a = \"approx_distinct(s)\"\nn = \"count(*)\"");
        let mut entity = EntityWindows::default();
        let bytes = theirs(0..3).serialize();
        let mut message = |column, time, bytes: &[u8]| {
            let refused = entity.import_distinct(&plan, column, (time, 3_600_000), bytes);
            refused.expect_err("it is refused").to_string()
        };
        assert!(message(0, 3_590_000, &bytes).contains("not before 3540000"));
        assert!(message(1, 1000, &bytes).contains("column 1 counts no distinct values"));
        assert!(message(0, 1000, b"no sketch").contains("DataSketches HLL"));
        assert!(entity.is_empty());
    }

    #[test]
    fn a_state_that_imported_a_sketch_reads_back() {
        let plan = plan("windows = [\"1h\", \"30d\"]", "a = \"approx_distinct(s)\"");
        let (mut entity, now) = (EntityWindows::default(), 20 * 86_400_000);
        let bytes = theirs(0..100).serialize();
        // Ten days back: only the longer window sees it.
        entity.import_distinct(&plan, 1, (now / 2, now), &bytes).expect("it is a sketch");
        let mut encoded = Vec::new();
        entity.encode(&mut encoded);
        let decoded = EntityWindows::decode(&plan, &encoded).expect("it was encoded");
        assert_eq!(decoded.digest(&plan, now), entity.digest(&plan, now));
        assert_ne!(decoded.digest(&plan, now), EntityWindows::default().digest(&plan, now));
    }
}
