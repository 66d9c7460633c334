//! `larder put`: rows of a file into a row group. The key stands in a column with the entity's name; a column `event_time`
//! may say when each row was true.

use client::{GroupWriter, PackedRow};
use model::{
    definition::Field,
    name::Name,
    value::{DataType, Value},
};

use super::load::{self, Counts, Patience, Sent, Target, Unanswered};
use crate::{
    args,
    error::CliError,
    input::{Binding, Record, Skipped},
    remote,
};

/// The column of event times.
const EVENT_TIME: &str = "event_time";

/// See the module.
pub(crate) fn run(args: &args::Load) -> Result<(), CliError> {
    remote::run(async {
        let group = remote::loading(args)?.group(&args.target).await?;
        load::run(args, Rows { group }).await
    })
}

#[derive(Clone)]
struct Rows {
    group: GroupWriter,
}

impl Target for Rows {
    type Row = PackedRow;

    fn bind(&self, header: Option<&[String]>) -> Result<Binding, CliError> {
        let schema = self.group.schema();
        let time = Field { name: Name::new(EVENT_TIME)?, data_type: DataType::Timestamp };
        let fields: Vec<_> = schema.fields().iter().cloned().chain([time]).collect();
        let key = schema.entities().first().map(|entity| entity.name.as_str());
        Binding::new(&fields, key, &[], header)
    }

    fn pack(&self, binding: &Binding, record: &Record) -> Result<PackedRow, Skipped> {
        let mut values = binding.values(record)?;
        let key = binding.key(record).map_err(|reason| Skipped::new(record, reason))?;
        let mut row = self.group.row().key(key);
        if let Some(Some(Some(Value::Timestamp(time)))) = values.pop() {
            row = row.at(time);
        }
        let schema = self.group.schema();
        for (field, given) in schema.fields().iter().zip(values) {
            row = match given {
                Some(Some(value)) => row.set(field.name.as_str(), value),
                Some(None) => row.set_null(field.name.as_str()),
                None => row,
            };
        }
        row.pack().map_err(|error| Skipped::new(record, error.to_string()))
    }

    async fn send(
        self,
        rows: Vec<PackedRow>,
        sequence: u64,
        patience: Patience,
    ) -> Result<Sent, Unanswered> {
        let features = rows.first().map_or(0, |row| row.features);
        let rows: Vec<_> = rows.iter().map(PackedRow::as_put).collect();
        let attempt =
            || async { self.group.put_packed(features, &rows, Some(sequence)).await.map(sent) };
        patience.send(attempt).await
    }

    fn words(&self) -> [&'static str; 4] {
        ["applied", "stale", "", "rejected"]
    }
}

fn sent(reply: client::PutReply) -> Sent {
    let counts = Counts {
        applied: reply.applied.into(),
        duplicate: reply.stale.into(),
        late: 0,
        rejected: reply.rejected.into(),
        repeated: reply.receipt.repeated.into(),
    };
    Sent { counts, rejects: reply.rejects }
}
