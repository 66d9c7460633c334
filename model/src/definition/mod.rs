//! Definitions: what one TOML file says, validated, typed and resolved to indexes.
//!
//! ```text
//! entity   what features describe and how it is keyed      stream   a named event schema
//! group    stored features of one entity: rows or windows  service  what one model version reads, in order
//!
//! read     from a TOML file, with every problem            select   references to values of a service
//! change   what a new version may change                   describe for people
//! ```

mod change;
mod describe;
mod function;
mod group;
mod history;
mod read;
mod read_log;
mod select;
mod service;
mod stream;

pub use change::{Change, Plan, Verb};
pub use describe::{DescribedColumn, Section, describe};
pub use function::{AggregateFunction, CusumSide};
pub use group::{
    Aggregate, AggregateFeature, Group, GroupKind, RowGroup, Window, WindowColumn, WindowGroup,
};
pub use history::History;
pub use read_log::ReadLog;
pub use service::{Derived, FeatureRef, Service, ServiceFeature};
pub use stream::{Stream, StreamClock};

use crate::{key::KeyType, name::Name, value::DataType};

/// Free metadata of any definition, shown by `larder describe`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// A named, typed field of a stream or feature of a row group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub data_type: DataType,
}

/// What features describe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its name.
    pub name: Name,
    /// The types of its key's parts; one or more.
    pub key: Vec<KeyType>,
    /// Free metadata.
    pub metadata: Metadata,
}

/// Everything that is defined. Lists are append-only across versions, so an index names the same thing for ever.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definitions {
    /// Entities.
    pub entities: Vec<Entity>,
    /// Streams.
    pub streams: Vec<Stream>,
    /// Row groups and window groups.
    pub groups: Vec<Group>,
    /// Services.
    pub services: Vec<Service>,
}

macro_rules! find {
    ($($function:ident: $list:ident -> $kind:ty),*) => {$(
        /// The definition called `name` and its index.
        #[must_use]
        pub fn $function(&self, name: &str) -> Option<(usize, &$kind)> {
            self.$list.iter().enumerate().find(|(_, item)| item.name.as_str() == name)
        }
    )*};
}

impl Definitions {
    find!(entity: entities -> Entity, stream: streams -> Stream, group: groups -> Group, service: services -> Service);
}
