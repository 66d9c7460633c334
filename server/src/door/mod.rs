//! The door: connections are accepted, counted, and dealt out to the network threads, or told why not.

mod accept;
mod census;
mod descriptors;
mod refusal;
mod throttle;

pub(crate) use accept::{Arrival, accept};
pub(crate) use census::{Census, Place};
pub(crate) use descriptors::room_for;
pub(crate) use refusal::tell;
pub(crate) use throttle::Throttle;
