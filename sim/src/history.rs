//! Every record that was appended, in the order of the log, and how much of it was promised to whom.

use engine::Outcome;

use crate::{
    model::Model,
    operation::{Event, Row, Table},
    schema::Stream,
};

/// What a record changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Definitions of a version, applied at a time of the wall clock in ms.
    Define(u64, i64),
    /// Rows, each with its event time.
    Put(Vec<Row>),
    /// Accepted events, and "now" of their stream in ms.
    Push(Stream, i64, Vec<Event>),
    Delete(Table, Vec<u16>),
    /// Events that were found.
    Retract(Vec<Event>),
}

/// Producer and sequence.
pub(crate) type Writer = (u8, u64);

/// A record of the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) change: Change,
    /// Who wrote it and what the answer was; `None` for nobody's.
    pub(crate) writer: Option<(Writer, Outcome)>,
}

/// See the module. LSNs are positions in `records`, from 1 on.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) records: Vec<Record>,
    /// Newest record promised to survive a power cut.
    pub(crate) durable: u64,
    /// Newest record promised to survive the end of the process, unless the power went since.
    pub(crate) written: u64,
}

impl History {
    /// Newest record appended.
    pub(crate) fn appended(&self) -> u64 {
        self.records.len() as u64
    }

    /// Somebody was promised that everything up to `lsn` survives a power cut.
    pub(crate) fn promise_durable(&mut self, lsn: u64) {
        self.durable = self.durable.max(lsn);
        self.promise_written(lsn);
    }

    /// Somebody was promised that everything up to `lsn` survives the end of the process.
    pub(crate) fn promise_written(&mut self, lsn: u64) {
        self.written = self.written.max(lsn);
    }

    /// The power went: what was only written may be gone.
    pub(crate) fn power_cut(&mut self) {
        self.written = self.durable;
    }

    /// A start found everything up to `lsn`, and made it durable. What came after it never happened.
    ///
    /// # Errors
    /// When less was found than was promised, or more than was written.
    pub(crate) fn recovered(&mut self, lsn: u64) -> Result<(), String> {
        if lsn < self.durable.max(self.written) {
            let (durable, written) = (self.durable, self.written);
            return Err(format!(
                "records up to {durable} were promised to be durable and up to {written} to be written, only {lsn} are left"
            ));
        }
        if lsn > self.appended() {
            let appended = self.appended();
            return Err(format!("{appended} records were appended, {lsn} are there"));
        }
        self.records.truncate(usize::try_from(lsn).unwrap_or(usize::MAX));
        (self.durable, self.written) = (lsn, lsn);
        Ok(())
    }

    /// The model after all of it.
    pub(crate) fn model(&self) -> Model {
        self.model_at(self.appended())
    }

    /// The model after record `lsn`.
    pub(crate) fn model_at(&self, lsn: u64) -> Model {
        let mut model = Model::default();
        for (lsn, record) in (1..=lsn).zip(&self.records) {
            model.apply(lsn, record);
        }
        model
    }
}
