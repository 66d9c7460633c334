//! Replay against brute force, and against a live database: the same events, the same bits.
//!
//! Definitions and events are those of the tests of `aggregate`, whose oracle says what event order must give.

mod arrival_order;
mod event_order;
mod history;
#[path = "../../../aggregate/tests/windows/oracle/mod.rs"]
#[expect(dead_code, reason = "the tests of aggregate use the rest")]
mod oracle;
#[path = "../../../aggregate/tests/windows/workload/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of aggregate use the rest")]
mod workload;
