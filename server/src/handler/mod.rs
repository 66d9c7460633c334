//! One file for each operation: wire request → engine call → wire reply. Only here both worlds are seen.

pub(crate) mod apply;
pub(crate) mod checkpoint;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod export;
pub(crate) mod hello;
pub(crate) mod ping;
pub(crate) mod prepare;
pub(crate) mod push;
pub(crate) mod put;
pub(crate) mod read;
pub(crate) mod retract;
pub(crate) mod scan;
pub(crate) mod stats;

mod writing;

use std::sync::Arc;

use protocol::{CallStatus, Failure};

use crate::{
    dispatch::failure,
    shared::{Prepared, Shared},
};

/// What `handle` stands for.
fn prepared(shared: &Shared, handle: u64) -> Result<Arc<Prepared>, Failure> {
    shared.prepared(handle).ok_or_else(|| {
        let message = format!("handle {handle:#x} is not known (any more): prepare again");
        failure(CallStatus::StaleHandle, message)
    })
}

/// The answer to a handle of the wrong kind.
fn wrong_kind(needed: &str) -> Failure {
    failure(CallStatus::Invalid, format!("the handle is not of {needed}: prepare one"))
}
