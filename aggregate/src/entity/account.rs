//! What a holder of many entities asks about one without reading it: how old it is, and which columns its bytes are for.

use super::{EntityView, level::LevelState};
use crate::{
    plan::{Needs, Output, TileField, TileFieldKind, WindowPlan},
    raw::{self, ColumnValue, Records},
    tile::TileTable,
    varint,
};

impl EntityView<'_> {
    /// The time, in ms, of the raw event that came first; `None` without raw events. Nothing but this one needs to be looked at
    /// to leave a cold entity alone.
    #[must_use]
    pub fn first_time(self) -> Option<i64> {
        (!self.log.is_empty()).then(|| raw::base(self.log))
    }
}

/// Bytes of entities, each charged to the columns of the group that need it: in equal parts where several do, and to all where
/// none does more than another, as for the times of events.
#[derive(Debug)]
pub struct ColumnAccount<'p> {
    plan: &'p WindowPlan,
    /// Which columns of the group read each column of the raw log.
    raw: Vec<Vec<usize>>,
    /// Which need each field of a tile.
    fields: Vec<Vec<usize>>,
    /// Which count with each distinct state.
    distinct: Vec<Vec<usize>>,
    everyone: Vec<usize>,
    bytes: Vec<f64>,
}

impl WindowPlan {
    /// An account in which nothing is charged yet.
    #[must_use]
    pub fn account(&self) -> ColumnAccount<'_> {
        let everyone: Vec<_> = (0..self.column_count()).collect();
        let who = |needs: &dyn Fn(&Output) -> bool| -> Vec<usize> {
            let outputs = everyone.iter().filter(|column| self.output(**column).is_some_and(needs));
            outputs.copied().collect()
        };
        let reads = |raw: usize| who(&|output| self.reads(output, raw));
        let fields = self.tile_fields().iter();
        let counts = |state: usize| {
            who(&|output| {
                let cell = self.cells().get(output.cell);
                needs(output).distinct && cell.and_then(|cell| cell.distinct) == Some(state)
            })
        };
        ColumnAccount {
            plan: self,
            raw: (0..self.columns().len()).map(reads).collect(),
            fields: fields.map(|field| who(&|output| is_for(field, output))).collect(),
            distinct: (0..self.distinct_cells()).map(counts).collect(),
            bytes: vec![0.0; everyone.len()],
            everyone,
        }
    }

    /// True when `output` is made of column `raw` of the raw log.
    fn reads(&self, output: &Output, raw: usize) -> bool {
        let Some(cell) = self.cells().get(output.cell) else { return false };
        let needs = needs(output);
        if needs.distinct {
            return cell.token == Some(raw);
        }
        let is_count = output.summary.is_none() && needs == Needs::default();
        !is_count && [cell.number, cell.packed, cell.key].contains(&Some(raw))
    }
}

fn needs(output: &Output) -> Needs {
    Needs::of(output.function, output.by.is_some())
}

fn is_for(field: &TileField, output: &Output) -> bool {
    let needs = needs(output);
    field.cell == output.cell
        && match field.kind {
            TileFieldKind::Count => !needs.distinct,
            TileFieldKind::Sum => needs.sum,
            TileFieldKind::Squares => needs.squares,
            TileFieldKind::Min => needs.min,
            TileFieldKind::Max => needs.max,
            TileFieldKind::Oldest | TileFieldKind::Newest => needs.times,
            TileFieldKind::First => needs.first,
            TileFieldKind::Last => needs.last,
            TileFieldKind::Summary(index) => output.summary == Some(index),
        }
}

