//! One file a target.

pub(crate) mod catalog;
pub(crate) mod definitions;
pub(crate) mod expression;
pub(crate) mod frame;
pub(crate) mod manifest;
pub(crate) mod ops_crash;
pub(crate) mod recovery;
pub(crate) mod request;
pub(crate) mod sections;
pub(crate) mod snapshot_open;
pub(crate) mod wal_scan;
