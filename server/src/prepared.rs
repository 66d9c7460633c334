//! What a handle stands for: names that were looked up once.

use std::sync::Arc;

use engine::ReadPlan;
use model::definition::Definitions;

use crate::{metrics::Served, read_log::Logged};

/// See the module.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// A service or a list of features.
    Vectors {
        /// What is read.
        plan: ReadPlan,
        /// Of what is read some is logged.
        logged: Option<Logged>,
        /// Where what is served of a service is counted.
        served: Option<Arc<Served>>,
        /// Name of the service; `None` of a list of features.
        service: Option<String>,
        /// What it is read for, when that was said.
        purpose: Option<String>,
    },
    /// A group: to put into, delete from, scan.
    Group {
        /// Its index.
        group: usize,
        /// Rows can be put into it.
        is_rows: bool,
        /// What a scan reads.
        plan: ReadPlan,
        /// What it is scanned for, when that was said.
        purpose: Option<String>,
    },
    /// A stream, by its index.
    Stream(usize),
}

impl Prepared {
    /// What is read.
    pub(crate) fn plan(&self) -> Option<&ReadPlan> {
        match self {
            Self::Vectors { plan, .. } | Self::Group { plan, .. } => Some(plan),
            Self::Stream(_) => None,
        }
    }

    /// What it is read for, when that was said.
    pub(crate) fn purpose(&self) -> Option<&str> {
        match self {
            Self::Vectors { purpose, .. } | Self::Group { purpose, .. } => purpose.as_deref(),
            Self::Stream(_) => None,
        }
    }

    /// What it is of, by name: `service:x`, `group:y`, `stream:z`; of a list of features their groups. For logs.
    pub(crate) fn resources(&self, definitions: &Definitions) -> Vec<String> {
        let group = |index: usize| {
            definitions.groups.get(index).map(|group| format!("group:{}", group.name))
        };
        match self {
            Self::Vectors { service: Some(service), .. } => vec![format!("service:{service}")],
            Self::Vectors { plan, .. } => {
                plan.group_indexes().into_iter().filter_map(group).collect()
            }
            Self::Group { group: index, .. } => group(*index).into_iter().collect(),
            Self::Stream(index) => {
                let stream = definitions.streams.get(*index);
                stream.map(|stream| format!("stream:{}", stream.name)).into_iter().collect()
            }
        }
    }
}
