//! Who may do what: a policy from a file, who a connection is, and one place where every operation is decided.
//!
//! ```text
//! file      the policy's TOML, checked, with every problem       rule     what a role grants, and on what
//! policy    roles, subjects, tokens: from a token to a subject   token    what proves who asks; made here, kept as a digest
//! decide    may this subject do that: pure, for every operation  caller   who a connection is, and what was decided for it
//! sight     what of the definitions somebody may see             columns  of a group, and which of them are personal
//! state     the policy in force, and its generation: reload, expiry               exposure   addresses that others can reach
//! stranger  how a peer stands with the policy: what one that is not known, or not any more, may send, and how long it may take
//! witness   is told of every decision: denials are counted
//! ```
//!
//! Without a policy everything is allowed to whoever can connect, and nothing here is asked. With one, a request costs one relaxed
//! load: what was decided for a handle holds for the connection until the policy's generation changes.

pub(crate) mod caller;
pub(crate) mod decide;
pub(crate) mod exposure;
pub(crate) mod rule;
pub(crate) mod state;
pub(crate) mod stranger;
pub(crate) mod witness;

mod columns;
mod explain;
mod file;
#[cfg(test)]
mod oracle;
mod policy;
mod producer;
mod sight;
mod token;

pub use explain::{Explanation, Question, explain};
pub use policy::{Policy, Role, Subject};
pub use token::NewToken;
