//! What a window group will cost and how exact it is, before it is applied.

use aggregate::WindowPlan;
pub use aggregate::explain::{
    Accuracy, CellExplained, EntityBytes, EventBytes, Explanation, FeatureAccuracy, LevelExplained,
    Load, ReadCost, Retention, SLOT_BYTES, WindowExplained,
};
use model::definition::{Definitions, Group, GroupKind};

/// Explains a group of `definitions`; `None` for a row group, which has nothing to explain.
#[must_use]
pub fn explain(definitions: &Definitions, group: &Group, load: &Load) -> Option<Explanation> {
    let GroupKind::Windows(windows) = &group.kind else { return None };
    let stream = definitions.streams.get(windows.stream)?;
    Some(WindowPlan::new(stream, windows).explain(stream, windows, load))
}
