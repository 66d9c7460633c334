//! What an engine with a shuffle of its own does: the spine and the events of one stream are split by entity, every part is replayed
//! by itself, here one after the other, elsewhere on as many machines, and the parts are written behind each other.
//!
//! ```sh
//! cargo run -p larder-export --example partitions -- features.toml 'spend:*' payments payments.parquet labels.parquet out.parquet 8
//! ```
//!
//! The rows come in the order of partitions: the spine's other columns, such as an id, are carried through.

use std::path::Path;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use engine::replay::{ReplayPlan, ReplayTarget};
use export::{
    Error,
    file::{FileFormat, TableReader, TableWriter, open_file},
    key_columns,
    replay::{PartitionReplay, ReplayColumns, ReplayOptions, partitions_of},
};
use model::{definition::GroupKind, time::parse_timestamp};

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [definitions, features, stream, events, spine, out, partitions] = arguments.as_slice()
    else {
        let usage = "give DEFINITIONS FEATURES STREAM EVENTS SPINE OUT PARTITIONS";
        return Err(Error::Usage(usage.to_owned()));
    };
    let text = std::io::read_to_string(open_file(definitions.as_ref())?);
    let text = text.map_err(|error| Error::Usage(format!("{definitions}: {error}")))?;
    let plan = ReplayPlan::new(definitions, &text, ReplayTarget::Features(&[features]))?;
    let partitions: u32 = partitions
        .parse()
        .map_err(|_| Error::Usage(format!("{partitions} is no number of partitions")))?;
    let (events, spine) = (table(events)?, table(spine)?);
    let (of_events, of_spine) = shuffled(&plan, (&events, &spine), partitions)?;
    // Since when there are events is to be said of the whole: no partition knows. Here: since ever.
    let observed_since = Some(parse_timestamp("1970-01-01T00:00:00Z")?);
    let mut writer: Option<TableWriter> = None;
    for partition in 0..partitions {
        let options = ReplayOptions { observed_since, ..ReplayOptions::default() };
        let mut replay = PartitionReplay::new(&plan, options, ReplayColumns::default())?;
        for (batch, places) in spine.iter().zip(&of_spine) {
            replay.spine(&part(batch, places, partition)?)?;
        }
        for (batch, places) in events.iter().zip(&of_events) {
            replay.events(stream, &part(batch, places, partition)?)?;
        }
        for batch in replay.finish()? {
            let batch = batch?;
            let writer = match &mut writer {
                Some(writer) => writer,
                None => {
                    let format = FileFormat::of_path(out.as_ref())?;
                    writer.insert(TableWriter::create(out.as_ref(), format, batch.schema())?)
                }
            };
            writer.write(&batch)?;
        }
    }
    writer.map_or(Ok(()), |writer| writer.finish().map(|_| ()))
}

fn table(path: &str) -> Result<Vec<RecordBatch>, Error> {
    TableReader::open(Path::new(path), None)?.collect()
}

/// The partition of each row of each batch.
type Places = Vec<Vec<Option<u32>>>;

/// Where events and rows of the spine go: by the key that the first group of the plan has.
fn shuffled(
    plan: &ReplayPlan,
    (events, spine): (&[RecordBatch], &[RecordBatch]),
    partitions: u32,
) -> Result<(Places, Places), Error> {
    let none = || Error::Usage("the features are of no window group".to_owned());
    let group = plan.groups().next().ok_or_else(none)?;
    let definition = plan.definitions().groups.get(group.index).ok_or_else(none)?;
    let GroupKind::Windows(windows) = &definition.kind else { return Err(none()) };
    let stream = plan.stream(windows.stream)?;
    let fields = windows.key.iter().filter_map(|field| stream.fields.get(*field));
    let fields: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
    let entity = plan.definitions().entities.get(definition.entity).ok_or_else(none)?;
    let columns = key_columns(entity);
    let columns: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let places = |batches: &[RecordBatch], columns: &[&str]| {
        let places =
            batches.iter().map(|batch| partitions_of(batch, columns, &entity.key, partitions));
        places.collect::<Result<Places, Error>>()
    };
    Ok((places(events, &fields)?, places(spine, &columns)?))
}

/// The rows of `batch` that go to `partition`.
fn part(batch: &RecordBatch, places: &[Option<u32>], partition: u32) -> Result<RecordBatch, Error> {
    let rows = places.iter().zip(0_u32..).filter(|(place, _)| **place == Some(partition));
    let rows = UInt32Array::from_iter_values(rows.map(|(_, row)| row));
    Ok(take_record_batch(batch, &rows)?)
}
