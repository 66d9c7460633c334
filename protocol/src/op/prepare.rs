//! Prepare: names become a handle for later requests, and a schema. Handles are the server's, not the connection's.
//!
//! ```text
//! request    target u8 (1 service, 2 features, 3 group, 4 stream; and 16 when a purpose follows), list of names text
//!            (one name; for features the references, GROUP:FEATURE or GROUP:*), purpose text
//! reply      handle u64, catalog version u64,
//!            list of entities (name text, list of key types u8),
//!            list of groups (name text),
//!            list of columns (name text, type), derived u32 (how many of the last columns are computed),
//!            list of request fields (name text, type),
//!            event time u32, event id u32 (positions of those columns; 2^32-1 for none)
//! type       tag u8, parameter u32: see `model::value::DataType::code`
//! ```

use model::{
    definition::Field,
    key::KeyType,
    limits::{DEFINITIONS_MAX, FEATURES_PER_SERVICE_MAX, KEY_PARTS_MAX, PURPOSE_BYTES_MAX},
    name::Name,
    value::DataType,
};
use stdx::cursor::{Reader, Writer};

use crate::{Error, checked, columns::COLUMNS_MAX};

const NO_POSITION: u32 = u32::MAX;
/// Beside the target: a purpose follows the names.
const WITH_PURPOSE: u8 = 16;

/// What to prepare.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A service, to read.
    Service(String),
    /// A list of features, to read: `GROUP:FEATURE` or `GROUP:*`.
    Features(Vec<String>),
    /// A group, to put into, delete from or scan.
    Group(String),
    /// A stream, to push into.
    Stream(String),
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PrepareRequest {
    /// What to prepare.
    pub target: Target,
    /// What reads with the handle are for; when not given, what the connection's hello said. Servers of protocol 1 know of none.
    pub purpose: Option<String>,
}

impl PrepareRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        let (code, names) = match &self.target {
            Target::Service(name) => (1, std::slice::from_ref(name)),
            Target::Features(names) => (2, names.as_slice()),
            Target::Group(name) => (3, std::slice::from_ref(name)),
            Target::Stream(name) => (4, std::slice::from_ref(name)),
        };
        out.u8(if self.purpose.is_some() { code | WITH_PURPOSE } else { code });
        checked::write_count(out, names.len());
        for name in names {
            out.block(name.as_bytes());
        }
        if let Some(purpose) = &self.purpose {
            out.block(purpose.as_bytes());
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let given = input.u8()?;
        let (code, has_purpose) = (given & !WITH_PURPOSE, given & WITH_PURPOSE != 0);
        let limit = ("names", FEATURES_PER_SERVICE_MAX, 4);
        let mut names = checked::list(&mut input, limit, checked::string)?;
        let purpose = if has_purpose {
            let purpose = checked::short_text(&mut input, "bytes of a purpose", PURPOSE_BYTES_MAX)?;
            Some(purpose.to_owned())
        } else {
            None
        };
        checked::end(&input)?;
        if code == 2 {
            return Ok(Self { target: Target::Features(names), purpose });
        }
        let (Some(name), true) = (names.pop(), names.is_empty()) else {
            return Err(Error::Malformed("one name is prepared at a time".to_owned()));
        };
        let target = match code {
            1 => Target::Service(name),
            3 => Target::Group(name),
            4 => Target::Stream(name),
            _ => return Err(Error::Malformed(format!("a target is 1 to 4, got {code}"))),
        };
        Ok(Self { target, purpose })
    }
}

/// An entity whose keys a request gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedEntity {
    /// Its name.
    pub name: String,
    /// The types of its key's parts.
    pub key: Vec<KeyType>,
}

/// A value of a vector, a feature of a group or a field of a stream. Names of a vector may be `group:feature`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// For later requests.
    pub handle: u64,
    /// Version of the definitions the handle belongs to.
    pub catalog_version: u64,
    /// The entities of a key tuple, in order; one for a group, none for a stream.
    pub entities: Vec<PreparedEntity>,
    /// The groups read, in the order of a reply's group times.
    pub groups: Vec<String>,
    /// What a read returns in order (stored, then derived); the features of a group; the fields of a stream.
    pub columns: Vec<PreparedColumn>,
    /// How many of the last columns are derived.
    pub derived: u32,
    /// The values that come with a read.
    pub request: Vec<Field>,
    /// A stream's event time, as a position in `columns`.
    pub event_time: Option<u32>,
    /// A stream's event id, as a position in `columns`.
    pub event_id: Option<u32>,
}

impl Prepared {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.handle).u64(self.catalog_version);
        checked::write_count(out, self.entities.len());
        for entity in &self.entities {
            out.block(entity.name.as_bytes());
            checked::write_count(out, entity.key.len());
            entity.key.iter().fold(&mut *out, |out, part| out.u8(part.code()));
        }
        checked::write_count(out, self.groups.len());
        for group in &self.groups {
            out.block(group.as_bytes());
        }
        checked::write_count(out, self.columns.len());
        for column in &self.columns {
            encode_typed(out, &column.name, column.data_type);
        }
        out.u32(self.derived);
        checked::write_count(out, self.request.len());
        for field in &self.request {
            encode_typed(out, field.name.as_str(), field.data_type);
        }
        out.u32(self.event_time.unwrap_or(NO_POSITION)).u32(self.event_id.unwrap_or(NO_POSITION));
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let prepared = Self {
            handle: input.u64()?,
            catalog_version: input.u64()?,
            entities: checked::list(&mut input, ("entities", DEFINITIONS_MAX, 8), entity)?,
            groups: checked::list(&mut input, ("groups", DEFINITIONS_MAX, 4), checked::string)?,
            columns: checked::list(&mut input, ("columns", COLUMNS_MAX, 9), column)?,
            derived: input.u32()?,
            request: checked::list(&mut input, ("request fields", COLUMNS_MAX, 9), |input| {
                let column = column(input)?;
                Ok(Field { name: Name::new(&column.name)?, data_type: column.data_type })
            })?,
            event_time: Some(input.u32()?).filter(|position| *position != NO_POSITION),
            event_id: Some(input.u32()?).filter(|position| *position != NO_POSITION),
        };
        checked::end(&input)?;
        let positions = [prepared.event_time, prepared.event_id].into_iter().flatten();
        let columns = prepared.columns.len();
        if prepared.derived as usize > columns
            || positions.max().is_some_and(|at| at as usize >= columns)
        {
            return Err(Error::Malformed(format!("a position beyond {columns} columns")));
        }
        Ok(prepared)
    }

    /// The types of the columns, in order: what decodes a read or a scan.
    #[must_use]
    pub fn types(&self) -> Vec<DataType> {
        self.columns.iter().map(|column| column.data_type).collect()
    }
}

fn entity(input: &mut Reader<'_>) -> Result<PreparedEntity, Error> {
    let name = checked::string(input)?;
    let key = checked::list(input, ("key parts", KEY_PARTS_MAX, 1), |input| {
        let code = input.u8()?;
        KeyType::from_code(code)
            .ok_or_else(|| Error::Malformed(format!("no key type has code {code}")))
    })?;
    Ok(PreparedEntity { name, key })
}

fn encode_typed(out: &mut Writer<'_>, name: &str, data_type: DataType) {
    let (tag, parameter) = data_type.code();
    out.block(name.as_bytes()).u8(tag).u32(parameter);
}

fn column(input: &mut Reader<'_>) -> Result<PreparedColumn, Error> {
    let name = checked::string(input)?;
    let data_type = DataType::from_code(input.u8()?, input.u32()?)?;
    Ok(PreparedColumn { name, data_type })
}
