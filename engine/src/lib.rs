//! The embeddable database: shards, apply, commit, restore.
