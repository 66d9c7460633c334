//! A feature service: the named, ordered list of values that one model version reads.

use super::{Field, Metadata, ReadLog};
use crate::{expr::Expr, name::Name, value::DataType};

/// What one model version reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: Name,
    /// Indexes of the entities a reader must give keys of, in order of first use.
    pub entities: Vec<usize>,
    /// Stored features, in service order.
    pub features: Vec<ServiceFeature>,
    /// Values that come with the request.
    pub request: Vec<Field>,
    /// Values computed from the stored and the request's; they follow the stored ones in the vector.
    pub derived: Vec<Derived>,
    /// Which vectors are kept as files, if any.
    pub read_log: Option<ReadLog>,
    /// Free metadata.
    pub metadata: Metadata,
}

/// The address of one stored feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeatureRef {
    /// Index of the group.
    pub group: usize,
    /// Index of the column in [`super::Group::columns`].
    pub column: usize,
}

/// A stored feature of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFeature {
    /// Where it is stored.
    pub feature: FeatureRef,
    /// Its name in the vector: the column's, or `group:column` where two groups of the service share the column's name.
    pub name: String,
    /// Index in [`Service::entities`] of the entity whose key finds it.
    pub entity: usize,
    /// Its type.
    pub data_type: DataType,
}

/// A derived feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// Its name.
    pub name: Name,
    /// How it is computed. Inputs 0.. are the stored features, then the request values, then earlier derived features.
    pub expr: Expr,
    /// The type of the result.
    pub data_type: DataType,
    /// The expression as written.
    pub text: String,
}
