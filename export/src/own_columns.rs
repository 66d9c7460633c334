//! Columns that Larder adds to those of users: each has a name that no other column has, and is told by its role, not by its name.
//!
//! Users name fields, features, request values and derived values as they like, also `lsn` or `as_of`, and entities as well. What they
//! named keeps its name, then the statuses of values, then keys; what comes later and meets a name that is taken gets underscores.

use std::collections::BTreeSet;

use arrow_schema::{Field, Schema};

use crate::metadata::{self, role};

/// Names of users, then of what belongs to them, then Larder's.
fn turn(field: &Field) -> usize {
    match role_of(field) {
        role::FIELD | role::FEATURE | role::REQUEST => 0,
        role::STATUS => 1,
        role::ENTITY_KEY => 2,
        _ => 3,
    }
}

fn role_of(field: &Field) -> &str {
    field.metadata().get(metadata::ROLE).map_or("", String::as_str)
}

/// Gives each column a name that no other of `fields` has.
pub(crate) fn name_apart(fields: &mut [Field]) {
    let users = fields.iter().filter(|field| turn(field) == 0);
    let mut taken: BTreeSet<String> = users.map(|field| field.name().clone()).collect();
    for now in 1..=3 {
        for field in fields.iter_mut().filter(|field| turn(field) == now) {
            let mut name = field.name().clone();
            while taken.contains(&name) {
                name.push('_');
            }
            taken.insert(name.clone());
            field.set_name(name);
        }
    }
}

/// Whether the columns of a file are those that are expected of it. Names count for those of users alone: files of before every column had
/// a name of its own are read as well.
pub(crate) fn are_same(found: &Schema, expected: &Schema) -> bool {
    let is_same = |(found, expected): (&Field, &Field)| {
        let about = |field: &Field| {
            let about = [metadata::ROLE, metadata::GROUP, metadata::ENTITY];
            about.map(|name| field.metadata().get(name).cloned())
        };
        found.data_type() == expected.data_type()
            && about(found) == about(expected)
            && (turn(expected) > 0 || found.name() == expected.name())
    };
    let pairs = found.fields().iter().zip(expected.fields());
    found.fields().len() == expected.fields().len() && { pairs }
        .all(|(found, expected)| is_same((found, expected)))
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;

    fn fields(named: &[(&str, &str)]) -> Vec<Field> {
        let field = |(name, role): &(&str, &str)| {
            let about = [(metadata::ROLE.to_owned(), (*role).to_owned())];
            Field::new(*name, DataType::Int64, true).with_metadata(about.into())
        };
        named.iter().map(field).collect()
    }

    fn names(fields: &[Field]) -> Vec<&str> {
        fields.iter().map(|field| field.name().as_str()).collect()
    }

    #[test]
    fn every_column_has_a_name_of_its_own_and_users_keep_theirs() {
        let mut all = fields(&[
            ("lsn", role::LSN),
            ("kind", role::KIND),
            ("lsn_", role::ENTITY_KEY),
            ("kind", role::ENTITY_KEY),
            ("lsn", role::FIELD),
            ("kind__status", role::FEATURE),
            ("kind", role::REQUEST),
            ("kind__status", role::STATUS),
        ]);
        name_apart(&mut all);
        let expected =
            ["lsn__", "kind__", "lsn_", "kind_", "lsn", "kind__status", "kind", "kind__status_"];
        assert_eq!(names(&all), expected);
        // Where nothing clashes nothing changes.
        let mut plain =
            fields(&[("lsn", role::LSN), ("card", role::ENTITY_KEY), ("a", role::FIELD)]);
        name_apart(&mut plain);
        assert_eq!(names(&plain), ["lsn", "card", "a"]);
    }

    #[test]
    fn a_file_of_before_is_read_and_another_one_is_not() {
        let schema = |named: &[(&str, &str)]| Schema::new(fields(named));
        let now = [("lsn_", role::LSN), ("lsn", role::ENTITY_KEY), ("a", role::FIELD)];
        let before = [("lsn", role::LSN), ("lsn", role::ENTITY_KEY), ("a", role::FIELD)];
        assert!(are_same(&schema(&before), &schema(&now)));
        let swapped = [before[1], before[0], before[2]];
        let renamed = [before[0], before[1], ("b", role::FIELD)];
        let other = [&swapped[..], &renamed[..], &before[..2]];
        assert!(other.iter().all(|other| !are_same(&schema(other), &schema(&now))));
    }
}
