//! The door: connections are accepted, counted, and dealt out to the network threads, or told why not; so are their TLS handshakes,
//! and the connections of the admin port.

mod accept;
mod census;
mod descriptors;
mod handshakes;
mod pace;
mod places;
mod refusal;
mod throttle;

pub(crate) use accept::accept;
pub(crate) use census::{Full, Place};
pub(crate) use descriptors::room_for;
pub(crate) use handshakes::Handshakes;
pub(crate) use places::Places;
pub(crate) use refusal::{Refusals, tell};
pub(crate) use throttle::Throttle;
