//! An answered request, described for whoever looks at single ones: the slow log, and spans. A description has names and text in it,
//! which a count has not: few requests get one.

use model::time::format_timestamp;
use protocol::{CallStatus, Opcode};
use serde_json::{Value, json};
use stdx::clock::Clock;

use crate::{
    dispatch::has_handle,
    metrics::{Begun, reply_status},
    peer::Peer,
    shared::Shared,
};

/// See the module. Times in ns; what a request waited in the machine's socket before it was read is in none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// When its reply stood in the output, in ms since 1970.
    pub at_ms: i64,
    /// Its operation, as in the metrics.
    pub operation: &'static str,
    /// What its handle stands for: `service:x`, `group:y`, `stream:z`, of a list of features their groups; empty when it has none.
    pub on: String,
    /// Its number, chosen by the peer.
    pub request_id: u64,
    /// Who asked: address, and subject of the certificate if there was one.
    pub peer: String,
    /// How it was answered: the name of a call status.
    pub status: &'static str,
    /// From its bytes being read to its reply standing in the output: the sum of the next three.
    pub took_ns: u64,
    /// Until its handler began: requests of the same connection came before it.
    pub thread_ns: u64,
    /// In its handler, where it may wait for a shard that somebody writes.
    pub handler_ns: u64,
    /// Until the log had it, of a write; until another thread had the answer, of others.
    pub waiting_ns: u64,
    /// Bytes of its body.
    pub request_bytes: usize,
    /// Bytes of the reply, with its header.
    pub reply_bytes: usize,
}

impl Answered {
    /// What was begun as `begun` and answered with `reply` at `now_ns`.
    pub(crate) fn of(
        shared: &Shared,
        peer: &Peer,
        begun: &Begun,
        reply: &[u8],
        now_ns: u64,
    ) -> Self {
        let opcode = Opcode::from_code(begun.opcode);
        Self {
            at_ms: shared.clock.wall_ms(),
            operation: opcode.map_or("unknown", Opcode::name),
            on: on(shared, opcode, begun.handle),
            request_id: begun.request_id,
            peer: peer.to_string(),
            status: CallStatus::from_code(reply_status(reply)).map_or("?", CallStatus::as_str),
            took_ns: now_ns.saturating_sub(begun.received_ns),
            thread_ns: begun.begun_ns.saturating_sub(begun.received_ns),
            handler_ns: begun.handled_ns.saturating_sub(begun.begun_ns),
            waiting_ns: now_ns.saturating_sub(begun.handled_ns),
            request_bytes: begun.bytes,
            reply_bytes: reply.len(),
        }
    }

    /// What it waited for most.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        let Self { thread_ns, handler_ns, waiting_ns, .. } = *self;
        if thread_ns >= handler_ns.max(waiting_ns) {
            "waited for the thread"
        } else if handler_ns >= waiting_ns {
            "its own work, or a shard that was locked"
        } else if matches!(self.operation, "put" | "push" | "delete" | "retract" | "apply") {
            "waited for the disk"
        } else {
            "worked on by another thread"
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let ms = |ns: u64| ns as f64 / 1e6;
        json!({
            "at": format_timestamp(self.at_ms),
            "operation": self.operation,
            "on": self.on,
            "status": self.status,
            "took_ms": ms(self.took_ns),
            "reason": self.reason(),
            "waited_for_thread_ms": ms(self.thread_ns),
            "handler_ms": ms(self.handler_ns),
            "waited_after_ms": ms(self.waiting_ns),
            "request_bytes": self.request_bytes,
            "reply_bytes": self.reply_bytes,
            "request_id": self.request_id,
            "peer": self.peer,
        })
    }
}

/// What the handle of a request stands for.
fn on(shared: &Shared, opcode: Option<Opcode>, handle: u64) -> String {
    let handle = opcode.filter(|opcode| has_handle(*opcode)).map(|_| handle);
    let Some(prepared) = handle.and_then(|handle| shared.handles.get(handle)) else {
        return String::new();
    };
    let (_, definitions) = shared.database.definitions();
    prepared.resources(&definitions).join(", ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One that took `parts` ns.
    pub(crate) fn request(operation: &'static str, parts: [u64; 3]) -> Answered {
        let [thread_ns, handler_ns, waiting_ns] = parts;
        Answered {
            at_ms: 0,
            operation,
            on: String::new(),
            request_id: 7,
            peer: String::new(),
            status: "OK",
            took_ns: parts.iter().sum(),
            thread_ns,
            handler_ns,
            waiting_ns,
            request_bytes: 1,
            reply_bytes: 2,
        }
    }

    #[test]
    fn the_reason_is_what_took_longest() {
        assert_eq!(request("read", [5, 1, 1]).reason(), "waited for the thread");
        assert!(request("read", [1, 5, 1]).reason().contains("its own work"));
        assert_eq!(request("put", [1, 1, 5]).reason(), "waited for the disk");
        assert_eq!(request("read", [1, 1, 5]).reason(), "worked on by another thread");
    }
}
