//! The real history of `examples/commits`, pushed in pieces through a server on a real socket. After each piece every
//! value of every entity is compared with one computed from the plain list of events, and so is a service over two
//! entities. The brute force knows nothing of tiles: it filters and adds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::harness::{Server, repository, write_file};
use serde_json::Value as Json;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Label, length and hop of the windows in `examples/commits/features.toml`: all on the coarse level.
const WINDOWS: [(&str, i64); 4] =
    [("1d", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY), ("365d", 365 * DAY)];
const PIECES: usize = 12;

#[derive(Debug, Clone)]
struct Touch {
    id: String,
    author: String,
    file: String,
    area: String,
    added: i64,
    at: i64,
    line: String,
}

fn history() -> (String, Vec<Touch>) {
    let path = repository("examples/commits/data/file_touches.csv");
    let text = std::fs::read_to_string(path).expect("the example has its data");
    let mut lines = text.lines();
    let header = lines.next().expect("a header").to_owned();
    let touches = lines.map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        Touch {
            id: cells[0].to_owned(),
            author: cells[1].to_owned(),
            file: cells[2].to_owned(),
            area: cells[3].to_owned(),
            added: cells[4].parse().expect("a number"),
            at: model::time::parse_timestamp(cells[6]).expect("a time"),
            line: line.to_owned(),
        }
    });
    (header, touches.collect())
}

/// The values of one entity in one window, as the definitions file asks for them.
fn expected(prefix: &str, events: &[&Touch], label: &str) -> BTreeMap<String, Json> {
    let mut values = BTreeMap::new();
    let mut set = |name: &str, value: Json| values.insert(format!("{name}_{label}"), value);
    let count = events.len() as i64;
    let sum: i64 = events.iter().map(|touch| touch.added).sum();
    let squares: i128 = events.iter().map(|touch| i128::from(touch.added).pow(2)).sum();
    set("touches", count.into());
    set("added", sum.into());
    let some = |value: f64, least: i64| if count >= least { Json::from(value) } else { Json::Null };
    set("mean_added", some(sum as f64 / count as f64, 1));
    set("max_added", events.iter().map(|touch| touch.added).max().map_or(Json::Null, Json::from));
    let scatter = i128::from(count) * squares - i128::from(sum).pow(2);
    set("std_added", some((scatter as f64 / (count as f64 * (count - 1) as f64)).sqrt(), 2));
    let distinct = |of: fn(&Touch) -> &str| {
        Json::from(events.iter().map(|touch| of(touch)).collect::<BTreeSet<_>>().len())
    };
    if prefix != "file" {
        set("files", distinct(|touch| &touch.file));
    }
    if prefix != "author" {
        set("authors", distinct(|touch| &touch.author));
    } else {
        set("large", events.iter().filter(|touch| touch.added > 100).count().into());
        let last = events.iter().max_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        set("last_file", last.map_or(Json::Null, |touch| Json::from(touch.file.clone())));
    }
    values
}

fn in_window<'a>(events: &[&'a Touch], now: i64, length: i64) -> Vec<&'a Touch> {
    let x = now + 1;
    let start = (x - length).div_euclid(HOUR) * HOUR;
    events.iter().filter(|touch| start <= touch.at && touch.at < x).copied().collect()
}

/// Counts comparisons and keeps the first differences.
#[derive(Default)]
struct Verdict {
    compared: usize,
    sketched: usize,
    differences: Vec<String>,
}

impl Verdict {
    fn compare(&mut self, what: &str, name: &str, served: &Json, expected: &Json) {
        self.compared += 1;
        let (served_number, expected_number) = (served.as_f64(), expected.as_f64());
        let is_distinct = name.starts_with("files_") || name.starts_with("authors_");
        let equal = match (served_number, expected_number) {
            (Some(served), Some(expected)) if is_distinct && expected > 512.0 => {
                self.sketched += 1;
                (served - expected).abs() <= 3.0 * 0.0162 * expected
            }
            // The brute force rounds four times, Larder once.
            (Some(served), Some(expected)) if name.starts_with("std_") => {
                (served - expected).abs() <= 1e-14 * expected.abs()
            }
            (Some(served), Some(expected)) => served == expected,
            _ => served == expected,
        };
        if !equal {
            self.differences.push(format!("{what} {name}: served {served}, expected {expected}"));
        }
    }
}

