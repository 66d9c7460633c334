//! Describe: what is defined, in words.
//!
//! ```text
//! request    named u8, name text (empty when not named: everything)
//! reply      list of sections
//! section    kind text, name text, list of properties (name text, value text),
//!            list of columns (name text, type text, detail text)
//! ```

use model::{
    definition::Section,
    limits::{DEFINITIONS_MAX, FEATURES_PER_GROUP_MAX},
};
use stdx::cursor::{Reader, Writer};

use crate::{Error, checked};

/// Entities, streams, groups and services.
const SECTIONS_MAX: usize = 4 * DEFINITIONS_MAX;
/// Settings of one definition; one for each window of a group is the most there are.
const PROPERTIES_MAX: usize = 256;
/// Stored and derived columns.
const COLUMNS_MAX: usize = 2 * FEATURES_PER_GROUP_MAX;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeRequest<'a> {
    /// The entity, stream, group or service; `None` for everything.
    pub name: Option<&'a str>,
}

impl<'a> DescribeRequest<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u8(u8::from(self.name.is_some())).block(self.name.unwrap_or_default().as_bytes());
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Malformed`].
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let (named, name) = (checked::boolean(&mut input)?, checked::text(&mut input)?);
        checked::end(&input)?;
        Ok(Self { name: named.then_some(name) })
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeReply {
    /// One for each definition.
    pub sections: Vec<Section>,
}

impl DescribeReply {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        checked::write_count(out, self.sections.len());
        for section in &self.sections {
            out.block(section.kind.as_bytes()).block(section.name.as_bytes());
            checked::write_count(out, section.properties.len());
            for (name, value) in &section.properties {
                out.block(name.as_bytes()).block(value.as_bytes());
            }
            checked::write_count(out, section.columns.len());
            for (name, data_type, detail) in &section.columns {
                out.block(name.as_bytes()).block(data_type.as_bytes()).block(detail.as_bytes());
            }
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let sections = checked::list(&mut input, ("sections", SECTIONS_MAX, 16), section)?;
        checked::end(&input)?;
        Ok(Self { sections })
    }
}

fn section(input: &mut Reader<'_>) -> Result<Section, Error> {
    let (kind, name) = (checked::string(input)?, checked::string(input)?);
    let properties = checked::list(input, ("properties", PROPERTIES_MAX, 8), |input| {
        Ok((checked::string(input)?, checked::string(input)?))
    })?;
    let columns = checked::list(input, ("columns", COLUMNS_MAX, 12), |input| {
        Ok((checked::string(input)?, checked::string(input)?, checked::string(input)?))
    })?;
    Ok(Section { kind, name, properties, columns })
}
