//! Binding a file's columns to the fields of a stream or group, and to the entity key.

use std::path::Path;

use model::{
    definition::Field,
    key::{EntityKey, KeyType},
};
use serde_json::{Map, Value as Json};

use super::text::{Given, of_cell, of_json, plain};
use crate::Error;

/// What is wanted of a file.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The fields that its columns may give.
    pub fields: Vec<Field>,
    /// The fields without which a file is refused, if it says beforehand which columns it has.
    pub required: Vec<String>,
    /// The entity whose key each row has.
    pub entity: Option<(String, Vec<KeyType>)>,
}

/// Columns that give a field of another name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping(Vec<(String, String)>);

impl Mapping {
    /// Pairs of field and column.
    ///
    /// # Errors
    /// [`Error::Usage`] when two columns give one field.
    pub fn new(pairs: Vec<(String, String)>) -> Result<Self, Error> {
        for (place, (field, column)) in pairs.iter().enumerate() {
            let mut before = pairs.iter().take(place);
            if let Some((_, other)) = before.find(|(name, _)| name == field) {
                let what = format!("--map {field}={column}: {other} gives {field} already");
                return Err(Error::Usage(what));
            }
        }
        Ok(Self(pairs))
    }

    /// The column that gives `field`.
    fn column<'a>(&'a self, field: &'a str) -> &'a str {
        let found = self.0.iter().find(|(name, _)| name == field);
        found.map_or(field, |(_, column)| column.as_str())
    }
}

/// Which columns of a file give what.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) fields: Vec<Field>,
    /// For each field, the name of the column that gives it.
    names: Vec<String>,
    /// For each field, the place of that column, where the file says beforehand which it has.
    pub(super) places: Vec<Option<usize>>,
    pub(super) key: Option<KeyColumns>,
    /// Columns of the file that give no field.
    pub(super) ignored: Vec<String>,
}

/// Where keys are.
#[derive(Debug)]
pub(super) struct KeyColumns {
    pub(super) kinds: Vec<KeyType>,
    /// The column of a whole key.
    name: String,
    /// The columns of its parts, when it has several.
    parts: Vec<String>,
    /// The place of the whole key, or of each part.
    pub(super) places: Vec<usize>,
}

impl KeyColumns {
    fn new(entity: &str, kinds: &[KeyType], mapping: &Mapping) -> Self {
        let count = if kinds.len() > 1 { kinds.len() } else { 0 };
        let part = |number: usize| mapping.column(&format!("{entity}_{number}")).to_owned();
        let (name, parts) = (mapping.column(entity).to_owned(), (1..=count).map(part).collect());
        Self { kinds: kinds.to_vec(), name, parts, places: Vec::new() }
    }

    fn has(&self, column: &str) -> bool {
        self.name == column || self.parts.iter().any(|part| part == column)
    }

    /// True when the whole key is in one column.
    pub(super) fn is_whole(&self) -> bool {
        self.places.len() == 1
    }

    fn missing(&self) -> String {
        format!("{}, the entity key, is missing", self.name)
    }

    /// The key whose parts are given as people write them; the whole key when there is one text only.
    pub(super) fn of_texts<'a>(
        &self,
        texts: impl ExactSizeIterator<Item = Option<&'a str>>,
    ) -> Result<EntityKey, String> {
        // An empty part of several is a part; an empty cell of a whole key is none.
        let is_whole = texts.len() == 1;
        let texts = texts.map(|text| text.filter(|text| !is_whole || !text.is_empty()));
        let texts: Vec<&str> = texts.collect::<Option<_>>().ok_or_else(|| self.missing())?;
        let key = match texts.as_slice() {
            [whole] => EntityKey::parse(whole, &self.kinds),
            parts => {
                let part =
                    |(text, kind): (&&str, &KeyType)| model::key::KeyPart::parse(text, *kind);
                let parts = parts.iter().zip(&self.kinds).map(part).collect::<Result<Vec<_>, _>>();
                parts.and_then(|parts| EntityKey::encode(&parts, &self.kinds))
            }
        };
        key.map_err(|error| error.to_string())
    }

    /// The key in an object: its parts may stand in an array.
    fn of_object(&self, object: &Map<String, Json>) -> Result<EntityKey, String> {
        let text = |json: &Json| (!json.is_null()).then(|| plain(json));
        let texts: Vec<Option<String>> = match object.get(&self.name) {
            Some(Json::Array(parts)) if parts.len() == self.kinds.len() => {
                parts.iter().map(text).collect()
            }
            Some(whole) => vec![text(whole)],
            None => self.parts.iter().map(|part| object.get(part).and_then(text)).collect(),
        };
        if texts.is_empty() {
            return Err(self.missing());
        }
        self.of_texts(texts.iter().map(Option::as_deref))
    }
}

