//! `[group.X]` of windows: aggregates of a stream.

use super::{
    Kind, Reader,
    document::{Item, Section},
    hop, metadata,
};
use crate::{
    Error,
    definition::{
        Aggregate, AggregateFeature, AggregateFunction, Field, Group, GroupKind, Window,
        WindowColumn, WindowGroup,
    },
    key::KeyType,
    limits::{FEATURES_PER_GROUP_MAX, TILES_PER_WINDOW_MAX, WINDOWS_PER_GROUP_MAX},
    name::Name,
    time::{format_span, parse_span},
    value::DataType,
};

const KEYS: [&str; 7] = ["entity", "stream", "key", "windows", "hops", "features", "feature_tags"];

impl Reader<'_> {
    pub(super) fn window_group(&mut self, name: Name, section: &Section<'_>) {
        let misplaced = [
            ("max_age", "only a row group has it: a window is never older than now"),
            ("history", "its stream has it: what a window group holds comes from its events"),
        ];
        section.check_keys(&mut self.problems, &metadata::with(&KEYS), &misplaced);
        let metadata = metadata::read(section, &mut self.problems);
        let entity = self.reference(section, Kind::Entity);
        let stream = self.reference(section, Kind::Stream);
        let windows = self.windows(section);
        let fields = stream.and_then(|stream| self.definitions.streams.get(stream));
        let fields = fields.map(|stream| stream.fields.clone());
        let (Some(entity), Some(stream), Some(fields)) = (entity, stream, fields) else { return };
        let key = self.window_key(section, entity, &fields);
        let features = self.aggregates(section, &fields, windows.as_deref().unwrap_or(&[]));
        let (Some(key), Some(windows), Some(features)) = (key, windows, features) else { return };
        let columns = self.window_columns(section, &features, &windows);
        let names = || features.iter().map(|feature| feature.name.as_str());
        let feature_tags = metadata::feature_tags(section, &mut self.problems, names);
        let kind = GroupKind::Windows(WindowGroup { stream, key, windows, features, columns });
        self.put_group(Group { name, entity, kind, metadata, feature_tags });
    }

    fn window_key(
        &mut self,
        section: &Section<'_>,
        entity: usize,
        fields: &[Field],
    ) -> Option<Vec<usize>> {
        const WANTED: &str =
            "the stream field that carries the entity key, or an array of them for a composite key";
        let item = section.require(&mut self.problems, "key", WANTED)?;
        let parts = item.texts(&mut self.problems, WANTED, true)?;
        let entity = self.definitions.entities.get(entity)?;
        let (entity_name, types) = (entity.name.clone(), entity.key.clone());
        if parts.len() != types.len() {
            let wanted: Vec<_> = types.iter().map(|kind| kind.as_str()).collect();
            let message = format!(
                "{} fields, but entity {entity_name} has {} key parts ({})",
                parts.len(),
                types.len(),
                wanted.join(", ")
            );
            item.refuse(&mut self.problems, message);
            return None;
        }
        let mut key = Vec::with_capacity(parts.len());
        for (part, wanted) in parts.iter().zip(types) {
            let Some(index) = self.field_of(part, WANTED, fields) else { continue };
            let given = fields.get(index)?.data_type;
            if !carries(given, wanted) {
                let message = format!(
                    "field {} is {given}, but the key of entity {entity_name} is {wanted}; they must be the same",
                    part.as_text()
                );
                part.refuse(&mut self.problems, message);
            }
            key.push(index);
        }
        Some(key)
    }

    /// Windows, shortest first, with their hops.
    fn windows(&mut self, section: &Section<'_>) -> Option<Vec<Window>> {
        const WANTED: &str = "an array of durations such as [\"5m\", \"24h\"]";
        let item = section.require(&mut self.problems, "windows", WANTED)?;
        let parts = item.texts(&mut self.problems, WANTED, false)?;
        if parts.is_empty() || parts.len() > WINDOWS_PER_GROUP_MAX {
            let message =
                format!("{} windows; allowed are 1 to {WINDOWS_PER_GROUP_MAX}", parts.len());
            item.refuse(&mut self.problems, message);
            return None;
        }
        let mut windows: Vec<Window> = Vec::with_capacity(parts.len());
        for part in &parts {
            let window = window(part.as_text())
                .map_err(|error| part.refuse(&mut self.problems, error))
                .ok()?;
            let same = |known: &&Window| {
                (known.length_ms, known.offset_ms) == (window.length_ms, window.offset_ms)
            };
            if let Some(same) = windows.iter().find(same) {
                let message = format!("window {} is the same as {}", window.label, same.label);
                part.refuse(&mut self.problems, message + "; list each once");
            }
            windows.push(window);
        }
        let is_sliding = |window: &&mut Window| !window.is_lifetime();
        let lengths: Vec<_> =
            windows.iter_mut().filter(is_sliding).map(|window| window.length_ms).collect();
        let hops = match section.get("hops") {
            None => hop::defaults(&lengths),
            Some(item) => self.hops(item, &lengths)?,
        };
        for (window, hop_ms) in windows.iter_mut().filter(is_sliding).zip(hops) {
            window.hop_ms = hop_ms;
            let tiles = (window.length_ms + window.offset_ms) / hop_ms;
            if tiles > TILES_PER_WINDOW_MAX {
                let message = format!(
                    "window {} looks back over {tiles} hops of {}; at most {TILES_PER_WINDOW_MAX}: give it a longer hop",
                    window.label,
                    format_span(hop_ms)
                );
                item.refuse(&mut self.problems, message);
            }
        }
        windows.sort_by_key(|window| (window.length_ms, window.offset_ms));
        Some(windows)
    }

    fn hops(&mut self, item: &Item<'_>, windows_ms: &[i64]) -> Option<Vec<i64>> {
        let parts =
            item.texts(&mut self.problems, "an array of durations, one for each window", false)?;
        let hops: Option<Vec<_>> =
            parts.iter().map(|part| part.span_ms(&mut self.problems)).collect();
        let hops = hops?;
        hop::check(&hops, windows_ms).map_err(|why| item.refuse(&mut self.problems, why)).ok()?;
        Some(hops)
    }

    fn aggregates(
        &mut self,
        section: &Section<'_>,
        fields: &[Field],
        windows: &[Window],
    ) -> Option<Vec<AggregateFeature>> {
        let wanted = "a table of feature names and aggregates such as \"sum(amount)\"";
        let item = section.require(&mut self.problems, "features", wanted)?.clone();
        let items = item.section(&mut self.problems)?.items;
        if items.is_empty() {
            item.refuse(&mut self.problems, "a group has at least one feature");
        }
        let mut features = Vec::with_capacity(items.len());
        for item in items {
            let name = item.name(&mut self.problems);
            let Some(text) = item.text(&mut self.problems, "an aggregate such as \"sum(amount)\"")
            else {
                continue;
            };
            let aggregate = Aggregate::compile(text, fields)
                .map_err(|error| error.to_string())
                .and_then(|aggregate| fits(&aggregate, windows).map(|()| aggregate))
                .map_err(|error| item.refuse(&mut self.problems, error));
            if let (Some(name), Ok(aggregate)) = (name, aggregate) {
                features.push(AggregateFeature { name, aggregate, text: text.to_owned() });
            }
        }
        Some(features)
    }

    fn window_columns(
        &mut self,
        section: &Section<'_>,
        features: &[AggregateFeature],
        windows: &[Window],
    ) -> Vec<WindowColumn> {
        let count = features.len() * windows.len();
        if count > FEATURES_PER_GROUP_MAX {
            let message = format!(
                "{} features × {} windows make {count} columns; at most {FEATURES_PER_GROUP_MAX} are allowed",
                features.len(),
                windows.len()
            );
            section.refuse(&mut self.problems, message);
            return Vec::new();
        }
        let mut columns: Vec<WindowColumn> = Vec::with_capacity(count);
        for (feature, described) in features.iter().enumerate() {
            for (window, span) in windows.iter().enumerate() {
                let text = format!("{}_{}", described.name, span.label);
                let name = match Name::new(&text) {
                    Ok(name) if columns.iter().all(|column| column.field.name != name) => name,
                    Ok(name) => {
                        let message =
                            format!("two columns would be called {name}; rename a feature");
                        section.refuse(&mut self.problems, message);
                        continue;
                    }
                    Err(error) => {
                        section.refuse(&mut self.problems, error);
                        continue;
                    }
                };
                let data_type = described.aggregate.output;
                columns.push(WindowColumn { field: Field { name, data_type }, feature, window });
            }
        }
        columns
    }
}

