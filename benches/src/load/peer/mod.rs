//! What Larder is compared with: Redis, by the layouts that its users choose, and an echo that does nothing but answer.
//!
//! ```text
//! operation ─► redis: commands ─► resp ─┐
//!          └─► echo: so many bytes ─────┴─► pipe: one connection, answers in order, written together
//! ```

pub mod echo;
pub(super) mod pipe;
pub(super) mod redis;
mod resp;
pub mod sizes;

pub use redis::KEYS as REDIS_KEYS;