fn check_group(
    server: &Server,
    group: &str,
    by_key: &HashMap<&str, Vec<&Touch>>,
    now: i64,
    verdict: &mut Verdict,
) {
    let scanned = server.ok(&["scan", &format!("{group}_activity"), "--format", "json"]);
    let mut seen = BTreeSet::new();
    for line in scanned.lines() {
        let entity: Json = serde_json::from_str(line).expect("one JSON object a line");
        let key = entity["key"].as_str().expect("a string key");
        let events = by_key.get(key).unwrap_or_else(|| panic!("{group} {key} was never pushed"));
        let mut columns = 0;
        for (label, length) in WINDOWS {
            let events = in_window(events, now, length);
            for (name, value) in expected(group, &events, label) {
                columns += 1;
                verdict.compare(&format!("{group} {key}"), &name, &entity["values"][&name], &value);
            }
        }
        assert_eq!(
            entity["values"].as_object().map(serde_json::Map::len),
            Some(columns),
            "{group} {key}"
        );
        seen.insert(key.to_owned());
    }
    // Who is not there was never seen by any window: all of its events came too late.
    for (key, events) in by_key.iter().filter(|(key, _)| !seen.contains(**key)) {
        assert!(in_window(events, now, 365 * DAY).is_empty(), "{group} {key} is missing");
    }
}

fn check_service(
    server: &Server,
    touch: &Touch,
    pushed: &[Touch],
    now: i64,
    verdict: &mut Verdict,
) {
    let key = format!("author={},file={}", touch.author, touch.file);
    let line = server.ok(&["get", "review_v1", "--key", &key, "--format", "json"]);
    let vector: Json = serde_json::from_str(&line).expect("one JSON object");
    let of_author: Vec<_> = pushed.iter().filter(|other| other.author == touch.author).collect();
    let of_file: Vec<_> = pushed.iter().filter(|other| other.file == touch.file).collect();
    for (prefix, events) in [("author", of_author), ("file", of_file)] {
        for (label, length) in WINDOWS {
            for (name, value) in expected(prefix, &in_window(&events, now, length), label) {
                let values = &vector["values"];
                // Columns of both groups carry their group's name.
                let served =
                    values.get(&name).unwrap_or(&values[format!("{prefix}_activity:{name}")]);
                verdict.compare(&key, &name, served, &value);
            }
        }
    }
}

#[test]
fn every_value_equals_brute_force_after_every_piece() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let definitions = repository("examples/commits/features.toml");
    let definitions = definitions.to_str().expect("a UTF-8 path");
    let server = Server::start(
        &directory.path().join("data"),
        &["--sync", "interval", "--apply", definitions],
    );
    let (header, touches) = history();
    let mut verdict = Verdict::default();
    let piece_length = touches.len().div_ceil(PIECES);
    for (piece, chunk) in touches.chunks(piece_length).enumerate() {
        let path = directory.path().join("piece.csv");
        let lines: Vec<_> = std::iter::once(&header)
            .chain(chunk.iter().map(|touch| &touch.line))
            .cloned()
            .collect();
        write_file(&path, &lines.join("\n"));
        let counts =
            server.ok(&["push", "touches", path.to_str().expect("UTF-8"), "--format", "json"]);
        let counts: Json = serde_json::from_str(&counts).expect("one JSON object");
        let count =
            |name: &str| counts[name].as_u64().unwrap_or_else(|| panic!("no {name} in {counts}"));
        assert_eq!(count("accepted") + count("late"), chunk.len() as u64, "{counts}");
        let pushed = &touches[..touches.len().min((piece + 1) * piece_length)];
        let now = pushed.iter().map(|touch| touch.at).max().expect("something was pushed");
        for group in ["author", "file", "area"] {
            let mut by_key: HashMap<&str, Vec<&Touch>> = HashMap::new();
            for touch in pushed {
                let key = match group {
                    "author" => &touch.author,
                    "file" => &touch.file,
                    _ => &touch.area,
                };
                by_key.entry(key).or_default().push(touch);
            }
            check_group(&server, group, &by_key, now, &mut verdict);
        }
        for touch in chunk.iter().step_by(chunk.len() / 5) {
            check_service(&server, touch, pushed, now, &mut verdict);
        }
    }
    eprintln!("{} values compared, {} of them sketched", verdict.compared, verdict.sketched);
    assert!(verdict.compared > 500_000, "only {} values were compared", verdict.compared);
    let shown: Vec<_> = verdict.differences.iter().take(10).collect();
    assert!(shown.is_empty(), "{} differences, first: {shown:#?}", verdict.differences.len());
}
