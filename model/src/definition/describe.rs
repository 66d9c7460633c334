//! Definitions as text properties and columns, for `larder describe` in whatever format.

use super::{
    Definitions, Entity, Group, GroupKind, Metadata, RowGroup, Service, Stream, StreamClock,
    Window, WindowGroup,
};
use crate::{Error, name::Name, nearest, time::format_span};

/// One definition, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `entity`, `stream`, `row group`, `window group` or `service`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What is set, by name.
    pub properties: Vec<(String, String)>,
    /// Fields, features or vector values, in order.
    pub columns: Vec<DescribedColumn>,
}

/// Name, type and detail of one field, feature or value.
pub type DescribedColumn = (String, String, String);

/// Describes everything, or the definitions called `name`, of whatever kind.
///
/// # Errors
/// [`Error::Invalid`] when nothing has that name, with the names there are.
pub fn describe(definitions: &Definitions, name: Option<&str>) -> Result<Vec<Section>, Error> {
    let entities = definitions.entities.iter().map(entity);
    let streams = definitions.streams.iter().map(stream);
    let groups = definitions.groups.iter().map(|item| group(definitions, item));
    let services = definitions.services.iter().map(|item| service(definitions, item));
    let all: Vec<Section> = entities.chain(streams).chain(groups).chain(services).collect();
    let Some(name) = name else { return Ok(all) };
    let names: Vec<_> = all.iter().map(|section| section.name.clone()).collect();
    let found: Vec<_> = all.into_iter().filter(|section| section.name == name).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let names = || names.iter().map(String::as_str);
    let hint = nearest::hint(name, names());
    Err(Error::invalid(
        "name",
        name,
        format!("not defined{hint}; defined are: {}", nearest::list(names())),
    ))
}

