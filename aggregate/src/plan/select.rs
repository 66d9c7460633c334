//! Selections: the columns of a read, and the least that has to be looked at for them.

use super::{CellUse, Needs, Output, SummaryUse, WindowPlan};
use crate::{entity::is_cusum, finalize::Recipe};

/// Columns to read together, compiled once.
#[derive(Debug, Clone, Default)]
pub struct ColumnSelection {
    pub(crate) columns: Vec<SelectedColumn>,
    /// Windows that some column is of, each once.
    pub(crate) windows: Vec<usize>,
    /// Cells that some column is of, with what those columns need.
    pub(crate) cells: Vec<CellUse>,
    /// What those need together.
    pub(crate) needs: Needs,
    /// Summaries that some column is of.
    pub(crate) summaries: Vec<SummaryUse>,
    /// True when some window ends before the time of a read.
    pub(crate) has_offsets: bool,
    pub(crate) edge_cells: usize,
    pub(crate) distinct_cells: usize,
    /// All columns are distinct counts in windows that end at the time of a read.
    is_of_distinct: bool,
    /// One for each column when numbers of windows that end at the time of a read are all there is to them; else none.
    pub(crate) numbers: Vec<NumberColumn>,
}

/// A column of a selection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SelectedColumn {
    pub(crate) column: usize,
    pub(crate) output: Output,
    /// Places in [`ColumnSelection::windows`] and [`ColumnSelection::cells`].
    pub(crate) window: usize,
    pub(crate) cell: usize,
    /// Place in [`ColumnSelection::summaries`], where it is of one.
    pub(crate) summary: Option<usize>,
}

/// A column whose values are eight bytes, made of one cell's numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberColumn {
    /// As in [`SelectedColumn`].
    pub(crate) window: usize,
    pub(crate) cell: usize,
    pub(crate) recipe: Recipe,
}

impl SelectedColumn {
    pub(crate) fn is_distinct(&self) -> bool {
        Needs::of(self.output.function, self.output.by.is_some()).distinct
    }
}

impl ColumnSelection {
    /// Number of columns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// True when no column needs more of an event than its time and number.
    pub(crate) fn needs_numbers_only(&self) -> bool {
        self.summaries.is_empty() && self.edge_cells == 0 && self.distinct_cells == 0
    }

    /// True when every value is eight bytes and made of the numbers of a window that ends at the time of the read: then
    /// [`crate::EntityView::read_numbers`] reads it.
    #[must_use]
    pub fn is_of_numbers(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// True when every column is a distinct count in a window that ends at the time of the read.
    pub(crate) fn is_of_distinct(&self) -> bool {
        self.is_of_distinct
    }

    /// Where each of the windows read starts at `x`, in ms, in no order: `i64::MIN` for `all`.
    pub fn window_starts(&self, plan: &WindowPlan, x: i64) -> impl Iterator<Item = i64> {
        let spans = self.windows.iter().filter_map(|window| plan.window(*window));
        spans.map(move |span| if span.is_lifetime() { i64::MIN } else { span.start(x) })
    }

    /// True without columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

impl WindowPlan {
    /// Compiles a read of `columns`, indexes of the group's columns, in the order values are wanted.
    ///
    /// # Panics
    /// When the group has no such column.
    #[must_use]
    pub fn select(&self, columns: &[usize]) -> ColumnSelection {
        let mut selection = ColumnSelection::default();
        for column in columns.iter().copied() {
            let output = *self.outputs.get(column).expect("columns are numbered by the definition");
            let window = place(&mut selection.windows, output.window);
            let span = self.windows.get(output.window);
            selection.has_offsets |= span.is_some_and(|span| span.offset_ms > 0);
            let needs = Needs::of(output.function, output.by.is_some());
            let known = selection.cells.iter().position(|used| used.cell == output.cell);
            let cell = known.unwrap_or_else(|| {
                let cell = self.cells.get(output.cell).expect("outputs name cells of their plan");
                selection.cells.push(CellUse::new(output.cell, cell, needs, (None, None)));
                selection.cells.len() - 1
            });
            if let Some(used) = selection.cells.get_mut(cell) {
                used.needs = used.needs.or(needs);
            }
            let summary = output.summary.and_then(|index| self.all_summaries.get(index));
            let summary = summary.map(|used| {
                let like = |known: &SummaryUse| known.summary == used.summary;
                selection.summaries.iter().position(like).unwrap_or_else(|| {
                    selection.summaries.push(*used);
                    selection.summaries.len() - 1
                })
            });
            selection.columns.push(SelectedColumn { column, output, window, cell, summary });
        }
        let (mut edges, mut distinct) = (0, 0);
        for used in &mut selection.cells {
            selection.needs = selection.needs.or(used.needs);
            used.edge = used.needs.edge().then_some(edges);
            edges += usize::from(used.needs.edge());
            used.distinct = used.needs.distinct.then_some(distinct);
            distinct += usize::from(used.needs.distinct);
        }
        (selection.edge_cells, selection.distinct_cells) = (edges, distinct);
        selection.is_of_distinct =
            !selection.has_offsets && selection.columns.iter().all(SelectedColumn::is_distinct);
        if selection.needs_numbers_only() && !selection.has_offsets {
            let numbers = selection.columns.iter().map(|selected| {
                let SelectedColumn { window, cell, .. } = *selected;
                let recipe =
                    Recipe::of(&selected.output).filter(|_| !is_cusum(&selected.output))?;
                Some(NumberColumn { window, cell, recipe })
            });
            selection.numbers = numbers.collect::<Option<_>>().unwrap_or_default();
        }
        selection
    }
}

fn place(list: &mut Vec<usize>, item: usize) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}
