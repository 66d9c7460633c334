//! One JSON object a line. Empty lines are skipped.

use std::io::BufRead;
use std::path::Path;

use super::{Content, Record};
use crate::Error;

/// Longest line read: a line without end is refused instead of filling memory.
const LINE_BYTES_MAX: u64 = 8 << 20;

/// The records of `lines`, of the file `path`.
pub(crate) fn records(
    path: &Path,
    mut lines: Box<dyn BufRead>,
) -> impl Iterator<Item = Result<Record, Error>> + use<> {
    let (mut line, path) = (0, path.to_owned());
    let mut buffer = Vec::new();
    std::iter::from_fn(move || {
        loop {
            buffer.clear();
            line += 1;
            let mut limited = std::io::Read::take(&mut lines, LINE_BYTES_MAX);
            match limited.read_until(b'\n', &mut buffer) {
                Ok(0) => return None,
                Ok(read) if read as u64 == LINE_BYTES_MAX => {
                    let problem = format!("line {line} is longer than {LINE_BYTES_MAX} bytes");
                    return Some(Err(Error::file(&path, problem)));
                }
                Ok(_) if buffer.trim_ascii().is_empty() => {}
                Ok(_) => return Some(Ok(record(line, &buffer))),
                Err(error) => {
                    let problem = format!("line {line}: cannot read: {error}");
                    return Some(Err(Error::file(&path, problem)));
                }
            }
        }
    })
}

fn record(line: u64, bytes: &[u8]) -> Record {
    let raw = String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned();
    let content = match serde_json::from_slice(bytes) {
        Ok(serde_json::Value::Object(object)) => Ok(Content::Json(object)),
        Ok(_) => Err("not a JSON object: a line is {\"field\": value, …}".to_owned()),
        Err(error) => Err(format!("not valid JSON: {error}")),
    };
    Record { line, raw, content }
}
