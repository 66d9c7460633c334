//! `larder retract`: events of a file, or of the command line, taken back out of a stream.

use client::{RejectKind, StreamWriter};
use export::input::{Input, Mapping, Rows, Wanted};

use super::{
    load::{self, Again, Counts, Options, Patience, Sent, Target, Unanswered},
    push,
};
use crate::{args, error::CliError, remote};

/// See the module.
pub(crate) fn run(args: &args::Retract) -> Result<(), CliError> {
    let (source, input) = match &args.file {
        Some(file) => {
            (file.display().to_string(), Input::open(file, args.input_format.map(Into::into))?)
        }
        None => ("--event".to_owned(), Input::of_json("--event", &args.events)?),
    };
    let options = Options {
        source,
        mapping: Mapping::new(args.maps.clone())?,
        batch: usize::from(args.batch),
        rejected: args.rejected.as_deref(),
        format: args.format,
        patience: Patience::new(args.retry_for),
        again: Again::Rejected,
    };
    remote::run(async {
        let client = remote::client(&args.server)?.request_timeout(options.patience.call_timeout());
        let stream = client.build().stream(&args.stream).await?;
        load::run_input(input, &options, Retractions { stream }).await
    })
}

#[derive(Clone)]
struct Retractions {
    stream: StreamWriter,
}

impl Target for Retractions {
    type Row = (usize, Vec<u8>);

    fn wanted(&self) -> Result<Wanted, CliError> {
        Ok(push::wanted(&self.stream))
    }

    fn pack(&self, rows: &Rows) -> Result<Self::Row, String> {
        push::pack(&self.stream, rows)
    }

    async fn send(
        self,
        rows: Vec<Self::Row>,
        sequence: u64,
        patience: Patience,
    ) -> Result<Sent, Unanswered> {
        let fields = rows.first().map_or(0, |(fields, _)| *fields);
        let events: Vec<&[u8]> = rows.iter().map(|(_, packed)| packed.as_slice()).collect();
        let attempt = || async {
            self.stream.retract_packed(fields, &events, Some(sequence)).await.map(sent)
        };
        patience.send(attempt).await
    }

    fn words(&self) -> [&'static str; 4] {
        ["retracted", "", "", "rejected"]
    }
}

/// Whoever retracts wants to know of every event that stays, also of one that is too old.
fn sent(mut reply: client::RetractReply) -> Sent {
    let counts = Counts {
        applied: reply.retracted.into(),
        rejected: u64::from(reply.late) + u64::from(reply.rejected),
        repeated: reply.receipt.repeated.into(),
        ..Counts::default()
    };
    reply.rejects.iter_mut().for_each(|reject| reject.kind = RejectKind::Rejected);
    Sent { counts, rejects: reply.rejects }
}
