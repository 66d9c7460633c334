//! The vocabulary of Larder: what every layer above means by its words.
//!
//! ```text
//! limits       every bound of the product                       name     validated names
//! time         event times, durations, floor to a hop           value    types and values of features and fields
//! packed       one value as bytes, packed_row one row            key      entity keys as canonical bytes
//! text         values as people write them                      column   one column of a reply, many entities
//! status       what a served value is worth                      columns  all columns of a reply in one piece
//! size         bytes as people write them
//! expr         typed plans of SQL expressions                   definition  entities, streams, groups, services
//! ```
//!
//! No locks, no clocks, no input or output, no serde. Nothing here is serialised by derive: bytes that last are laid out
//! by hand, in [`packed`] and in the codecs of the crates above.

pub mod column;
pub mod columns;
pub mod definition;
pub mod expr;
pub mod key;
pub mod limits;
pub mod name;
pub mod nearest;
pub mod packed;
pub mod packed_row;
pub mod size;
pub mod status;
pub mod text;
pub mod time;
pub mod value;

mod error;

pub use error::Error;
