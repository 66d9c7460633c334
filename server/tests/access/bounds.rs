//! What a peer may send and how long it may take until it has said who it is.

use std::time::Duration;

use model::limits::UNAUTHENTICATED_BYTES_MAX;
use protocol::{CallStatus, Header, Opcode, Target, frame};
use server::{Config, access::NewToken};
use stdx::clock::{Clock, SystemClock};
use tokio::{io::AsyncWriteExt, time::Instant};

use crate::{
    handles::Peer,
    setting::{PATIENCE, Setting},
};

#[tokio::test]
async fn a_stranger_may_send_little() {
    let setting = Setting::start();
    // The head of a frame that is allowed, and would take memory.
    let mut large = Vec::new();
    frame::write(&mut large, Header::request(Opcode::Put, 1, 0), |out| {
        out.bytes(&vec![7; 8 << 20]);
    })
    .expect("it is below the limit");
    let mut peer = Peer::connect(&setting).await;
    // The server closes while it is sent.
    let _cut = peer.stream.write_all(&large).await;
    if let Some(reply) = peer.reply().await {
        let failure = reply.expect_err("it is too much");
        assert_eq!(failure.status, CallStatus::Unauthenticated);
        assert!(
            failure.message.contains(&UNAUTHENTICATED_BYTES_MAX.to_string()),
            "{}",
            failure.message
        );
        assert!(peer.reply().await.is_none(), "the connection is closed");
    }
    // Many small ones are no better, and pings are answered until then.
    let mut peer = Peer::connect(&setting).await;
    let (mut count, mut is_cut) = (0, false);
    while count * frame::HEADER_BYTES <= 2 * UNAUTHENTICATED_BYTES_MAX {
        let mut ping = Vec::new();
        frame::write(&mut ping, Header::request(Opcode::Ping, 1, 0), |_| {}).expect("small");
        if peer.stream.write_all(&ping).await.is_err() {
            is_cut = true;
            break;
        }
        match peer.reply().await {
            Some(Ok(_)) => count += 1,
            Some(Err(failure)) => assert_eq!(failure.status, CallStatus::Unauthenticated),
            None => {
                is_cut = true;
                break;
            }
        }
    }
    assert!(is_cut && count >= UNAUTHENTICATED_BYTES_MAX / frame::HEADER_BYTES, "{count}");
}

#[tokio::test]
async fn a_stranger_has_little_time_and_others_have_all_there_is() {
    let patience = Duration::from_millis(1500);
    let setting = Setting::start_with(|config| Config { hello_within: patience, ..config });
    let mut known = Peer::as_subject(&setting, "scorer", "").await;
    let begun = Instant::now();
    let mut silent = Peer::connect(&setting).await;
    let mut slow = Peer::connect(&setting).await;
    slow.stream.write_all(&[30, 0, 0]).await.expect("the server reads");
    for peer in [&mut silent, &mut slow] {
        let failure = peer.reply().await.expect("it is told").expect_err("its time is over");
        assert_eq!(failure.status, CallStatus::Unauthenticated);
        assert!(failure.message.contains("1.5s"), "{}", failure.message);
        assert!(peer.reply().await.is_none(), "the connection is closed");
    }
    assert!(begun.elapsed() >= patience);
    known.prepare(Target::Service("fraud".into())).await.expect("it may stay");
}

/// What broke: a token that was taken out, or had ended, was noticed with the connection's next request alone: one that asks for
/// nothing kept its place for ever.
#[tokio::test]
async fn a_connection_whose_token_goes_is_a_strangers_also_when_it_asks_for_nothing() {
    let patience = Duration::from_millis(1500);
    let setting = Setting::start_with(|config| Config { hello_within: patience, ..config });
    let clock = SystemClock::new();
    let short = NewToken::generate().expect("the system has randomness");
    let ends = |end_ms: i64| {
        let expires = model::time::format_timestamp(end_ms);
        format!("sha256 = \"{}\"\nexpires = \"{expires}\"\n", short.sha256())
    };
    let text = setting.policy_text() + "[[subject.mailer.token]]\n";
    setting.reload(&(text.clone() + &ends(clock.wall_ms() + 3_600_000))).expect("it is good");
    let mut known = Peer::as_subject(&setting, "everything", "").await;
    let mut revoked = Peer::as_subject(&setting, "scorer", "").await;
    // It is good for an hour.
    let mut expired = Peer::with_token(&setting, short.as_str(), "").await;
    // One token is taken out, the other ends in a moment: nobody reads the policy again then.
    let begun = Instant::now();
    let text = setting.policy_without("scorer") + "[[subject.mailer.token]]\n";
    setting.reload(&(text + &ends(clock.wall_ms() + 500))).expect("it is good");
    for (peer, what) in [(&mut revoked, "revoked"), (&mut expired, "expired")] {
        let reply = tokio::time::timeout(PATIENCE / 2, peer.reply());
        let reply = reply.await.unwrap_or_else(|_| panic!("{what}: it keeps its place"));
        let failure = reply.expect("it is told").expect_err("its time is over");
        assert_eq!(failure.status, CallStatus::Unauthenticated, "{what}");
        assert!(failure.message.contains("(any more)"), "{what}: {}", failure.message);
        assert!(peer.reply().await.is_none(), "{what}: the connection is closed");
    }
    assert!(begun.elapsed() >= patience);
    known.prepare(Target::Service("fraud".into())).await.expect("it may stay");
}