/// One window: `24h`, `7d offset 1d`, or `all`. Its hop is not known yet.
fn window(text: &str) -> Result<Window, Error> {
    if text == "all" {
        let (label, length_ms) = (text.to_owned(), Window::LIFETIME_MS);
        return Ok(Window { label, length_ms, offset_ms: 0, hop_ms: length_ms });
    }
    let words: Vec<_> = text.split_whitespace().collect();
    let (length, offset) = match words.as_slice() {
        [length, "offset", offset] => (*length, Some(*offset)),
        _ => (text, None),
    };
    let length_ms = parse_span(length).map_err(|_| {
        let allowed = "a duration such as 24h, one with an offset such as 7d offset 1d, or all";
        Error::invalid("window", text, allowed)
    })?;
    if length_ms < hop::WINDOW_MS_MIN {
        let least = format!("at least {} long", format_span(hop::WINDOW_MS_MIN));
        return Err(Error::invalid("window", text, least));
    }
    let offset_ms = offset.map_or(Ok(0), parse_span)?;
    Ok(Window { label: words.join("_"), length_ms, offset_ms, hop_ms: 0 })
}

/// Refuses what no state is kept for.
fn fits(aggregate: &Aggregate, windows: &[Window]) -> Result<(), String> {
    let function = aggregate.function;
    let offset = windows.iter().find(|window| window.offset_ms > 0);
    let lifetime = windows.iter().find(|window| window.is_lifetime());
    match (function, offset, lifetime) {
        (AggregateFunction::ApproxDistinct { .. }, Some(window), _) => Err(format!(
            "{function} remembers the newest tile of a value only, so it cannot end before now as window {} does; put it into \
             a group without offsets",
            window.label
        )),
        (AggregateFunction::Cusum { .. }, _, Some(_)) => Err(format!(
            "{function} adds up tile after tile, and the window all has no tiles; put it into a group without all"
        )),
        _ => Ok(()),
    }
}

/// True when a field of type `given` can be a key part of type `wanted`.
fn carries(given: DataType, wanted: KeyType) -> bool {
    matches!(
        (given, wanted),
        (DataType::String, KeyType::String)
            | (DataType::I64, KeyType::I64)
            | (DataType::Bytes, KeyType::Bytes)
    )
}
