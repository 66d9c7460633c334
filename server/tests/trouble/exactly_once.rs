//! A network that cuts connections anywhere, in the middle of requests and of replies: every event is counted once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::value::Value;

use crate::proxy::{Fate, Proxy};
use crate::setting::{PATIENCE, Seeded, Setting, patient, read};

const BATCHES: u64 = 60;
const EVENTS: u64 = 7;
/// One piece of so many is cut short and is the last of its connection.
const CUTS: u64 = 3;

#[tokio::test]
async fn pushes_through_a_network_that_cuts_are_counted_once() {
    let seeded = Seeded::take();
    let setting = Setting::start().await;
    let proxy = Proxy::to(setting.addr()).await;
    let builder = patient(proxy.addr()).connections(2).producer("till", 1);
    let payments = builder.build().stream("payments").await.expect("defined");
    let fields = payments.schema().fields().len();
    let mut prng = seeded.stream("cuts");
    let cuts = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&cuts);
    proxy.meddle(move |piece| {
        if prng.below(CUTS) > 0 {
            return Fate::Passes;
        }
        let kept = prng.below(piece.bytes.len() as u64 + 1);
        piece.bytes.truncate(usize::try_from(kept).expect("short"));
        counter.fetch_add(1, Ordering::Relaxed);
        Fate::IsTheLast
    });
    let (mut accepted, mut repeated, mut unanswered) = (0, 0, 0);
    for batch in 1..=BATCHES {
        let event = |number| {
            let at = i64::try_from(batch * EVENTS + number).expect("few");
            let event = payments.event().set("card", "c1").set("amount", 1.0).set("ts", at);
            event.pack().expect("valid")
        };
        let events: Vec<_> = (0..EVENTS).map(event).collect();
        let events: Vec<_> = events.iter().map(Vec::as_slice).collect();
        // The client's own retries may be used up: then this one sends the same batch under the same number.
        let reply = loop {
            match payments.push_packed(fields, &events, Some(batch)).await {
                Ok(reply) => break reply,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            unanswered += 1;
            assert!(unanswered < 1_000, "it makes no headway");
        };
        accepted += u64::from(reply.accepted);
        repeated += u64::from(reply.receipt.repeated);
    }
    let service = setting.client().service("fraud").await.expect("prepared");
    let vectors = read(&service, PATIENCE).send().await.expect("read");
    let counted = vectors.get(0, "n_1h").expect("a column").1;
    let all = i64::try_from(BATCHES * EVENTS).expect("few");
    assert_eq!((counted, accepted), (Some(Value::I64(all)), BATCHES * EVENTS));
    let cuts = cuts.load(Ordering::Relaxed);
    assert!(
        cuts >= 10 && repeated >= 1,
        "{cuts} cuts, {repeated} answers lost: too fair a weather"
    );
}
