//! The files of deploy/ against the binary they are for: every option, key, path and port in them exists, and they agree.

use yaml_rust2::{Yaml, YamlLoader};

use crate::harness::{larder, repository, write_file};

fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).expect(path)
}

/// A configuration is one that `larder serve` would take; what it says of `keys`.
fn configuration(text: &str, keys: &[&str]) -> Vec<String> {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("larder.toml");
    write_file(&path, text);
    let path = path.to_str().expect("UTF-8");
    let output = larder("127.0.0.1:9", &["config", "check", path, "--format", "csv"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{text}");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |key: &&str| {
        let line =
            shown.lines().find_map(|line| line.strip_prefix(&format!("{key},"))?.split(',').next());
        line.unwrap_or_else(|| panic!("no {key} in {shown}")).to_owned()
    };
    keys.iter().map(value).collect()
}

/// The words begin with a command of the binary, and their options are its options.
fn is_command(words: &[&str]) {
    let is_name = |word: &&&str| !word.starts_with("--") && !word.starts_with('/');
    let mut command: Vec<_> = words.iter().take_while(is_name).copied().collect();
    assert!(!command.is_empty(), "{words:?}");
    command.push("--help");
    let output = larder("127.0.0.1:9", &command);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for option in words.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(option), "{option} is none of: {help}");
    }
}

fn seconds(key: &str, text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(key)).expect(key);
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect(key)
}

/// Beyond the drain time: the last checkpoint is given up after 20 s.
const CHECKPOINT_SECONDS: u64 = 20;

#[test]
fn the_unit_starts_the_server_and_waits_for_its_end() {
    let unit = text("deploy/systemd/larder.service");
    let mut section = "";
    for line in unit.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            section = line;
        } else {
            assert!(!section.is_empty() && line.contains('='), "{line}");
        }
    }
    for line in unit.lines().filter(|line| line.contains("/usr/local/bin/larder ")) {
        is_command(&line.split_whitespace().skip(1).collect::<Vec<_>>());
    }
    for key in ["NoNewPrivileges=yes", "ProtectSystem=strict", "DynamicUser=yes", "LimitNOFILE="] {
        assert!(unit.lines().any(|line| line.starts_with(key)), "{key}");
    }
    let drain = configuration(&text("deploy/larder.toml"), &["drain"]);
    let drain = seconds("", &drain[0]);
    assert!(seconds("TimeoutStopSec=", &unit) >= drain + CHECKPOINT_SECONDS);
    // What the server writes lies where the unit lets it write.
    assert_eq!(configuration(&text("deploy/larder.toml"), &["data"]), ["/var/lib/larder"]);
}

#[test]
fn the_image_runs_as_nobody_and_starts_the_server() {
    let image = text("deploy/docker/Dockerfile");
    let words = |line: &str| -> Vec<String> {
        let list = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).expect(line).0;
        list.split(',').map(|word| word.trim().trim_matches('"').to_owned()).collect()
    };
    for start in ["HEALTHCHECK", "CMD"] {
        let line = image.lines().find(|line| line.starts_with(start)).expect(start);
        let words = words(line);
        let words = words.iter().map(String::as_str).filter(|word| *word != "larder");
        is_command(&words.collect::<Vec<_>>());
    }
    assert!(image.lines().any(|line| line == "USER 10001:10001"), "not root");
    assert!(image.lines().any(|line| line == "EXPOSE 7440 7441"), "its ports");
    let copied = "deploy/larder.toml";
    assert!(image.contains(&format!("COPY {copied} ")) && repository(copied).exists());
}

fn find<'a>(documents: &'a [Yaml], kind: &str) -> &'a Yaml {
    documents.iter().find(|one| one["kind"].as_str() == Some(kind)).expect(kind)
}

#[test]
fn the_manifests_agree_with_each_other_and_with_the_server() {
    let documents =
        YamlLoader::load_from_str(&text("deploy/kubernetes/larder.yaml")).expect("YAML");
    assert_eq!(documents.len(), 5);
    let config = find(&documents, "ConfigMap")["data"]["larder.toml"].as_str().expect("a text");
    let values = configuration(config, &["listen", "admin", "drain", "data", "access", "tls_key"]);
    assert_eq!(values[..2], ["0.0.0.0:7440", "0.0.0.0:7441"]);
    let pod = &find(&documents, "StatefulSet")["spec"]["template"]["spec"];
    let grace = pod["terminationGracePeriodSeconds"].as_i64().expect("a number");
    let drain = i64::try_from(seconds("", &values[2]) + CHECKPOINT_SECONDS).expect("small");
    assert!(grace >= drain, "{grace} s for {drain} s");
    let container = &pod["containers"][0];
    let arguments = container["args"].as_vec().expect("a list");
    is_command(&arguments.iter().filter_map(Yaml::as_str).collect::<Vec<_>>());
    let port = |index: usize| container["ports"][index]["containerPort"].as_i64();
    assert_eq!((port(0), port(1)), (Some(7440), Some(7441)));
    for (probe, path) in
        [("startupProbe", "/ready"), ("readinessProbe", "/ready"), ("livenessProbe", "/health")]
    {
        let get = &container[probe]["httpGet"];
        assert_eq!(
            (get["path"].as_str(), get["port"].as_str()),
            (Some(path), Some("admin")),
            "{probe}"
        );
        // With a certificate both ports speak TLS.
        assert_eq!(get["scheme"].as_str(), Some("HTTPS"), "{probe}");
    }
    let mounts = container["volumeMounts"].as_vec().expect("a list");
    let mounted: Vec<_> = mounts.iter().filter_map(|mount| mount["mountPath"].as_str()).collect();
    for path in &values[3..] {
        assert!(
            mounted.iter().any(|mount| path.starts_with(mount)),
            "{path} is in none of {mounted:?}"
        );
    }
    let policy = find(&documents, "NetworkPolicy");
    let open: Vec<_> =
        (0..2).map(|rule| policy["spec"]["ingress"][rule]["ports"][0]["port"].as_i64()).collect();
    assert_eq!(open, [Some(7440), Some(7441)]);
    assert_eq!(pod["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"].as_bool(), Some(true));
}
