//! `larder top --once`: one sample of a live server, for scripts.

use crate::harness::{Server, write_file};

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[group.profile]
entity = "user"
[group.profile.features]
country = "string"
"#;

#[test]
fn one_sample_says_what_the_server_does() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let definitions = directory.path().join("features.toml");
    write_file(&definitions, DEFINITIONS);
    let data = directory.path().join("data");
    let server = Server::start(&data, &["--log-format", "json", "--slow", "1ms"]);
    server.ok(&["apply", definitions.to_str().expect("a plain path")]);
    let top = ["top", "--once", "--interval", "50ms", "--admin", &server.admin, "--format"];
    let json = server.ok(&[&top[..], &["json"]].concat());
    let sample: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!(
        (&sample["ready"], &sample["groups"][0]["group"]),
        (&true.into(), &"profile".into())
    );
    let seconds = sample["seconds"].as_f64().expect("a number");
    assert!(seconds >= 0.05, "{sample:#}");
    assert_eq!(sample["operations"][0]["operation"], "apply", "{sample:#}");
    let csv = server.ok(&[&top[..], &["csv"]].concat());
    for name in ["ready,true", "memory_bytes,", "groups.profile.entities,0"] {
        assert!(csv.contains(name), "no {name} in {csv}");
    }
    // The native port is no admin port, and nobody is behind the other.
    for (addr, expected) in [(server.addr.as_str(), "HTTP"), ("127.0.0.1:1", "larder serve")] {
        let told = server.fails(1, &["top", "--once", "--admin", addr]);
        assert!(told.contains(addr) && told.contains(expected), "{told}");
    }
}
