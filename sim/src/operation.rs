//! What clients ask of the database, as data: it can be sent again after a crash, and replayed into another database.

use model::value::Value;
use storage::SyncLevel;

use crate::schema::{Stream, WINDOW_GROUPS, order_fields, profile_features};

/// A cell of a put: absent, null or a value.
pub(crate) type Given = Option<Option<Value>>;

/// A row of profiles to put.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) user: u16,
    /// In ms; the server's now when it is not given.
    pub(crate) time: Option<i64>,
    pub(crate) cells: Vec<Given>,
}

/// An order or a click.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    /// In ms.
    pub(crate) time: i64,
    /// The order's id; of a click nothing.
    pub(crate) id: i64,
    pub(crate) user: Option<u16>,
    /// The shop of an order, the page of a click.
    pub(crate) object: Option<u16>,
    /// In cents; of a click nothing.
    pub(crate) price: Option<i64>,
}

/// The group whose entities are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Profile,
    /// Index in [`crate::schema::WINDOW_GROUPS`].
    Windows(usize),
}

/// A write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    Put(Vec<Row>),
    Push(Stream, Vec<Event>),
    Delete(Table, Vec<u16>),
    Retract(Vec<Event>),
}

/// A write with who sends it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Write {
    /// 0 is nobody: such a write is never sent again.
    pub(crate) producer: u8,
    pub(crate) sequence: u64,
    /// More than the server's policy gives.
    pub(crate) sync: Option<SyncLevel>,
    /// How many features or fields its rows have: those of the version that the client knows.
    pub(crate) width: usize,
    pub(crate) request: Request,
}

impl Write {
    /// True when `version` of the definitions has all that it names.
    pub(crate) fn fits(&self, version: u64) -> bool {
        match &self.request {
            Request::Put(_) => self.width <= profile_features(version),
            Request::Push(Stream::Orders, _) | Request::Retract(_) => {
                self.width <= order_fields(version)
            }
            Request::Push(Stream::Clicks, _) | Request::Delete(Table::Profile, _) => true,
            Request::Delete(Table::Windows(group), _) => {
                WINDOW_GROUPS.get(*group).is_some_and(|group| group.since <= version)
            }
        }
    }
}
