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

use protocol::{CallStatus, Failure, Opcode};

use crate::{
    access::rule::Right, dispatch::failure, prepared::Prepared, session::Session, shared::Shared,
};

/// Bytes that a thread keeps of a request, for its next one of the same kind.
const KEPT_BYTES: usize = 1 << 20;

/// What `handle` stands for, if whoever asks may use it so.
fn prepared<'a>(
    shared: &Shared,
    session: &'a mut Session,
    handle: u64,
    (opcode, right): (Opcode, Right),
) -> Result<&'a Arc<Prepared>, Failure> {
    let is_decided = session.is_bulk();
    session.prepared(handle, |handle| shared.handles.get(handle));
    match session.recent() {
        (Some((recent, prepared)), caller) if *recent == handle => {
            // A request of another thread's was decided where it came from.
            if !is_decided {
                caller.may_use(shared, (handle, prepared), (opcode, right))?;
            }
            Ok(prepared)
        }
        _ => {
            let message = format!("handle {handle:#x} is not known (any more): prepare again");
            Err(failure(CallStatus::StaleHandle, message))
        }
    }
}

/// The answer to a handle of the wrong kind.
fn wrong_kind(needed: &str) -> Failure {
    failure(CallStatus::Invalid, format!("the handle is not of {needed}: prepare one"))
}