impl Binding {
    /// Binds the columns `header` of the file `path`, or what its objects will have.
    pub(super) fn new(
        path: &Path,
        wanted: Wanted,
        mapping: &Mapping,
        header: Option<&[String]>,
    ) -> Result<Self, Error> {
        let key = wanted.entity.as_ref();
        let key = key.map(|(entity, kinds)| KeyColumns::new(entity, kinds, mapping));
        let names = wanted.fields.iter().map(|field| mapping.column(field.name.as_str()));
        let names = names.map(str::to_owned).collect();
        let fields = wanted.fields.clone();
        let mut binding = Self { fields, names, places: Vec::new(), key, ignored: Vec::new() };
        check_mapping(&wanted, mapping, header)?;
        let Some(header) = header else { return Ok(binding) };
        let place = |name: &str| header.iter().position(|column| column == name);
        binding.places = binding.names.iter().map(|name| place(name)).collect();
        if let Some(key) = &mut binding.key {
            let parts: Vec<usize> = key.parts.iter().filter_map(|part| place(part)).collect();
            key.places = match place(&key.name) {
                Some(whole) => vec![whole],
                None if parts.len() == key.parts.len() => parts,
                None => Vec::new(),
            };
        }
        let key = binding.key.as_ref();
        let missing_key = key.filter(|key| key.places.is_empty()).map(|key| key.name.as_str());
        let required = wanted.required.iter().map(|field| mapping.column(field));
        if let Some(name) = missing_key
            .into_iter()
            .chain(required.clone().filter(|name| place(name).is_none()))
            .next()
        {
            let needed: Vec<_> =
                key.map(|key| key.name.as_str()).into_iter().chain(required).collect();
            let (has, needed) = (header.join(", "), needed.join(", "));
            let what = format!("the file has no column {name}; it has {has}; needed are {needed}");
            return Err(Error::file(path, what));
        }
        binding.ignored = header.iter().filter(|name| !binding.knows(name)).cloned().collect();
        Ok(binding)
    }

    fn knows(&self, column: &str) -> bool {
        self.names.iter().any(|name| name == column)
            || self.key.as_ref().is_some_and(|key| key.has(column))
    }

    /// The values and the key of a record of CSV.
    pub(super) fn of_cells(
        &self,
        cells: &[String],
    ) -> Result<(Vec<Given>, Option<EntityKey>), String> {
        let cell = |place: usize| cells.get(place).map(String::as_str);
        let value = |(field, place): (&Field, &Option<usize>)| match place.and_then(cell) {
            None => Ok(None),
            Some(cell) => of_cell(field, cell).map(Some),
        };
        let values = self.fields.iter().zip(&self.places).map(value);
        let values = values.collect::<Result<_, model::Error>>().map_err(|e| e.to_string())?;
        let key = self.key.as_ref();
        let key = key.map(|key| key.of_texts(key.places.iter().map(|place| cell(*place))));
        Ok((values, key.transpose()?))
    }

    /// The values and the key of an object.
    pub(super) fn of_object(
        &self,
        object: &Map<String, Json>,
    ) -> Result<(Vec<Given>, Option<EntityKey>), String> {
        if let Some(unknown) = object.keys().find(|name| !self.knows(name)) {
            let known = self.names.join(", ");
            return Err(format!("no field is called {unknown}; there are {known}"));
        }
        let value = |(field, name): (&Field, &String)| match object.get(name) {
            None => Ok(None),
            Some(json) => of_json(field, json).map(Some),
        };
        let values = self.fields.iter().zip(&self.names).map(value);
        let values = values.collect::<Result<_, model::Error>>().map_err(|e| e.to_string())?;
        let key = self.key.as_ref().map(|key| key.of_object(object)).transpose()?;
        Ok((values, key))
    }
}

/// Every field and every column of `mapping` must exist.
fn check_mapping(
    wanted: &Wanted,
    mapping: &Mapping,
    header: Option<&[String]>,
) -> Result<(), Error> {
    let mut known: Vec<String> = Vec::new();
    if let Some((entity, kinds)) = &wanted.entity {
        known.push(entity.clone());
        let parts = if kinds.len() > 1 { kinds.len() } else { 0 };
        known.extend((1..=parts).map(|number| format!("{entity}_{number}")));
    }
    known.extend(wanted.fields.iter().map(|field| field.name.to_string()));
    for (field, column) in &mapping.0 {
        let (what, name, there) = match header {
            _ if !known.contains(field) => ("field", field, known.as_slice()),
            Some(header) if !header.contains(column) => ("column", column, header),
            _ => continue,
        };
        let there = there.join(", ");
        let what = format!("--map {field}={column}: there is no {what} {name}; there are {there}");
        return Err(Error::Usage(what));
    }
    Ok(())
}
