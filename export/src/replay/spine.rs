//! The spine of a file: whose vectors are wanted as of when, with what comes with a request.

use std::path::Path;

use arrow_array::RecordBatch;
use engine::replay::ReplayPlan;
use model::{
    definition::Entity,
    key::{self, KeyType},
    packed_row::{self, Cell},
    value::{DataType, ValueRef},
};

use super::{
    Replay,
    table::{Table, Wish},
};
use crate::{Error, key::key_columns};

/// Which columns of a spine are what.
#[derive(Debug)]
pub(super) struct Spine {
    /// Key columns of all entities, then the as-of.
    keys: Vec<Wish>,
    /// How many of them each entity has.
    parts: Vec<usize>,
    request: Vec<Wish>,
}

impl Spine {
    /// The spine that `plan` asks for.
    pub(super) fn new(plan: &ReplayPlan, as_of: &str) -> Self {
        let entities: Vec<&Entity> = plan
            .read_plan()
            .entities()
            .iter()
            .filter_map(|(name, _)| plan.definitions().entity(name))
            .map(|(_, entity)| entity)
            .collect();
        let columns: Vec<_> = entities.iter().map(|entity| key_columns(entity)).collect();
        let wish = |name, data_type, is_key| Wish { name, data_type, is_key };
        let keys = columns.iter().flatten().cloned();
        let keys = keys.map(|(name, kind)| wish(name, type_of(kind), true));
        let keys = keys.chain([wish(as_of.to_owned(), DataType::Timestamp, false)]).collect();
        let request = plan.read_plan().request_fields().iter();
        let request =
            request.map(|field| wish(field.name.to_string(), field.data_type, false)).collect();
        Self { keys, parts: columns.iter().map(Vec::len).collect(), request }
    }

    /// Its columns whose type a text file cannot tell: `007` is a number there, and a text here.
    pub(super) fn text_columns(&self) -> Vec<&str> {
        let is_text = |wish: &&Wish| {
            matches!(wish.data_type, DataType::String | DataType::Bytes | DataType::Decimal(_))
        };
        let wishes = self.keys.iter().chain(&self.request).filter(is_text);
        wishes.map(|wish| wish.name.as_str()).collect()
    }

    /// Hands the rows of `batch`, of the file `path`, to `replay`.
    ///
    /// # Errors
    /// [`Error::File`] names a row without a key or as-of.
    pub(super) fn read(
        &self,
        path: &Path,
        batch: &RecordBatch,
        replay: &mut Replay<'_>,
    ) -> Result<(), Error> {
        let table = Table::bind(path, batch, &self.keys)?;
        let mut cells = Vec::new();
        let mut keys: Vec<Vec<u8>> = vec![Vec::new(); self.parts.len()];
        for row in 0..batch.num_rows() {
            let number = u64::from(replay.rows()) + 1;
            let wrong = |what: String| Error::file(path, format!("row {number}: {what}"));
            table.row(row, &mut cells).map_err(wrong)?;
            let mut given = cells.as_slice();
            for (key, parts) in keys.iter_mut().zip(&self.parts) {
                let (own, rest) = given.split_at_checked(*parts).unwrap_or_default();
                given = rest;
                let is_whole = key::write_values(key, own.iter().map(|cell| cell.value()));
                if !is_whole.map_err(|error| wrong(error.to_string()))? {
                    return Err(wrong("a part of its key is null: leave the row out".to_owned()));
                }
            }
            let Some(Cell::Value(ValueRef::Timestamp(as_of))) = given.first() else {
                return Err(wrong("its as-of is null: leave the row out".to_owned()));
            };
            // More entities than a service has are rare.
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            replay.read(&keys, *as_of)?;
        }
        Ok(())
    }

    /// The request values of the rows of `batch`, packed one after the other, with the end of each.
    ///
    /// # Errors
    /// [`Error::File`] names a row whose value is wrong.
    pub(super) fn requests(
        &self,
        plan: &ReplayPlan,
        (path, first): (&Path, usize),
        batch: &RecordBatch,
    ) -> Result<(Vec<u8>, Vec<usize>), Error> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        if self.request.is_empty() {
            return Ok((bytes, ends));
        }
        let table = Table::bind(path, batch, &self.request)?;
        let mut cells = Vec::new();
        for row in 0..batch.num_rows() {
            let wrong =
                |what: String| Error::file(path, format!("row {}: {what}", first + row + 1));
            table.row(row, &mut cells).map_err(wrong)?;
            packed_row::write_row(
                &mut bytes,
                plan.read_plan().request_fields(),
                cells.iter().copied(),
            )?;
            ends.push(bytes.len());
        }
        Ok((bytes, ends))
    }
}

/// The type of values that a part of a key is made of.
pub(super) fn type_of(kind: KeyType) -> DataType {
    match kind {
        KeyType::String => DataType::String,
        KeyType::I64 => DataType::I64,
        KeyType::Bytes => DataType::Bytes,
    }
}
