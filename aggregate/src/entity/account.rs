//! What a holder of many entities asks about one without reading it: how old it is, and which columns its bytes are for.

use super::EntityView;
use crate::raw;

impl EntityView<'_> {
    /// The time, in ms, of the raw event that came first; `None` without raw events. Nothing but this one needs to be looked at
    /// to leave a cold entity alone.
    #[must_use]
    pub fn first_time(self) -> Option<i64> {
        (!self.log.is_empty()).then(|| raw::base(self.log))
    }
}
