//! Whatever the network does, no call takes longer than it was given, and defaults stand in for what was not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use client::{Client, Error};
use model::status::Status;
use tokio::time::Instant;

use crate::proxy::{Fate, Piece, Proxy};
use crate::setting::{PATIENCE, Setting, patient, read};

/// What each call is given; much less than what a client waits by default.
const BUDGET: Duration = Duration::from_millis(100);
/// A machine with other things to do may be late by so much; still less than a client waits by default.
const SLACK: Duration = Duration::from_secs(8);

/// A name for what the network does, and that.
type Weather = (&'static str, fn(Piece<'_>) -> Fate);

const WEATHER: [Weather; 5] = [
    ("replies vanish", |piece| if piece.is_reply { Fate::Vanishes } else { Fate::Passes }),
    ("requests vanish", |piece| if piece.is_reply { Fate::Passes } else { Fate::Vanishes }),
    ("replies are late", |_| Fate::Late(Duration::from_secs(20))),
    ("replies are cut in their header", |piece| {
        piece.bytes.truncate(if piece.is_reply { 11 } else { usize::MAX });
        if piece.is_reply { Fate::IsTheLast } else { Fate::Passes }
    }),
    ("replies end in the middle, and nobody says so", |piece| {
        let whole = piece.bytes.len();
        piece.bytes.truncate(if piece.is_reply { whole / 2 } else { whole });
        Fate::Passes
    }),
];

#[tokio::test]
async fn no_call_takes_longer_than_it_was_given() {
    let setting = Setting::start().await;
    for (what, weather) in WEATHER {
        let proxy = Proxy::to(setting.addr()).await;
        let client = Client::builder(proxy.addr()).request_timeout(BUDGET).build();
        // Prepared while the sun shines, whatever time that takes.
        let patient = patient(proxy.addr()).build();
        let service = patient.service("fraud").await.expect("prepared");
        let profile = patient.group("profile").await.expect("prepared").within(BUDGET);
        let row = || profile.row().key("c2").set("country", "CH");
        proxy.meddle(weather);

        let begun = Instant::now();
        profile.put([row()]).await.expect_err(what);
        assert!(begun.elapsed() < BUDGET + SLACK, "{what}: {:?}", begun.elapsed());

        let begun = Instant::now();
        let error = read(&service, BUDGET).send().await.expect_err(what);
        assert!(error.is_retryable() && !error.may_be_applied(), "{what}: {error}");
        let error = client.group("profile").await.err().expect(what);
        assert!(error.is_retryable(), "{what}: {error}");
        assert!(begun.elapsed() < BUDGET * 2 + SLACK, "{what}: {:?}", begun.elapsed());

        let filled = read(&service, BUDGET).or_defaults().default_value("score", 0.25);
        let vectors = filled.send().await.expect("defaults");
        assert!(vectors.failure().is_some_and(Error::is_retryable), "{what}");
        let (status, value) = vectors.get(0, "score").expect("a column");
        assert_eq!((status, value.and_then(|it| it.as_f64())), (Status::Error, Some(0.25)));
        assert!(begun.elapsed() < BUDGET * 3 + SLACK, "{what}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_push_whose_answer_is_lost_says_so_in_time_and_is_applied_once_when_sent_again() {
    let setting = Setting::start().await;
    let proxy = Proxy::to(setting.addr()).await;
    // One connection: what is sent again comes behind what was sent first.
    let builder = patient(proxy.addr()).producer("till", 1).connections(1);
    let payments = builder.build().stream("payments").await.expect("defined");
    let event = payments.event().set("card", "c1").set("amount", 1.0).set("ts", 1_000);
    let (event, fields) = (event.pack().expect("valid"), payments.schema().fields().len());
    let sent = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&sent);
    proxy.meddle(move |piece| {
        counter.fetch_add(u32::from(!piece.is_reply), Ordering::Relaxed);
        if piece.is_reply { Fate::Vanishes } else { Fate::Passes }
    });
    let hurried = payments.clone().within(BUDGET * 5);
    let mut is_in_doubt = false;
    for attempt in 1.. {
        let begun = Instant::now();
        let error = hurried.push_packed(fields, &[&event], Some(1)).await.expect_err("no answer");
        assert!(begun.elapsed() < BUDGET * 5 + SLACK, "{error}");
        is_in_doubt |= error.may_be_applied();
        if is_in_doubt && sent.load(Ordering::Relaxed) > 0 {
            break;
        }
        // The machine had other things to do until the time was over.
        assert!(attempt < 10, "{error}");
    }

    proxy.meddle(|_| Fate::Passes);
    let reply = payments.push_packed(fields, &[&event], Some(1)).await.expect("answered");
    assert!(reply.receipt.repeated, "it was applied the first time");
    let service = setting.client().service("fraud").await.expect("prepared");
    let vectors = read(&service, PATIENCE).send().await.expect("read");
    let counted = vectors.get(0, "n_1h").expect("a column").1;
    assert_eq!(counted, Some(model::value::Value::I64(1)));
}
