//! Selections: the columns of a read, and the least that has to be looked at for them.

use super::{CellUse, Needs, Output, WindowPlan};

/// Columns to read together, compiled once.
#[derive(Debug, Clone, Default)]
pub struct ColumnSelection {
    pub(crate) columns: Vec<SelectedColumn>,
    /// Windows that some column is of, each once.
    pub(crate) windows: Vec<usize>,
    /// Cells that some column is of, with what those columns need.
    pub(crate) cells: Vec<CellUse>,
    pub(crate) edge_cells: usize,
    pub(crate) distinct_cells: usize,
}

/// A column of a selection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SelectedColumn {
    pub(crate) column: usize,
    pub(crate) output: Output,
    /// Places in [`ColumnSelection::windows`] and [`ColumnSelection::cells`].
    pub(crate) window: usize,
    pub(crate) cell: usize,
}

impl SelectedColumn {
    pub(crate) fn is_distinct(&self) -> bool {
        Needs::of(self.output.function).distinct
    }
}

impl ColumnSelection {
    /// Number of columns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.len()
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
            let needs = Needs::of(output.function);
            let known = selection.cells.iter().position(|used| used.cell == output.cell);
            let cell = known.unwrap_or_else(|| {
                let cell = self.cells.get(output.cell).expect("outputs name cells of their plan");
                selection.cells.push(CellUse::new(output.cell, cell, needs, (None, None)));
                selection.cells.len() - 1
            });
            if let Some(used) = selection.cells.get_mut(cell) {
                used.needs = used.needs.or(needs);
            }
            selection.columns.push(SelectedColumn { column, output, window, cell });
        }
        let (mut edges, mut distinct) = (0, 0);
        for used in &mut selection.cells {
            used.edge = used.needs.edge().then_some(edges);
            edges += usize::from(used.needs.edge());
            used.distinct = used.needs.distinct.then_some(distinct);
            distinct += usize::from(used.needs.distinct);
        }
        (selection.edge_cells, selection.distinct_cells) = (edges, distinct);
        selection
    }
}

fn place(list: &mut Vec<usize>, item: usize) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}
