//! Reads logged reads back, vector by vector.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::array_value_to_string;
use engine::Lsn;
use engine::replay::ReplayMoment;
use model::key::{self, KeyType};
use model::packed_row;
use model::value::DataType;

use super::layout::{FIRST_ENTITY, ReadLayout};
use super::{DIRECTORY, FORM, ReadFile, names};
use crate::Error;
use crate::file::{FileFormat, TableReader};
use crate::input::columns::{Column, Sought};
use crate::metadata;
use crate::own_columns::are_same;

/// Places of columns.
const READ_AT: usize = 0;
const ASKED_AS_OF: usize = 2;
const EXCLUSIVE: usize = 3;

/// The logs of reads of a database.
#[derive(Debug)]
pub struct ReadLogReader {
    root: PathBuf,
}

impl ReadLogReader {
    /// Those in the history directory `history`.
    #[must_use]
    pub fn new(history: &Path) -> Self {
        Self { root: history.join(DIRECTORY) }
    }

    /// Services that have one, by name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn services(&self) -> Result<Vec<String>, Error> {
        names::folders(&self.root)
    }

    /// The files of a service, oldest first.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn files(&self, service: &str) -> Result<Vec<ReadFile>, Error> {
        names::files(&self.root.join(service))
    }

    /// The files of all services.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn all(&self) -> Result<Vec<ReadFile>, Error> {
        let mut files = Vec::new();
        for service in self.services()? {
            files.extend(self.files(&service)?);
        }
        Ok(files)
    }
}

/// A file that is read.
pub struct ReadFileReader {
    table: TableReader,
    path: PathBuf,
    service: String,
    version: u64,
    /// Rows taken so far.
    taken: usize,
}

impl ReadFileReader {
    /// Opens `file`, whose bytes must be those that were written.
    ///
    /// # Errors
    /// [`Error::File`] when it is damaged or of another kind; [`Error::Io`].
    pub fn open(file: &ReadFile) -> Result<Self, Error> {
        file.check()?;
        let path = file.path.clone();
        let table = TableReader::open(&path, Some(FileFormat::Arrow))?;
        let schema = table.schema();
        let says = |what: &str| schema.metadata().get(what).map_or("", String::as_str);
        if says(metadata::READ_LOG) != FORM {
            let form = says(metadata::READ_LOG);
            let what = format!("it is of form {form:?}, this release knows {FORM}");
            return Err(Error::file(&path, what));
        }
        let version = says(metadata::DEFINITIONS_VERSION).parse().ok();
        let version = version
            .ok_or_else(|| Error::file(&path, "it does not say of which definitions it is"))?;
        let service = says(metadata::SERVICE).to_owned();
        Ok(Self { table, path, service, version, taken: 0 })
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Version of the definitions it was read by.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Vectors in it, all of which are gone through.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn rows(&mut self) -> Result<u64, Error> {
        self.table.try_fold(0, |rows, batch| Ok(rows + batch?.num_rows() as u64))
    }

    /// The next vectors, of the service and version of `layout`; nothing behind the last.
    ///
    /// # Errors
    /// [`Error::File`] when the columns are not those of `layout`.
    pub fn next(&mut self, layout: &ReadLayout) -> Result<Option<LoggedReads>, Error> {
        let Some(batch) = self.table.next().transpose()? else { return Ok(None) };
        let first_row = self.taken;
        self.taken += batch.num_rows();
        LoggedReads::new((&self.path, first_row), layout, batch).map(Some)
    }
}

/// Vectors as they were served.
#[derive(Debug)]
pub struct LoggedReads {
    batch: RecordBatch,
    path: PathBuf,
    first_row: usize,
    /// Parts of each entity's key, and the place of what was seen of it.
    keys: Vec<(Vec<Column>, usize)>,
    /// Where the columns of each group begin, and whether it is a window group.
    groups: Vec<(usize, bool)>,
    request: Vec<Column>,
    first_output: usize,
}

impl LoggedReads {
    fn new(
        (path, first_row): (&Path, usize),
        layout: &ReadLayout,
        batch: RecordBatch,
    ) -> Result<Self, Error> {
        let (found, expected) = (batch.schema(), &layout.schema);
        if !are_same(&found, expected) {
            let what = "its columns are not those of the service under the definitions it names";
            return Err(Error::file(path, what));
        }
        let column = |place: usize, data_type| {
            let name = expected.field(place).name();
            Column::new(batch.column(place), Sought { name, data_type })
        };
        let (mut keys, mut place) = (Vec::new(), FIRST_ENTITY);
        for entity in &layout.entities {
            let parts = entity.key.iter().enumerate();
            let parts = parts.map(|(part, kind)| column(place + part, type_of(*kind)));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            place += parts.len();
            keys.push((parts, place));
            place += 1;
        }
        let mut groups = Vec::new();
        for (_, is_windows) in &layout.groups {
            groups.push((place, *is_windows));
            place += if *is_windows { 3 } else { 1 };
        }
        let request = (layout.first_request()..).zip(&layout.request);
        let request = request.map(|(place, field)| column(place, field.data_type));
        let request = request.collect::<Result<_, _>>()?;
        let (path, first_output) = (path.to_owned(), layout.first_output());
        Ok(Self { keys, groups, request, first_output, path, first_row, batch })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place of the first of them in the file.
    #[must_use]
    pub fn first_row(&self) -> usize {
        self.first_row
    }

    /// Bytes that they take in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.batch.get_array_memory_size()
    }

