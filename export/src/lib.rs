//! The offline side: columns as Arrow, files of them, and what is made from history.
//!
//! The only crate that compiles `arrow` and `parquet`. What a value is it does not decide: it hands events to the engine, and
//! writes down what the engine answers.

mod column;
mod error;
pub mod file;
pub mod group;
pub mod history;
pub mod input;
mod key;
pub mod metadata;
mod own_columns;
pub mod reads;
pub mod replay;
mod schema;
pub mod verify;

pub use column::{array_of, statuses_as_words};
pub use error::Error;
pub use key::{arrays_of_keys, arrow_key_type, key_columns};
pub use schema::{arrow_type, data_type_of};
