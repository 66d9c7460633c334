//! `larder push`: events of a file into a stream.

use client::StreamWriter;
use model::packed_row::{Cell, write_row};

use super::load::{self, Counts, Patience, Sent, Target, Unanswered};
use crate::{
    args,
    error::CliError,
    input::{Binding, Record, Skipped},
    remote,
};

/// See the module.
pub(crate) fn run(args: &args::Load) -> Result<(), CliError> {
    remote::run(async {
        let stream = remote::loading(args)?.stream(&args.target).await?;
        load::run(args, Events { stream }).await
    })
}

#[derive(Clone)]
struct Events {
    stream: StreamWriter,
}

impl Target for Events {
    type Row = (usize, Vec<u8>);

    fn bind(&self, header: Option<&[String]>) -> Result<Binding, CliError> {
        bind(&self.stream, header)
    }

    fn pack(&self, binding: &Binding, record: &Record) -> Result<Self::Row, Skipped> {
        pack(&self.stream, binding, record)
    }

    async fn send(
        self,
        rows: Vec<Self::Row>,
        sequence: u64,
        patience: Patience,
    ) -> Result<Sent, Unanswered> {
        let fields = rows.first().map_or(0, |(fields, _)| *fields);
        let events: Vec<&[u8]> = rows.iter().map(|(_, packed)| packed.as_slice()).collect();
        let attempt =
            || async { self.stream.push_packed(fields, &events, Some(sequence)).await.map(sent) };
        patience.send(attempt).await
    }

    fn words(&self) -> [&'static str; 4] {
        ["accepted", "duplicate", "late", "rejected"]
    }
}

/// Binds the columns of a file of events; event time and id must be there.
pub(super) fn bind(stream: &StreamWriter, header: Option<&[String]>) -> Result<Binding, CliError> {
    let schema = stream.schema();
    let required: Vec<_> = [schema.event_time(), schema.event_id()]
        .into_iter()
        .flatten()
        .map(|field| field.name.as_str())
        .collect();
    Binding::new(schema.fields(), None, &required, header)
}

/// An event as bytes, and how many fields it holds.
pub(super) fn pack(
    stream: &StreamWriter,
    binding: &Binding,
    record: &Record,
) -> Result<(usize, Vec<u8>), Skipped> {
    let values = binding.values(record)?;
    let schema = stream.schema();
    let cells = values.iter().map(|given| match given {
        Some(Some(value)) => Cell::Value(value.borrow()),
        Some(None) => Cell::Null,
        None => Cell::Absent,
    });
    let mut packed = Vec::new();
    match write_row(&mut packed, schema.fields(), cells) {
        Ok(()) => Ok((values.len(), packed)),
        Err(error) => Err(Skipped::new(record, error.to_string())),
    }
}

fn sent(reply: client::PushReply) -> Sent {
    let counts = Counts {
        applied: reply.accepted.into(),
        duplicate: reply.duplicate.into(),
        late: reply.late.into(),
        rejected: reply.rejected.into(),
        repeated: reply.receipt.repeated.into(),
    };
    Sent { counts, rejects: reply.rejects }
}
