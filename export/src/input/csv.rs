//! Comma-separated values with a header line, as RFC 4180 writes them. An empty cell is null.

use std::io::BufRead;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, StringRecord};

use super::{Content, Record};
use crate::Error;

/// Header, header line, records.
type Opened<I> = (Vec<String>, String, I);

/// The records of `lines`, of the file `path`.
pub(crate) fn records(
    path: &Path,
    lines: Box<dyn BufRead>,
) -> Result<Opened<impl Iterator<Item = Result<Record, Error>> + use<>>, Error> {
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(true).from_reader(lines);
    let header = reader
        .headers()
        .map_err(|error| Error::file(path, format!("line 1: cannot read the header: {error}")))?
        .clone();
    if header.iter().all(str::is_empty) {
        let what = "line 1: the file is empty; a CSV file begins with a header line";
        return Err(Error::file(path, what));
    }
    let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let (width, path) = (names.len(), path.to_owned());
    let mut bytes = ByteRecord::new();
    let records = std::iter::from_fn(move || match reader.read_byte_record(&mut bytes) {
        Ok(false) => None,
        Ok(true) => Some(Ok(match StringRecord::from_byte_record(bytes.clone()) {
            Ok(cells) => record(&cells, width),
            Err(error) => Record {
                line: bytes.position().map_or(0, csv::Position::line),
                raw: write_line(&StringRecord::from_byte_record_lossy(bytes.clone())),
                content: Err(format!("not UTF-8: {error}")),
            },
        })),
        Err(error) => match error.kind() {
            csv::ErrorKind::Io(error) => {
                Some(Err(Error::file(&path, format!("cannot read the file: {error}"))))
            }
            _ => Some(Ok(Record {
                line: error.position().map_or(0, csv::Position::line),
                raw: String::new(),
                content: Err(format!("not valid CSV: {error}")),
            })),
        },
    });
    Ok((names, write_line(&header), records))
}

fn record(cells: &StringRecord, width: usize) -> Record {
    let content = if cells.len() == width {
        Ok(Content::Csv(cells.iter().map(str::to_owned).collect()))
    } else {
        let plural = if cells.len() == 1 { "" } else { "s" };
        Err(format!("{} cell{plural}, but the header has {width}", cells.len()))
    };
    let line = cells.position().map_or(0, csv::Position::line);
    Record { line, raw: write_line(cells), content }
}

/// The record as one line of CSV, without the newline at its end.
fn write_line(cells: &StringRecord) -> String {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let written = writer.write_record(cells).and_then(|()| Ok(writer.flush()?));
    let bytes = written.ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned()
}
