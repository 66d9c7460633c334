//! Frames and operations of the wire: bytes in, structs out, and back.
//!
//! ```text
//! client ── header 24 │ body ──► server         many requests in flight on one connection
//!        ◄─ header 24 │ body ──                 replies in any order, matched by request id
//!
//! frame      header; split a frame off a receive buffer, write one into a send buffer
//! opcode     one table: code, name, may it be repeated, does it write
//! status     what became of a call, and the caller's next step; `failure` is the body that goes with it
//! write      what every write carries and is answered with
//! op/*       one file for each operation, both directions in it
//! columns    the hot part of replies: statuses and values in runs
//! ```
//!
//! What it is not: no sockets, no clocks, no tasks, no meaning of features. `docs/formats/wire.md` has every byte, and the
//! golden files under `tests/golden` prove it.
//!
//! **Versions.** The header has a version of its own; one that is not known closes the connection. [`PROTOCOL_VERSION`]
//! counts additions: new operations, new flags. `hello` tells both sides the older of their two; what a peer does not know
//! it answers with `INVALID`, never by guessing. Bodies have no room to grow: a body with bytes left over is malformed. Version 2 adds
//! who asks and what for: tokens and purposes of `hello`, purposes of `prepare`, `UNAUTHENTICATED` and `DENIED`.
//!
//! **Input is hostile.** Every length and count is checked against a limit and against the bytes that are there before
//! anything is allocated for it; nothing here panics on received bytes.

pub mod failure;
pub mod frame;
pub mod op;
pub mod opcode;
pub mod status;
pub mod write;

mod checked;
mod columns;
mod error;
mod greeting;

pub use error::Error;
pub use failure::Failure;
pub use frame::{Frame, FrameRef, Header};
pub use op::{
    apply::{AppliedChange, ApplyReply, ApplyRequest},
    checkpoint::{CheckpointReply, CheckpointRequest},
    delete::{DeleteReply, DeleteRequest},
    describe::{DescribeReply, DescribeRequest},
    export::{ExportFormat, ExportReply, ExportRequest, ExportedFile},
    hello::{HelloReply, HelloRequest},
    prepare::{PrepareRequest, Prepared, PreparedColumn, PreparedEntity, Target},
    push::{PushReply, PushRequest},
    put::{PutReply, PutRequest, PutRow},
    read::{ReadOptions, ReadReply, ReadRequest, ReadTimes},
    retract::{RetractReply, RetractRequest},
    scan::{ScanReply, ScanRequest},
    stats::{StatValue, StatsReply},
};
pub use opcode::Opcode;
pub use status::{CallStatus, NextStep};
pub use write::{Receipt, Reject, RejectKind, SyncLevel, WriteOptions};

/// The newest protocol this release speaks.
pub const PROTOCOL_VERSION: u16 = 2;
