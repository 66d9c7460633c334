//! Which events are refused for their time: the same for one that is pushed now and one that is replayed as it arrived.

use model::{
    definition::{Stream, StreamClock},
    time,
};

use super::ClockReading;
use crate::write::RejectKind;

/// Why an event is not accepted: its sender is told both.
pub(crate) type Refusal = (RejectKind, String);

/// Refuses an event that is too far ahead of the wall clock, or so old that no window can see it. `late_before` is, at the stream's
/// now by `clock`, the earliest time that some window of the event can still see; `None` when it is in no window group.
pub(crate) fn refuse_for_time(
    stream: &Stream,
    clock: ClockReading,
    (event_time, wall_ms): (i64, i64),
    late_before: impl FnOnce(i64) -> Option<i64>,
) -> Option<Refusal> {
    let ahead = event_time.saturating_sub(wall_ms);
    if stream.clock == StreamClock::Wall && ahead > stream.max_skew_ms {
        let reason = format!(
            "event time {} is {} ahead of the server's clock; max_skew allows {}",
            time::format_timestamp(event_time),
            time::format_span(ahead),
            time::format_span(stream.max_skew_ms),
        );
        return Some((RejectKind::Rejected, reason));
    }
    let now = clock.now(stream, wall_ms)?;
    if event_time >= now.saturating_sub(stream.horizon_ms) {
        // Every window sees what is at the floor or later: there none starts behind it.
        return None;
    }
    let oldest = late_before(now)?;
    (event_time < oldest).then(|| {
        let reason = format!(
            "event time {} is before {}, the oldest any window can still see",
            time::format_timestamp(event_time),
            time::format_timestamp(oldest),
        );
        (RejectKind::Late, reason)
    })
}

/// Refuses an event whose id arrived within the stream's `dedup`.
pub(crate) fn refuse_for_id(span_ms: i64) -> Refusal {
    let span = time::format_span(span_ms);
    (RejectKind::Duplicate, format!("its event id arrived within the last {span}"))
}
