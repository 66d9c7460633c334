//! The end of a read: from what every window saw to the values of the columns.

use model::value::ValueRef;

use super::{Sink, pass::Pass};
use crate::{
    entity::cusum,
    finalize::{Found, finalize},
};

impl Pass<'_, '_> {
    pub(super) fn finish(&mut self, sink: Sink<'_>) {
        let mut text = std::mem::take(&mut self.text);
        if self.selection.distinct_cells > 0 {
            let at = (self.entity, self.x);
            self.tokens.count(self.plan, self.selection, at, &self.windows);
        }
        for (position, selected) in self.selection.columns.iter().enumerate() {
            let at = self.windows.get(selected.window).copied();
            let used = self.selection.cells.get(selected.cell);
            let (Some(at), Some(used)) = (at, used) else { continue };
            if selected.is_distinct() {
                let count = self.tokens.of(used.distinct, selected.window, self.windows.len());
                sink(position, Ok(Some(ValueRef::I64(count))));
                continue;
            }
            let Some(numbers) = self.results.numbers(selected.window).get(selected.cell) else {
                continue;
            };
            let edges = self.results.edges(selected.window);
            let found = Found {
                numbers,
                edges: used.edge.and_then(|edge| edges.get(edge)),
                summary: selected
                    .summary
                    .and_then(|place| self.results.summary(selected.window, place)),
                start: if at.is_lifetime { numbers.oldest } else { at.start },
                head: at.head,
            };
            if let Some(run) = cusum::Run::of(&selected.output) {
                let value = run.value(self.plan, self.entity, (used, numbers.count), at);
                sink(position, value);
                continue;
            }
            text.clear();
            sink(position, finalize(&selected.output, &found, &mut text));
        }
        self.text = text;
    }
}
