//! Tokens and policies come and go while connections live.

use protocol::{CallStatus, Opcode, Target};
use server::access::NewToken;
use stdx::clock::{Clock, SystemClock};

use crate::{
    handles::Peer,
    setting::{PATIENCE, Setting, refused, subject},
};

/// Entities of a read that is not done on the connection's own thread.
const LONG: usize = 4000;
/// As many of them as a connection may have.
const UNDER_WAY: usize = 4;

#[tokio::test]
async fn who_is_not_known_gets_nothing_and_loses_the_connection() {
    let setting = Setting::start();
    let stolen = NewToken::generate().expect("the system has randomness");
    let good = setting.token("everything");
    let cut = &good[..good.len() - 1];
    let other = format!("{cut}{}", if good.ends_with('0') { '1' } else { '0' });
    for token in [stolen.as_str(), cut, &other, "password", &"x".repeat(256)] {
        let (status, message) = refused(setting.client_with(token).ping().await);
        assert_eq!(status, CallStatus::Unauthenticated, "{message}");
        let mut peer = Peer::connect(&setting).await;
        let failure = peer.hello(token, "").await.expect_err("nobody has it");
        assert_eq!(failure.status, CallStatus::Unauthenticated);
        assert!(!failure.message.contains(token), "a token in a message: {}", failure.message);
        assert!(peer.reply().await.is_none(), "the connection is closed");
    }
    // Without a token the connection stays, and gets nothing.
    let nobody = setting.builder().build();
    nobody.ping().await.expect("a sign of life is for everybody");
    for _ in 0..2 {
        let (status, message) = refused(nobody.describe(None).await);
        assert_eq!(status, CallStatus::Unauthenticated);
        assert!(message.contains("--token"), "{message}");
        assert_eq!(refused(nobody.hello().await).0, CallStatus::Unauthenticated);
        assert_eq!(refused(nobody.service("fraud").await).0, CallStatus::Unauthenticated);
        assert_eq!(refused(nobody.stats().await).0, CallStatus::Unauthenticated);
    }
    assert!(setting.figure("requests_unauthenticated").await >= 10);
}

#[tokio::test]
async fn tokens_are_rotated_without_a_gap() {
    let setting = Setting::start();
    let new = NewToken::generate().expect("the system has randomness");
    let line = format!("[[subject.scorer.token]]\nsha256 = \"{}\"\n", new.sha256());
    let mut old_peer = Peer::as_subject(&setting, "scorer", "").await;
    let handle = old_peer.prepare(Target::Service("fraud".into())).await.expect("it may");
    setting.reload(&(setting.policy_text() + &line)).expect("it is good");
    old_peer.read(handle, 1).await.expect("both are good");
    let new_client = setting.client_with(new.as_str());
    new_client.service("fraud").await.expect("both are good");
    // The old one is taken out: its live connection is told with its next request, and closed.
    let new_only = setting.policy_without("scorer")
        + &subject("scorer", &format!("sha256 = \"{}\"", new.sha256()));
    setting.reload(&new_only).expect("it is good");
    let failure = old_peer.read(handle, 1).await.expect_err("it is out");
    assert_eq!(failure.status, CallStatus::Unauthenticated, "{}", failure.message);
    assert!(old_peer.reply().await.is_none(), "the connection is closed");
    assert_eq!(refused(setting.client("scorer").ping().await).0, CallStatus::Unauthenticated);
    new_client.service("fraud").await.expect("the new one is good");
}

