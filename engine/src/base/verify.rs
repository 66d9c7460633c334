//! Looks at every entity of a table in a snapshot: for `larder check`, which trusts no writer.

use stdx::hash::KeyHasher;
use storage::{Error, snapshot::Section};

use super::section::BaseSection;
use crate::shard::shard_of;

/// Makes sure that every entity of the table in `section` is found by its key and belongs to `shard`; how many there are.
///
/// # Errors
/// [`Error::Damaged`] for the first that does not.
pub(crate) fn verify(section: Section, hasher: &KeyHasher, shard: u32) -> Result<u32, Error> {
    let table = BaseSection::open(section)?;
    for ordinal in 0..table.entities() {
        let key = table.record(ordinal)?.key;
        let hash = hasher.hash(key);
        if table.find(hash, key)? != Some(ordinal) {
            return Err(table.damaged("an entity that its key does not lead to"));
        }
        if u32::try_from(shard_of(hash)) != Ok(shard) {
            return Err(table.damaged("an entity of another shard"));
        }
    }
    Ok(table.entities())
}

/// How many entities the table in `section` has.
///
/// # Errors
/// [`Error::Damaged`] when it is no table.
pub(crate) fn entities(section: Section) -> Result<u32, Error> {
    Ok(BaseSection::open(section)?.entities())
}
