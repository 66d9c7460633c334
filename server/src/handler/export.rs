//! `export`: groups at one moment as files, written by the exporter's thread. Which groups is decided here, once.

use protocol::{ExportRequest, Failure, Opcode};

use crate::{audit::acts, dispatch::Outcome, error::malformed, session::Session, shared::Shared};

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
) -> Result<Outcome, Failure> {
    let request = ExportRequest::decode(body).map_err(malformed)?;
    let (version, definitions) = shared.database.definitions();
    let resources: Vec<_> = request.groups.iter().map(|group| format!("group:{group}")).collect();
    session.caller.decide(shared, Opcode::Export, (&resources, None), |asker| {
        asker.export(&definitions, &request.groups)
    })?;
    // It may wait: what is defined until it begins nobody has decided about. An administrator may have everything of a group, whatever
    // that is by then; of others each feature and its tags were looked at.
    let groups: Vec<String> = match request.groups.as_slice() {
        [] => definitions.groups.iter().map(|group| group.name.to_string()).collect(),
        asked => asked.iter().map(|group| (*group).to_owned()).collect(),
    };
    let asker = session.caller.asker(shared, Opcode::Export, None)?;
    let is_bound = asker.is_some_and(|asker| asker.administrate().is_err());
    let on: Vec<_> = groups.iter().map(|group| format!("group:{group}")).collect();
    let asked = shared.exports.ask(&request, (groups, is_bound.then_some(version)));
    let what = ("export", Some(request.name), session.caller.purpose());
    acts::asked(shared, &session.audit, what, on, asked.as_ref().err());
    Ok(Outcome::Elsewhere(asked?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use engine::{Database, OsFs};
    use protocol::{CallStatus, ExportFormat, HelloRequest};
    use stdx::{clock::SystemClock, cursor::Writer};

    use super::*;
    use crate::{Config, access::NewToken, exporter, shared::Ends};

    const FIRST: &str = "[entity.card]\nkey = \"string\"\n[group.a]\nentity = \"card\"\n[group.a.features]\nf = \"i64\"\n";
    const SECOND: &str = "[group.b]\nentity = \"card\"\n[group.b.features]\nf = \"i64\"\n";
    const ROLES: &str = "[role.reader]\nread = [\"*\"]\n[role.admin]\nadmin = true\n";

    #[expect(clippy::disallowed_methods, reason = "a policy is an operator's file")]
    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).expect("a temporary directory");
    }

    /// A server without sockets and threads, and tokens of its reader and its administrator.
    fn shared(place: &Path) -> (Shared, Ends, [String; 2]) {
        let files = OsFs::open(&place.join("data")).expect("it can be made");
        let database =
            Database::open(files, &engine::Config::default(), Arc::new(SystemClock::new()));
        let database = database.expect("it opens");
        database.apply("f.toml", FIRST, false).expect("valid");
        let tokens = ["reader", "admin"].map(|name| {
            let token = NewToken::generate().expect("the system has randomness");
            let line = format!(
                "[subject.{name}]\nroles = [\"{name}\"]\n[[subject.{name}.token]]\nsha256 = \"{}\"\n",
                token.sha256()
            );
            (token.as_str().to_owned(), line)
        });
        let policy = place.join("access.toml");
        let text = tokens.iter().fold(ROLES.to_owned(), |text, (_, line)| text + line);
        write(&policy, &text);
        let config = Config {
            access: Some(policy),
            exports: Some(place.join("exports")),
            ..Config::default()
        };
        let (shared, ends) = Shared::new(database, 1, &config).expect("a policy");
        (shared, ends, tokens.map(|(token, _)| token))
    }

    fn ask(shared: &Shared, token: &str, name: &str, groups: &[&str]) {
        let mut session = Session::default();
        let hello = HelloRequest { protocol: 2, client: "test", token, purpose: "" };
        session.caller.hello(shared, &hello).expect("it is known");
        let request = ExportRequest {
            name,
            format: ExportFormat::Arrow,
            groups: groups.to_vec(),
            as_of: None,
            partials: false,
        };
        let mut body = Vec::new();
        request.encode(&mut Writer::new(&mut body));
        handle(shared, &mut session, &body).map(drop).expect("it may");
    }

    /// What broke: an export of all groups held one that was defined while it waited, which nobody had decided about.
    #[test]
    fn an_export_holds_what_was_decided_about_when_it_was_asked_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let (shared, mut ends, [reader, admin]) = shared(directory.path());
        ask(&shared, &admin, "everything", &[]);
        ask(&shared, &reader, "readable", &[]);
        ask(&shared, &reader, "named", &["a"]);
        shared.database.apply("g.toml", SECOND, false).expect("valid");
        ask(&shared, &reader, "later", &[]);
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let mut run = || {
            let asked = ends.wanted.try_recv().expect("it waits");
            exporter::answer(&shared, &asked, &stopped).map(drop)
        };
        run().expect("an administrator's");
        for name in ["readable", "named"] {
            let failure = run().expect_err("definitions are others");
            assert_eq!(failure.status, CallStatus::Overloaded, "{name}: {}", failure.message);
            assert!(failure.message.contains("try again"), "{name}: {}", failure.message);
        }
        run().expect("of definitions that are valid still");
        let has = |path: &str| directory.path().join("exports").join(path).exists();
        assert!(has("everything/a") && !has("everything/b"), "b was not there");
        assert!(!has("readable") && !has("named"));
        assert!(has("later/a") && has("later/b"));
    }
}