impl ColumnAccount<'_> {
    /// Charges an entity, and `beside` bytes that its holder has for it: key, index, what a block rounds up.
    pub fn add(&mut self, entity: EntityView<'_>, beside: usize) {
        let everyone = self.everyone.clone();
        self.charge(&everyone, None, beside as f64);
        self.log(entity.log);
        let Some(grown) = entity.grown else { return };
        let mut charged = entity.log.len() as f64;
        for (_, log) in &grown.young.logs {
            self.log(log);
            charged += log.len() as f64;
        }
        charged -= entity.log.len() as f64;
        for (index, level) in grown.levels.iter().enumerate() {
            charged += self.level(index, level);
        }
        // Vectors' room, sums of young tiles.
        self.charge(&everyone, None, (grown.bytes() as f64 - charged).max(0.0));
    }

    /// Bytes charged to each column of the group.
    #[must_use]
    pub fn bytes(&self) -> &[f64] {
        &self.bytes
    }

    /// Divides `bytes` between `users`, with a level only between those whose window is on it; between all when there are none.
    fn charge(&mut self, users: &[usize], level: Option<usize>, bytes: f64) {
        let plan = self.plan;
        let on_level = |column: &&usize| {
            let window = plan.output(**column).and_then(|output| plan.window(output.window));
            level.is_none() || window.map(|window| window.level) == level
        };
        let users = if users.is_empty() { &self.everyone } else { users };
        let count = users.iter().filter(on_level).count();
        for column in users.iter().filter(on_level) {
            if let Some(place) = self.bytes.get_mut(*column) {
                *place += bytes / count as f64;
            }
        }
    }

    fn log(&mut self, log: &[u8]) {
        let mut sums = vec![0; self.raw.len()];
        let (mut records, mut values) = (Records::new(self.plan, log), Vec::new());
        while records.next(&mut values).is_some() {
            for (sum, value) in sums.iter_mut().zip(&values) {
                *sum += match value {
                    ColumnValue::Absent => 0,
                    ColumnValue::Number(number) => varint::length(varint::zigzag(*number)),
                    ColumnValue::Token(_) => 4,
                    ColumnValue::Packed(bytes) => varint::length(bytes.len() as u64) + bytes.len(),
                };
            }
        }
        let rest = log.len().saturating_sub(sums.iter().sum());
        let raw = std::mem::take(&mut self.raw);
        for (users, sum) in raw.iter().zip(&sums) {
            self.charge(users, None, *sum as f64);
        }
        self.raw = raw;
        let everyone = self.everyone.clone();
        self.charge(&everyone, None, rest as f64);
    }

    /// What was charged.
    fn level(&mut self, index: usize, level: &LevelState) -> f64 {
        let mut charged = self.table(index, &level.tiles) + self.table(index, &level.blocks);
        let distinct = std::mem::take(&mut self.distinct);
        for (users, state) in distinct.iter().zip(&level.distinct) {
            self.charge(users, Some(index), state.bytes() as f64);
            charged += state.bytes() as f64;
        }
        self.distinct = distinct;
        charged
    }

    fn table(&mut self, level: usize, table: &TileTable) -> f64 {
        let (_, widths, _, heap) = table.parts();
        let tiles = table.len();
        let blobs = self.plan.blob_fields().count();
        let fields = std::mem::take(&mut self.fields);
        let mut charged = 0.0;
        // The first width is that of the tile number, which is everybody's.
        let numbers = widths.first().map_or(0, |width| usize::from(*width) * tiles);
        self.charge(&[], Some(level), numbers as f64);
        for (at, (users, width)) in fields.iter().zip(widths.iter().skip(1)).enumerate() {
            let is_blob = self.plan.tile_fields().get(at).is_some_and(|field| field.kind.is_blob());
            let heap = if is_blob { heap.len() as f64 / blobs as f64 } else { 0.0 };
            let bytes = (usize::from(*width) * tiles) as f64 + heap;
            self.charge(users, Some(level), bytes);
            charged += bytes;
        }
        self.fields = fields;
        charged + numbers as f64
    }
}

#[cfg(test)]
mod tests {
    use model::{
        time::{DAY_MS, SECOND_MS},
        value::ValueRef,
    };

    use super::*;
    use crate::{
        EntityWindows,
        plan::{PreparedEvent, tests::plan},
    };

    fn entity(plan: &WindowPlan, events: i64) -> EntityWindows {
        let mut windows = EntityWindows::default();
        let mut event = PreparedEvent::default();
        for number in 0..events {
            let (time, text) = (number * 20 * SECOND_MS, format!("a longer text {}", number % 50));
            let fields = [
                Some(ValueRef::Timestamp(time)),
                Some(ValueRef::I64(number)),
                None,
                Some(ValueRef::String(&text)),
                None,
            ];
            plan.prepare(&fields, time, b"id", &mut event).expect("valid");
            windows.update(plan, &event, time);
        }
        if events > 1000 {
            windows.compact(plan, events * 20 * SECOND_MS + DAY_MS / 2);
        }
        windows
    }

    #[test]
    fn every_byte_is_charged_to_those_that_need_it() {
        let features =
            "n = \"count(*)\"\ns = \"sum(i)\"\nd = \"approx_distinct(s)\"\nl = \"last(s)\"";
        let plan = plan("windows = [\"1h\", \"24h\"]", features);
        for events in [3, 3000] {
            let entity = entity(&plan, events);
            let mut account = plan.account();
            account.add(entity.view(), 20);
            let whole: f64 = account.bytes().iter().sum();
            let (log, grown) = entity.into_parts();
            let expected = 20 + log.len() + grown.as_ref().map_or(0, |grown| grown.bytes());
            assert!((whole - expected as f64).abs() < 0.5, "{whole} of {expected} bytes");
            let feature = |at: usize| account.bytes()[2 * at] + account.bytes()[2 * at + 1];
            assert!(feature(1).min(feature(2)) > feature(0), "counts need nothing of their own");
            assert!(events > 3 || feature(3) > feature(2), "texts are longer than tokens");
        }
    }
}