    /// The keys of the entities of vector `row` for people: `card=c1, pair=a|7`.
    ///
    /// # Errors
    /// [`Error::Arrow`].
    pub fn key_text(&self, layout: &ReadLayout, row: usize) -> Result<String, Error> {
        let mut text = String::new();
        for (entity, (parts, seen)) in layout.entities.iter().zip(&self.keys) {
            let separator = if text.is_empty() { "" } else { ", " };
            text.push_str(&format!("{separator}{}=", entity.name));
            for (number, place) in (seen - parts.len()..*seen).enumerate() {
                text.push_str(if number == 0 { "" } else { "|" });
                text.push_str(&array_value_to_string(self.batch.column(place), row)?);
            }
        }
        Ok(text)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The server's clock when vector `row` was read, in ms.
    #[must_use]
    pub fn read_at(&self, row: usize) -> i64 {
        self.time(READ_AT, row).unwrap_or(i64::MIN)
    }

    /// The canonical key of entity `entity` of vector `row`.
    ///
    /// # Errors
    /// [`Error::File`] when there is none.
    pub fn key(&self, row: usize, entity: usize) -> Result<Vec<u8>, Error> {
        let parts = self.keys.get(entity).map_or(&[][..], |(parts, _)| parts);
        let parts = parts.iter().map(|part| part.cell(row).map(|cell| cell.value()));
        let parts = parts.collect::<Result<Vec<_>, _>>().map_err(|why| self.wrong(row, &why))?;
        let mut bytes = Vec::new();
        let is_whole = key::write_values(&mut bytes, parts.into_iter())?;
        if is_whole { Ok(bytes) } else { Err(self.wrong(row, "a part of its key is null")) }
    }

    /// Up to which record of the log changes of that entity were seen.
    #[must_use]
    pub fn seen(&self, row: usize, entity: usize) -> Lsn {
        let place = self.keys.get(entity).map_or(0, |(_, place)| *place);
        let seen = self.batch.column(place).as_primitive_opt::<UInt64Type>();
        Lsn(seen.map_or(0, |seen| seen.value(row)))
    }

    /// When group `group` of the plan was looked at for vector `row`.
    #[must_use]
    pub fn moment(&self, row: usize, group: usize) -> ReplayMoment {
        let Some((place, is_windows)) = self.groups.get(group).copied() else {
            return ReplayMoment::at(0, false, i64::MIN);
        };
        let exclusive = self.batch.column(EXCLUSIVE).as_boolean().value(row);
        let as_of = self.time(place, row).unwrap_or(i64::MIN);
        let mut moment = ReplayMoment::at(as_of, exclusive, i64::MIN);
        if is_windows {
            moment.snapped_at = self.time(place + 1, row);
            moment.observed_since = self.time(place + 2, row).unwrap_or(i64::MAX);
        } else {
            moment.is_past = self.time(ASKED_AS_OF, row).is_some();
        }
        moment
    }

    /// The request values of vector `row`, packed behind what is in `out`.
    ///
    /// # Errors
    /// [`Error::File`] when one is none.
    pub fn request(&self, layout: &ReadLayout, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        let cells = self.request.iter().map(|column| column.cell(row));
        let cells = cells.collect::<Result<Vec<_>, _>>().map_err(|why| self.wrong(row, &why))?;
        Ok(packed_row::write_row(out, &layout.request, cells)?)
    }

    /// Values of column `output` of the vector, and the words of its statuses.
    #[must_use]
    pub fn output(&self, output: usize) -> (&ArrayRef, &ArrayRef) {
        let place = self.first_output + 2 * output;
        (self.batch.column(place), self.batch.column(place + 1))
    }

    fn time(&self, place: usize, row: usize) -> Option<i64> {
        let times = self.batch.column(place).as_primitive_opt::<TimestampMillisecondType>()?;
        times.is_valid(row).then(|| times.value(row))
    }

    fn wrong(&self, row: usize, why: &str) -> Error {
        Error::file(&self.path, format!("row {}: {why}", row + 1))
    }
}

fn type_of(kind: KeyType) -> DataType {
    match kind {
        KeyType::String => DataType::String,
        KeyType::I64 => DataType::I64,
        KeyType::Bytes => DataType::Bytes,
    }
}
