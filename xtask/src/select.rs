//! Picks rows of a table by the names given on the command line.

use crate::error::Error;

/// The rows of `all` that `wanted` names, in the order of the table; every row if `wanted` is empty.
///
/// # Errors
/// [`Error::Usage`] if a name is in no row, with the names there are.
pub(crate) fn select<'a, T>(
    all: &'a [T],
    name_of: fn(&T) -> &str,
    wanted: &[String],
) -> Result<Vec<&'a T>, Error> {
    for name in wanted {
        if !all.iter().any(|row| name_of(row) == name) {
            let known: Vec<&str> = all.iter().map(name_of).collect();
            return Err(Error::Usage(format!("{name} is none of {}", known.join(", "))));
        }
    }
    let chosen = |row: &&T| wanted.is_empty() || wanted.iter().any(|name| name_of(row) == name);
    Ok(all.iter().filter(chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [&str; 3] = ["fmt", "clippy", "size"];

    fn selected(wanted: &[&str]) -> Result<Vec<&'static str>, Error> {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        select(&TABLE, |name| name, &wanted).map(|rows| rows.into_iter().copied().collect())
    }

    #[test]
    fn no_name_selects_everything() {
        assert_eq!(selected(&[]).unwrap(), TABLE);
    }

    #[test]
    fn names_select_in_the_order_of_the_table() {
        assert_eq!(selected(&["size", "fmt"]).unwrap(), ["fmt", "size"]);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let message = selected(&["fmt", "sizes"]).unwrap_err().to_string();
        assert!(message.contains("sizes is none of fmt, clippy, size"), "{message}");
    }
}