#[tokio::test]
async fn a_reload_takes_rights_away_from_live_connections_and_gives_them() {
    let setting = Setting::start();
    let mut peer = Peer::as_subject(&setting, "scorer", "").await;
    let fraud = peer.prepare(Target::Service("fraud".into())).await.expect("it may");
    peer.read(fraud, 1).await.expect("it may");
    let less = setting.policy_text().replace(
        "read = [\"service:fraud\", \"profile:country\", \"spend:*\"]",
        "read = [\"group:secret\"]",
    );
    setting.reload(&less).expect("it is good");
    for keys in [1, 2000] {
        let failure = peer.read(fraud, keys).await.expect_err("not any more");
        assert_eq!(failure.status, CallStatus::Denied, "{}", failure.message);
    }
    let secret = peer.prepare(Target::Group("secret".into())).await;
    secret.expect("it may read that now");
    // A broken file changes nothing.
    for broken in ["", "[role.x]\nreed = []\n", "="] {
        let error = setting.reload(broken).expect_err("it is broken").to_string();
        assert!(error.contains("access.toml"), "{error}");
        assert_eq!(peer.read(fraud, 1).await.expect_err("as before").status, CallStatus::Denied);
    }
    assert_eq!(setting.figure("access_reloads_failed_count").await, 3);
    setting.reload(&setting.policy_text()).expect("it is good");
    peer.read(fraud, 1).await.expect("it may again");
}

/// What was asked before is answered, and nothing after it.
#[tokio::test]
async fn whoever_leaves_the_policy_gets_the_answers_under_way() {
    let setting = Setting::start();
    let mut peer = Peer::as_subject(&setting, "scorer", "").await;
    let fraud = peer.prepare(Target::Service("fraud".into())).await.expect("it may");
    let vectors_bytes = peer.read(fraud, LONG).await.expect("it may").len();
    for _ in 0..UNDER_WAY {
        peer.send_read(fraud, LONG).await;
    }
    // Behind them: once it is answered, they were heard. The last of them is hardly done.
    peer.send(Opcode::Ping, |_| {}).await;
    let mut answers = Vec::new();
    while !answers.contains(&0) {
        answers.push(peer.reply().await.expect("an answer").expect("it may").len());
    }
    setting.reload(&setting.policy_without("scorer")).expect("it is good");
    while answers.len() <= UNDER_WAY {
        answers.push(peer.reply().await.expect("an answer").expect("asked for before").len());
    }
    assert_eq!(answers.iter().filter(|bytes| **bytes == vectors_bytes).count(), UNDER_WAY);
    let failure = peer.read(fraud, 1).await.expect_err("it is out");
    assert_eq!(failure.status, CallStatus::Unauthenticated, "{}", failure.message);
    assert!(peer.reply().await.is_none(), "the connection is closed");
}

/// The time at which a token ends passes while its connection lives: nobody reads the policy again.
#[tokio::test]
async fn a_token_ends_on_live_connections_too() {
    let setting = Setting::start();
    let clock = SystemClock::new();
    let short = NewToken::generate().expect("the system has randomness");
    let end_ms = clock.wall_ms() + 400;
    let line = format!(
        "[[subject.scorer.token]]\nsha256 = \"{}\"\nexpires = \"{}\"\n",
        short.sha256(),
        model::time::format_timestamp(end_ms)
    );
    setting.reload(&(setting.policy_text() + &line)).expect("it is good");
    let mut peer = Peer::connect(&setting).await;
    if peer.hello(short.as_str(), "").await.is_err() {
        assert!(clock.wall_ms() >= end_ms, "it was not over yet");
        return;
    }
    let fraud = peer.prepare(Target::Service("fraud".into())).await;
    let mut answers = 0_u64;
    let patience_ms = i64::try_from(PATIENCE.as_millis()).expect("small");
    let failure = loop {
        let outcome = match &fraud {
            Ok(fraud) => peer.read(*fraud, 1).await,
            Err(failure) => Err(failure.clone()),
        };
        match outcome {
            Ok(_) => answers += 1,
            Err(failure) => break failure,
        }
        assert!(clock.wall_ms() < end_ms + patience_ms, "{answers} answers");
    };
    assert!(clock.wall_ms() >= end_ms);
    assert_eq!(failure.status, CallStatus::Unauthenticated, "{}", failure.message);
    assert!(failure.message.contains("expired at"), "{}", failure.message);
}