fn property(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn section(
    kind: &str,
    name: &impl ToString,
    metadata: &Metadata,
    mut properties: Vec<(String, String)>,
    columns: Vec<DescribedColumn>,
) -> Section {
    properties.extend(metadata.description.iter().map(|text| property("description", text)));
    properties.extend(metadata.owner.iter().map(|text| property("owner", text)));
    if !metadata.tags.is_empty() {
        properties.push(property("tags", metadata.tags.join(", ")));
    }
    Section { kind: kind.to_owned(), name: name.to_string(), properties, columns }
}

fn entity(entity: &Entity) -> Section {
    let key: Vec<_> = entity.key.iter().map(|part| part.as_str()).collect();
    section("entity", &entity.name, &entity.metadata, vec![property("key", key.join(", "))], vec![])
}

fn stream(stream: &Stream) -> Section {
    let name = |field: usize| stream.fields.get(field).map_or("", |field| field.name.as_str());
    let mut properties = vec![property("event_time", name(stream.event_time))];
    properties.extend(stream.event_id.map(|field| property("event_id", name(field))));
    properties.extend(stream.dedup_ms.map(|span| property("dedup", format_span(span))));
    if stream.retract {
        let limit = format!("within {} of now", format_span(stream.horizon_ms));
        properties.push(property("retract", limit));
    }
    match stream.clock {
        StreamClock::Wall => {
            properties.push(property("clock", "wall"));
            properties.push(property("max_skew", format_span(stream.max_skew_ms)));
        }
        StreamClock::Event => properties.push(property("clock", "event")),
    }
    properties.push(property("horizon", format_span(stream.horizon_ms)));
    properties.extend(stream.history.map(|history| property("history", history)));
    let role = |index: usize| match index {
        index if index == stream.event_time => "event time",
        index if Some(index) == stream.event_id => "event id",
        _ => "",
    };
    let columns = stream.fields.iter().enumerate().map(|(index, field)| {
        (field.name.to_string(), field.data_type.to_string(), role(index).to_owned())
    });
    section("stream", &stream.name, &stream.metadata, properties, columns.collect())
}

fn group(definitions: &Definitions, group: &Group) -> Section {
    let entity = definitions.entities.get(group.entity).map_or("", |entity| entity.name.as_str());
    let mut properties = vec![property("entity", entity)];
    let (kind, columns) = match &group.kind {
        GroupKind::Rows(rows) => ("row group", row_columns(rows, group, &mut properties)),
        GroupKind::Windows(windows) => {
            ("window group", window_columns(definitions, (group, windows), &mut properties))
        }
    };
    section(kind, &group.name, &group.metadata, properties, columns)
}

/// The tags of single features, for the detail of a column.
fn tags(group: &Group, feature: &Name) -> Option<String> {
    let tags = group.feature_tags.get(feature).filter(|tags| !tags.is_empty())?;
    Some(format!("tags {}", tags.join(", ")))
}

fn row_columns(
    rows: &RowGroup,
    group: &Group,
    properties: &mut Vec<(String, String)>,
) -> Vec<DescribedColumn> {
    properties.extend(rows.max_age_ms.map(|span| property("max_age", format_span(span))));
    properties.extend(rows.history.map(|history| property("history", history)));
    let columns = rows.features.iter();
    columns
        .map(|field| {
            let detail = tags(group, &field.name).unwrap_or_default();
            (field.name.to_string(), field.data_type.to_string(), detail)
        })
        .collect()
}

fn window_columns(
    definitions: &Definitions,
    (group, windows): (&Group, &WindowGroup),
    properties: &mut Vec<(String, String)>,
) -> Vec<DescribedColumn> {
    let stream = definitions.streams.get(windows.stream);
    let field = |index: &usize| {
        let field = stream.and_then(|stream| stream.fields.get(*index));
        field.map_or("", |field| field.name.as_str())
    };
    properties.push(property("stream", stream.map_or("", |stream| stream.name.as_str())));
    properties.push(property("key", windows.key.iter().map(field).collect::<Vec<_>>().join(", ")));
    for window in &windows.windows {
        properties.push((format!("window {}", window.label), coverage(window)));
    }
    let columns = windows.columns.iter().map(|column| {
        let feature = windows.features.get(column.feature);
        let text = feature.map_or("", |feature| feature.text.as_str());
        let tags = feature.and_then(|feature| tags(group, &feature.name));
        let tags = tags.map_or_else(String::new, |tags| format!("; {tags}"));
        let window = windows.windows.get(column.window).map_or("", |window| window.label.as_str());
        let detail = format!("{text} over {window}{tags}");
        (column.field.name.to_string(), column.field.data_type.to_string(), detail)
    });
    columns.collect()
}

/// How a window differs from its length.
fn coverage(window: &Window) -> String {
    let hop = format_span(window.hop_ms);
    if window.is_lifetime() {
        return "everything ever accepted".to_owned();
    }
    if window.offset_ms > 0 {
        let offset = format_span(window.offset_ms);
        return format!("hop {hop}, ends {offset} to {offset} and a hop before the time of a read");
    }
    // A tail snaps outward to its hop: the window is never shorter, and longer by less than a hop.
    let percent = 100.0 * window.hop_ms as f64 / window.length_ms as f64;
    format!("hop {hop}, covers up to {percent:.1} % more")
}

fn service(definitions: &Definitions, service: &Service) -> Section {
    let entities = service.entities.iter().filter_map(|entity| definitions.entities.get(*entity));
    let entities: Vec<_> = entities.map(|entity| entity.name.as_str()).collect();
    let mut properties = vec![property("entities", entities.join(", "))];
    if !service.request.is_empty() {
        let fields = service.request.iter();
        let fields: Vec<_> =
            fields.map(|field| format!("{} {}", field.name, field.data_type)).collect();
        properties.push(property("request", fields.join(", ")));
    }
    properties.extend(service.read_log.map(|log| property("log_reads", log)));
    let stored = service.features.iter().map(|feature| {
        let group = definitions.groups.get(feature.feature.group);
        let group = group.map_or("", |group| group.name.as_str());
        let entity = entities.get(feature.entity).copied().unwrap_or("");
        (feature.name.clone(), feature.data_type.to_string(), format!("{group} of {entity}"))
    });
    let derived = service.derived.iter().map(|derived| {
        (derived.name.to_string(), derived.data_type.to_string(), format!("= {}", derived.text))
    });
    section(
        "service",
        &service.name,
        &service.metadata,
        properties,
        stored.chain(derived).collect(),
    )
}
