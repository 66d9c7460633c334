//! Why a life was ended by its judge.

use std::fmt;

/// What a simulation found that must not be.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) unexpected: Unexpected,
    /// What was being done.
    pub(crate) during: Option<String>,
}

/// See [`Failure`].
#[derive(Debug)]
pub(crate) enum Unexpected {
    /// The database did other than the model says.
    Behaviour(String),
    /// The database failed: whether that is right depends on what was done to its disk.
    Error(engine::Error),
}

impl Failure {
    pub(crate) fn new(what: String) -> Self {
        Self { unexpected: Unexpected::Behaviour(what), during: None }
    }

    /// The same, with what was being done.
    pub(crate) fn during(self, what: impl fmt::Display) -> Self {
        let inner = self.during.map_or_else(String::new, |inner| format!(", {inner}"));
        Self { during: Some(format!("{what}{inner}")), unexpected: self.unexpected }
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        Self { unexpected: Unexpected::Error(error), during: None }
    }
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self::new(what)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(during) = &self.during {
            write!(f, "{during}: ")?;
        }
        match &self.unexpected {
            Unexpected::Behaviour(what) => f.write_str(what),
            Unexpected::Error(error) => write!(f, "{error}"),
        }
    }
}
