//! `larder push`: events of a file into a stream.

use client::StreamWriter;
use export::input::{Rows, Wanted};
use model::packed_row::write_row;

use super::load::{self, Counts, Patience, Sent, Target, Unanswered};
use crate::{args, error::CliError, remote};

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

    fn wanted(&self) -> Result<Wanted, CliError> {
        Ok(wanted(&self.stream))
    }

    fn pack(&self, rows: &Rows) -> Result<Self::Row, String> {
        pack(&self.stream, rows)
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

/// What a file of events gives; event time and id must be there.
pub(super) fn wanted(stream: &StreamWriter) -> Wanted {
    let schema = stream.schema();
    let required = [schema.event_time(), schema.event_id()].into_iter().flatten();
    let required = required.map(|field| field.name.to_string()).collect();
    Wanted { fields: schema.fields().to_vec(), required, entity: None }
}

/// An event as bytes, and how many fields it holds.
pub(super) fn pack(stream: &StreamWriter, rows: &Rows) -> Result<(usize, Vec<u8>), String> {
    let (schema, mut cells, mut packed) = (stream.schema(), Vec::new(), Vec::new());
    rows.cells(&mut cells)?;
    let fields = cells.len();
    write_row(&mut packed, schema.fields(), cells).map_err(|error| error.to_string())?;
    Ok((fields, packed))
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
