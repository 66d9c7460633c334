//! A user wants to know how fast it is here: one command, no server, figures; and a limit that cannot be held ends in exit code 1.

use std::path::Path;

use crate::harness::{Server, larder, repository};

/// A server that is not asked: `bench` starts its own.
const NOWHERE: &str = "127.0.0.1:1";

/// Short times, few entities.
const TINY: [&str; 9] =
    ["bench", "--entities", "300", "--features", "4", "--warm-up", "50ms", "--connections", "3"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the file was written")
}

#[test]
fn one_command_starts_a_server_fills_it_measures_it_and_judges() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (page, json) = (directory.path().join("r.html"), directory.path().join("r.json"));
    let files = [
        "--report",
        page.to_str().expect("a path in UTF-8"),
        "--json",
        json.to_str().expect("a path in UTF-8"),
    ];
    let load = ["--workload", "mixed", "--rate", "500", "--duration", "400ms"];
    let all = [&TINY[..], &load, &files, &["--slo", "p50=10s"]].concat();
    let held = larder(NOWHERE, &all);
    let (out, note) =
        (String::from_utf8_lossy(&held.stdout), String::from_utf8_lossy(&held.stderr));
    assert!(held.status.success(), "{note}");
    for part in ["p99.9", "open loop, 500 requests/s", "server CPU per request", "held"] {
        assert!(out.contains(part), "no {part} in {out}");
    }
    assert!(!out.contains("failed"), "{out}");
    assert!(read(&page).contains("Latency by share of requests") && read(&page).contains("mixed"));
    assert!(read(&json).contains("\"server_cpu_us_per_request\""), "{}", read(&json));
    let missed =
        larder(NOWHERE, &[&TINY[..], &["--duration", "100ms", "--slo", "p50=1ns"]].concat());
    assert_eq!(missed.status.code(), Some(1), "{}", String::from_utf8_lossy(&missed.stdout));
    assert!(String::from_utf8_lossy(&missed.stdout).contains("MISSED"));
    let note = String::from_utf8_lossy(&missed.stderr);
    assert!(note.contains("only with --rate is a limit judged as callers see it"), "{note}");
}

#[test]
fn a_search_that_finds_no_rate_tries_lower_ones_says_so_and_fails() {
    let search = ["--find-max", "--arrivals", "constant", "--duration", "200ms"];
    let limit = ["--slo", "p50=1ns", "--rate", "16000"];
    let none = larder(NOWHERE, &[&TINY[..], &search, &limit].concat());
    let note = String::from_utf8_lossy(&none.stderr);
    assert_eq!(none.status.code(), Some(1), "{note}");
    assert!(note.contains("1000 requests/s") && note.contains("no rate held it"), "{note}");
}

#[test]
fn a_search_finds_a_rate_that_holds_the_limit_below_one_that_does_not() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let json = directory.path().join("r.json");
    let search = ["--find-max", "--rate", "4000", "--duration", "200ms", "--slo", "p50=20ms"];
    let file = ["--json", json.to_str().expect("a path in UTF-8")];
    let found = larder(NOWHERE, &[&TINY[..], &search, &file].concat());
    let note = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "{note}");
    let out = String::from_utf8_lossy(&found.stdout);
    assert!(out.contains(" requests/s held it, ") && out.contains("/s was missed"), "{out}");
    let json: serde_json::Value = serde_json::from_str(&read(&json)).expect("it is JSON");
    let rate = |name: &str| json["find_max"][name].as_f64().expect("a number");
    let (held, missed) = (rate("held_rate"), rate("missed_rate"));
    assert!(held >= 250.0 && held < missed, "{held} and {missed}: a sixteenth of 4000 at least");
}

#[test]
fn an_empty_redis_is_not_compared_with_a_full_server() {
    let words = ["--addr", NOWHERE, "--no-fill", "--against", "redis"];
    let refused = larder(NOWHERE, &[&TINY[..], &words].concat());
    let note = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{note}");
    assert!(note.contains("redis://HOST:PORT"), "{note}");
}

/// Fails at once, and says all of this.
fn assert_refused(words: &[&str], code: i32, parts: &[&str]) {
    let refused = larder(NOWHERE, &[&TINY[..], words].concat());
    let note = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(code), "{words:?}: {note}");
    parts.iter().for_each(|part| assert!(note.contains(part), "{words:?}: no {part} in {note}"));
}

#[test]
fn what_is_no_server_and_no_redis_is_told_at_once_and_by_its_address() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let other = other.local_addr().expect("it is bound").to_string();
    assert_refused(&["--addr", NOWHERE], 1, &["--addr names the server", NOWHERE]);
    assert_refused(&["--addr", &other], 1, &["is that a Larder server?", &other]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(directory.path(), &["--sync", "memory"]);
    let redis = format!("redis://{}", server.addr);
    assert_refused(&["--against", &redis], 1, &["is no Redis", &server.addr]);
}

