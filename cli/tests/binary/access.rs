//! A policy as its operator meets it: a token is made, a server wants it, SIGHUP takes it away; and what is refused before that.

use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{Server, larder, write_file};

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[group.profile]
entity = "card"
[group.profile.features]
country = "string"
email = "string"
[group.profile.feature_tags]
email = ["pii"]
[service.fraud]
features = ["profile:country"]
[service.mailing]
features = ["profile:email"]
"#;

const ROLES: &str = r#"
[role.scorer]
read = ["service:*"]
write = ["group:profile"]
purposes = ["support"]
[subject.scorer]
roles = ["scorer"]
"#;

/// An administrator, in front of what [`token`] writes.
const CHIEF: &str = r#"
[role.chief]
read = ["*"]
define = ["*"]
admin = true
[subject.boss]
roles = ["chief"]
certificate = "CN=boss"
"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

/// A token of `scorer`, and the policy with its lines.
fn token() -> (String, String) {
    let made = larder("", &["access", "token", "--subject", "scorer", "--expires", "2099-01-01"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let (token, told) = (text(&made.stdout).trim().to_owned(), text(&made.stderr));
    assert!(token.starts_with("larder_") && !told.contains(&token), "shown once: {told}");
    let (_, lines) = told.split_once("[[").expect("lines for the policy");
    (token, format!("{ROLES}[[{lines}"))
}

fn check(policy: &Path, definitions: &Path, more: &[&str]) -> Output {
    let (policy, definitions) =
        (policy.to_str().expect("UTF-8"), definitions.to_str().expect("UTF-8"));
    let args = ["access", "check", "--access", policy, "--definitions", definitions];
    larder("", &[&args, more].concat())
}

#[test]
fn a_token_lets_in_whoever_has_it_until_it_is_taken_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let (token, policy) = token();
    write_file(&at("access.toml"), &policy);
    write_file(&at("f.toml"), DEFINITIONS);
    write_file(&at("token"), &format!("{token}\n"));
    let file = at("token");
    let file = file.to_str().expect("UTF-8");
    let (access, definitions) = (at("access.toml"), at("f.toml"));
    let more = [
        "--access",
        access.to_str().expect("UTF-8"),
        "--apply",
        definitions.to_str().expect("UTF-8"),
    ];
    let server = Server::start(&at("data"), &more);
    let get = ["get", "fraud", "--key", "c1"];
    assert!(server.fails(1, &get).contains("UNAUTHENTICATED"));
    let told = server.fails(
        1,
        &[&get[..], &["--token", "larder_of_somebody_else_and_long_enough_to_be_one"]].concat(),
    );
    assert!(told.contains("UNAUTHENTICATED") && !told.contains("somebody_else"), "{told}");
    server.ok(&[&get[..], &["--token", &token]].concat());
    let with_file = |args: &[&'static str]| [args, &["--token-file", file]].concat();
    server.ok(&with_file(&get));
    let mailing = ["get", "mailing", "--key", "c1"];
    let told = server.fails(1, &with_file(&mailing));
    assert!(told.contains("declare one of the purposes support"), "{told}");
    server.ok(&with_file(&["get", "mailing", "--key", "c1", "--purpose", "support"]));
    assert!(server.fails(1, &with_file(&["stats"])).contains("admin = true"));
    // The token is taken out.
    let (_, without) = self::token();
    write_file(&access, &without);
    let hung_up = Command::new("kill").args(["-HUP", &server.id().to_string()]).status();
    assert!(hung_up.expect("kill runs").success());
    // A signal is heard when it is heard.
    let refused = (0..1000).find_map(|_| {
        let output = server.run(&with_file(&get));
        (!output.status.success()).then(|| text(&output.stderr))
    });
    let refused = refused.expect("it is taken out some time");
    assert!(refused.contains("UNAUTHENTICATED"), "{refused}");
}

#[test]
fn what_a_policy_allows_is_explained() {
    let directory = tempfile::tempdir().expect("a directory");
    let (policy, definitions) = (directory.path().join("a.toml"), directory.path().join("f.toml"));
    let (token, lines) = token();
    write_file(&policy, &format!("{CHIEF}{lines}"));
    write_file(&definitions, DEFINITIONS);
    for (asked, code, part) in [
        (
            &["--subject", "scorer", "--read", "service:fraud"][..],
            0,
            "role scorer grants it on service:*",
        ),
        (&["--as", &token, "--read", "service:mailing"], 1, "profile:email is tagged pii"),
        (
            &["--as", &token, "--read", "service:mailing", "--purpose", "support"],
            0,
            "1 of the features are tagged pii, and a role that grants them is for purpose support",
        ),
        (
            &["--as", &token, "--read", "service:mailing", "--purpose", "fun"],
            1,
            "purpose fun is not one of support",
        ),
        (&["--subject", "scorer", "--write", "stream:x"], 1, "missing: write stream:x"),
        (&["--subject", "scorer", "--define", "service:fraud"], 1, "missing: define service:fraud"),
        (&["--subject", "boss", "--define"], 0, "role chief grants it on *"),
        (&["--subject", "boss", "--define", "service:fraud"], 0, "role chief grants it on *"),
        (&["--subject", "boss", "--admin"], 0, "role chief has admin = true"),
        (&["--subject", "scorer", "--read", "profile:country"], 1, "missing: read profile:country"),
        (&["--subject", "scorer", "--write", "group:profile"], 0, "allowed"),
        (&["--subject", "scorer", "--define"], 1, "missing: define"),
        (&["--subject", "scorer", "--admin"], 1, "missing: admin"),
    ] {
        let output = check(&policy, &definitions, asked);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{asked:?}: {said}{}", text(&output.stderr));
        assert!(said.contains(part), "{asked:?}: {said}");
    }
    for (asked, code, part) in [
        (&["--subject", "nobody", "--admin"][..], 1, "there are: "),
        (&["--as", "larder_of_somebody_else_and_long_enough_to_be_one", "--admin"], 1, "token"),
        (
            &["--subject", "scorer", "--write", "service:fraud"],
            2,
            "write is granted on group:NAME, stream:NAME",
        ),
        (&["--subject", "scorer", "--read", "entity:card"], 2, "read is granted on group:NAME"),
        (&["--subject", "scorer", "--read", "fraud"], 2, "service:NAME"),
        (
            &["--subject", "scorer", "--read", "service:frud"],
            0,
            "no service called frud (did you mean fraud?)",
        ),
        (
            &["--subject", "scorer", "--read", "profle:x"],
            1,
            "no group called profle (did you mean profile?)",
        ),
    ] {
        let output = check(&policy, &definitions, asked);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{asked:?}: {said}");
        assert!(said.contains(part), "{asked:?}: {said}");
    }
}

#[test]
fn a_server_that_others_could_reach_does_not_start_by_accident() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let shown = data.to_str().expect("UTF-8");
    for (more, part) in [
        (&["--listen", "0.0.0.0:0", "--admin", "127.0.0.1:0"][..], "--insecure"),
        (&["--listen", "127.0.0.1:0", "--admin", "[::]:0"], "--admin-public"),
        (
            &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--access", "/nowhere/a.toml"],
            "/nowhere/a.toml",
        ),
    ] {
        let output = larder("", &[&["serve", "--data", shown], more].concat());
        let told = text(&output.stderr);
        assert!(!output.status.success() && told.contains(part), "{more:?}: {told}");
        assert!(!data.exists(), "{more:?}: nothing is left behind");
    }
}
