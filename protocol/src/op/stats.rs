//! Stats: the server's figures, each with its unit in its name. The request is empty.
//!
//! ```text
//! reply     list of (name text, kind u8, value)
//! value     kind 0: u64 | 1: i64 | 2: f64 | 3: text
//! ```

use std::fmt;

use model::limits::STATS_MAX;
use stdx::cursor::{Reader, Writer};

use crate::{Error, checked};

/// A figure or a word.
#[derive(Debug, Clone, PartialEq)]
pub enum StatValue {
    /// A count, bytes, a position.
    U64(u64),
    /// A time, a difference.
    I64(i64),
    /// A ratio, a rate.
    F64(f64),
    /// A word.
    Text(String),
}

impl fmt::Display for StatValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U64(value) => write!(f, "{value}"),
            Self::I64(value) => write!(f, "{value}"),
            Self::F64(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsReply {
    /// Name and value, in the server's order.
    pub figures: Vec<(String, StatValue)>,
}

impl StatsReply {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        checked::write_count(out, self.figures.len());
        for (name, value) in &self.figures {
            out.block(name.as_bytes());
            match value {
                StatValue::U64(value) => out.u8(0).u64(*value),
                StatValue::I64(value) => out.u8(1).i64(*value),
                StatValue::F64(value) => out.u8(2).f64(*value),
                StatValue::Text(value) => out.u8(3).block(value.as_bytes()),
            };
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let figures = checked::list(&mut input, ("figures", STATS_MAX, 9), |input| {
            let name = checked::string(input)?;
            let value = match input.u8()? {
                0 => StatValue::U64(input.u64()?),
                1 => StatValue::I64(input.i64()?),
                2 => StatValue::F64(input.f64()?),
                3 => StatValue::Text(checked::string(input)?),
                other => return Err(Error::Malformed(format!("a figure is 0 to 3, got {other}"))),
            };
            Ok((name, value))
        })?;
        checked::end(&input)?;
        Ok(Self { figures })
    }
}