#[test]
fn options_that_cannot_mean_anything_together_are_refused() {
    let service = ["--addr", NOWHERE, "--service", "fraud_v3", "--against", "redis"];
    let without = [&["bench"][..], &service].concat();
    let refused = larder(NOWHERE, &without);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--against echo"));
    assert_refused(&["--distribution", "hot=301"], 2, &["hot=301", "300 entities"]);
    assert_refused(&["--report", "-"], 2, &["a page needs a file"]);
    let told = larder(NOWHERE, &[&TINY[..], &["--events", "5", "--duration", "50ms"]].concat());
    assert!(told.status.success());
    assert!(String::from_utf8_lossy(&told.stderr).contains("--events changes nothing: read-row"));
}

#[test]
fn every_limit_that_was_missed_is_named() {
    let limits = ["--rate", "500", "--duration", "100ms", "--slo", "p50=1ns,p90=2ns,p99=9s"];
    assert_refused(&limits, 1, &["the limits of p50, p90 were missed"]);
}

#[test]
fn how_requests_arrive_is_asked_of_an_open_loop_alone() {
    let refused = larder(NOWHERE, &[&TINY[..], &["--arrivals", "constant"]].concat());
    let note = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{note}");
    assert!(note.contains("--rate <R>|--find-max"), "{note}");
}

#[test]
fn a_file_without_a_place_is_told_before_anything_is_measured() {
    for option in ["--report", "--json"] {
        let told = larder(NOWHERE, &[&TINY[..], &[option, "not-there/r.out"]].concat());
        let note = String::from_utf8_lossy(&told.stderr);
        assert_eq!(told.status.code(), Some(2), "{note}");
        assert!(note.contains("there is no directory not-there: make it first"), "{note}");
        assert!(told.stdout.is_empty(), "nothing was measured");
    }
}

#[test]
fn an_echo_of_the_same_sizes_gives_ratios() {
    let compared = larder(
        NOWHERE,
        &[&TINY[..], &["--against", "echo", "--duration", "500ms", "--workload", "read-batch"]]
            .concat(),
    );
    let out = String::from_utf8_lossy(&compared.stdout);
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stderr));
    for part in ["larder over echo (read-batch ", "5 pairs", "server CPU per request", "ratio"] {
        assert!(out.contains(part), "no {part} in {out}");
    }
}

#[test]
fn redis_does_the_same_work_where_there_is_one_and_else_it_is_said_how_to_get_it() {
    let more =
        ["--against", "redis", "--duration", "500ms", "--workload", "mixed", "--sync", "memory"];
    let compared = larder(NOWHERE, &[&TINY[..], &more].concat());
    let (out, note) =
        (String::from_utf8_lossy(&compared.stdout), String::from_utf8_lossy(&compared.stderr));
    if note.contains("cannot start redis-server") {
        assert!(note.contains("apt-get install redis-server"), "{note}");
        return;
    }
    assert!(compared.status.success(), "{note}");
    assert!(out.contains("larder over redis ") && out.contains(", no log, 5 pairs"), "{out}");
    assert!(!note.contains("failed"), "{note}");
}

#[test]
fn a_server_that_was_loaded_before_is_loaded_again_and_rows_of_another_width_are_refused_with_the_reason()
 {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(directory.path(), &["--sync", "memory"]);
    let load = ["--addr", &server.addr, "--duration", "50ms"];
    for more in [&[][..], &["--no-fill"]] {
        let out = server.ok(&[&TINY[..], &load, more].concat());
        assert!(out.contains("answered") && !out.contains("failed"), "{out}");
    }
    let narrow = TINY.map(|word| if word == "4" { "3" } else { word });
    let told = server.fails(1, &[&narrow[..], &load].concat());
    assert!(told.contains("bench_rows"), "{told}");
}

#[test]
fn a_users_own_service_is_read_with_keys_and_request_values_of_their_types() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let definitions = repository("examples/payments/features.toml");
    let server = Server::start(directory.path(), &["--sync", "memory"]);
    server.ok(&["apply", definitions.to_str().expect("a path in UTF-8")]);
    let load = ["bench", "--addr", &server.addr, "--service", "fraud_v3", "--duration", "200ms"];
    let whom = ["--warm-up", "50ms", "--connections", "2", "--entities", "100", "--key-template"];
    let out = server.ok(&[&load[..], &whom[..], &["card=c{n},merchant=m{n}"]].concat());
    assert!(out.contains("answered") && !out.contains("failed"), "{out}");
    let told = server.fails(2, &load);
    assert!(told.contains("--key-template 'card=KEY,merchant=KEY'"), "{told}");
    let rows = ["bench", "--addr", &server.addr, "--service", "card_profile:*", "--duration"];
    let nobody = ["50ms", "--warm-up", "0", "--entities", "9", "--key-template", "merchant=c{n}"];
    let told = server.run(&[&rows[..], &nobody].concat());
    let told = String::from_utf8_lossy(&told.stderr);
    assert!(told.contains("its only entity is card"), "{told}");
    assert!(told.contains("were not found or not taken"), "{told}");
    assert!(!server.ok(&["describe"]).contains("bench_"), "nothing of ours is defined beside it");
}
