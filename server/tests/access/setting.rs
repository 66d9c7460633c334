//! A server with a policy, and clients with tokens of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use client::Client;
use engine::{Database, OsFs, SyncPolicy};
use protocol::CallStatus;
use server::{Config, Server, access::NewToken};
use stdx::clock::SystemClock;
use tempfile::TempDir;

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
[group.secret]
entity = "card"
[group.secret.features]
salary = "i64"
[stream.payments]
event_time = "ts"
event_id = "id"
dedup = "1h"
retract = true
[stream.payments.fields]
id = "string"
card = "string"
amount = "i64"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["1h"]
[group.spend.features]
total = "sum(amount)"
[service.fraud]
features = ["profile:country", "spend:*"]
[service.mailing]
features = ["profile:email"]
[service.risk]
features = ["secret:salary"]
[service.risk.derived]
is_rich = "salary > 1000"
[service.public]
features = []
[service.public.request]
amount = "i64"
[service.public.derived]
is_large = "request.amount > 1000"
"#;

const ROLES: &str = r#"
[role.scorer]
read = ["service:fraud", "profile:country", "spend:*"]
write = ["stream:payments"]
[role.mailer]
read = ["group:profile", "service:mailing"]
purposes = ["support"]
[role.writer]
write = ["group:profile", "group:secret"]
[role.owner]
define = ["*"]
[role.composer]
define = ["service:*"]
read = ["spend:*"]
[role.admin]
admin = true
[role.everything]
read = ["*"]
write = ["*"]
define = ["*"]
admin = true
purposes = ["*"]
"#;

/// The subjects: one for each role, called as it is.
pub(crate) const SUBJECTS: [&str; 7] =
    ["scorer", "mailer", "writer", "owner", "composer", "admin", "everything"];

/// What takes longer never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; it ends with the test.
pub(crate) struct Setting {
    pub(crate) server: Server,
    pub(crate) policy: PathBuf,
    tokens: Vec<(&'static str, NewToken)>,
    directory: TempDir,
}

impl Setting {
    pub(crate) fn start() -> Self {
        Self::start_with(|config| config)
    }

    pub(crate) fn start_with(change: impl FnOnce(Config) -> Config) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let files = OsFs::open(&directory.path().join("data")).expect("it can be used");
        let config = engine::Config { sync: SyncPolicy::Os, ..engine::Config::default() };
        let database = Database::open(files, &config, Arc::new(SystemClock::new()));
        let database = database.expect("opens");
        let applied = database.apply("f.toml", DEFINITIONS, false).expect("they are valid");
        assert!(!applied.plan.is_refused(), "{}", applied.plan);
        let made = |name| (name, NewToken::generate().expect("the system has randomness"));
        let tokens: Vec<_> = SUBJECTS.into_iter().map(made).collect();
        let policy = directory.path().join("access.toml");
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config {
            listen: free,
            admin: free,
            access: Some(policy.clone()),
            exports: Some(directory.path().join("exports")),
            backups: Some(directory.path().join("backups")),
            // On a busy machine it may look as if it had no time, and a peer may be slow to say who it is.
            turn_max: PATIENCE,
            hello_within: PATIENCE,
            ..Config::default()
        };
        write(&policy, &policy_text(tokens.iter()));
        let server = Server::start(&change(config), database).expect("it starts");
        Self { server, policy, tokens, directory }
    }

    /// The policy as it was at first.
    pub(crate) fn policy_text(&self) -> String {
        self.policy_without("")
    }

    /// The policy as it was at first, but for one subject.
    pub(crate) fn policy_without(&self, subject: &str) -> String {
        policy_text(self.tokens.iter().filter(|(name, _)| *name != subject))
    }

    /// Has the server read `text` as its policy.
    pub(crate) fn reload(&self, text: &str) -> Result<(), server::Error> {
        write(&self.policy, text);
        self.server.reload()
    }

    pub(crate) fn token(&self, subject: &str) -> &str {
        let found = self.tokens.iter().find(|(name, _)| *name == subject);
        found.expect(subject).1.as_str()
    }

    pub(crate) fn client(&self, subject: &str) -> Client {
        self.client_with(self.token(subject))
    }

    pub(crate) fn client_with(&self, token: &str) -> Client {
        self.builder().token(token).build()
    }

    pub(crate) fn builder(&self) -> client::ClientBuilder {
        let builder = Client::builder(self.server.native_addr().to_string());
        let builder = builder.connect_timeout(PATIENCE).request_timeout(PATIENCE);
        builder.connections(1).retries(0)
    }

    /// A path for an export's files.
    pub(crate) fn has_export(&self, name: &str) -> bool {
        self.directory.path().join("exports").join(name).exists()
    }

    /// A figure of the statistics.
    pub(crate) async fn figure(&self, name: &str) -> u64 {
        let figures = self.client("everything").stats().await.expect("an administrator");
        match figures.into_iter().find(|(known, _)| known == name) {
            Some((_, protocol::StatValue::U64(number))) => number,
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn policy_text<'a>(tokens: impl Iterator<Item = &'a (&'static str, NewToken)>) -> String {
    tokens.fold(ROLES.to_owned(), |text, (name, token)| {
        text + &subject(name, &format!("sha256 = \"{}\"", token.sha256()))
    })
}

/// The lines of a subject whose role is called as it is, with one token.
pub(crate) fn subject(name: &str, token: &str) -> String {
    format!("[subject.{name}]\nroles = [\"{name}\"]\n[[subject.{name}.token]]\n{token}\n")
}

#[expect(clippy::disallowed_methods, reason = "a policy is a user's file")]
fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).expect("a temporary directory");
}

/// The status with which a call was refused.
pub(crate) fn refused<T>(outcome: Result<T, client::Error>) -> (CallStatus, String) {
    match outcome {
        Ok(_) => panic!("it was answered"),
        Err(error) => {
            let status = error.status().unwrap_or_else(|| panic!("no status: {error}"));
            (status, error.to_string())
        }
    }
}
