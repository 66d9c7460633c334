//! Tables of names and types: features of a row group, fields of a stream, values of a request.

use super::document::{Item, Problems};
use crate::{definition::Field, limits::FEATURES_PER_GROUP_MAX, value::DataType};

/// Reads `name = "type"` lines. What `existing` already has comes first, in its order: indexes are for ever.
pub(super) fn read(
    items: &[Item<'_>],
    existing: &[Field],
    problems: &mut Problems<'_>,
    is_allowed: impl Fn(DataType) -> Result<(), &'static str>,
) -> Vec<Field> {
    if let Some(item) = items.get(FEATURES_PER_GROUP_MAX) {
        let count = items.len();
        item.refuse(
            problems,
            format!("{count} entries; at most {FEATURES_PER_GROUP_MAX} are allowed"),
        );
    }
    let mut fields: Vec<Field> =
        items.iter().filter_map(|item| field(item, problems, &is_allowed)).collect();
    let position = |field: &Field| existing.iter().position(|known| known.name == field.name);
    fields.sort_by_key(|field| position(field).unwrap_or(usize::MAX));
    fields
}

fn field(
    item: &Item<'_>,
    problems: &mut Problems<'_>,
    is_allowed: impl Fn(DataType) -> Result<(), &'static str>,
) -> Option<Field> {
    let name = item.name(problems)?;
    let text = item.text(problems, "a type in quotes")?;
    let data_type = match DataType::parse(text) {
        Ok(data_type) => data_type,
        Err(_) => {
            item.refuse(problems, format!("type {text:?} is not one of {}", DataType::ALLOWED));
            return None;
        }
    };
    if let Err(why) = is_allowed(data_type) {
        item.refuse(problems, why);
        return None;
    }
    Some(Field { name, data_type })
}
