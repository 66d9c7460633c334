//! `larder put`: rows of a file into a row group. The key stands in a column with the entity's name, or in one for each of its
//! parts; a column `event_time` may say when each row was true.

use client::{GroupWriter, PackedRow};
use export::input::{Rows, Wanted};
use model::{
    definition::Field,
    name::Name,
    packed_row::write_row,
    value::{DataType, ValueRef},
};

use super::load::{self, Counts, Patience, Sent, Target, Unanswered};
use crate::{args, error::CliError, remote};

/// The column of event times.
const EVENT_TIME: &str = "event_time";

/// See the module.
pub(crate) fn run(args: &args::Load) -> Result<(), CliError> {
    remote::run(async {
        let group = remote::loading(args)?.group(&args.target).await?;
        load::run(args, Puts { group }).await
    })
}

#[derive(Clone)]
struct Puts {
    group: GroupWriter,
}

impl Target for Puts {
    type Row = PackedRow;

    fn wanted(&self) -> Result<Wanted, CliError> {
        let schema = self.group.schema();
        let time = Field { name: Name::new(EVENT_TIME)?, data_type: DataType::Timestamp };
        let fields = schema.fields().iter().cloned().chain([time]).collect();
        let entity = schema.entities().first();
        let entity = entity.map(|entity| (entity.name.clone(), entity.key.clone()));
        Ok(Wanted { fields, required: Vec::new(), entity })
    }

    fn pack(&self, rows: &Rows) -> Result<PackedRow, String> {
        let (schema, mut cells, mut row) = (self.group.schema(), Vec::new(), Vec::new());
        rows.cells(&mut cells)?;
        let event_time = match cells.pop().and_then(|cell| cell.value()) {
            Some(ValueRef::Timestamp(time)) => Some(time),
            _ => None,
        };
        let features = cells.len();
        write_row(&mut row, schema.fields(), cells).map_err(|error| error.to_string())?;
        Ok(PackedRow { key: rows.key()?, event_time, row, features })
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
