//! What was slow, and which keys are hot: what an operator who looks for a cause is told.

use serde_json::Value;

use crate::live::{Live, works};

fn json(live: &Live, path: &str) -> Value {
    let (status, body) = live.get(path);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

/// To a server that finds everything slow.
#[tokio::test]
async fn a_slow_request_is_kept_with_what_it_was_about_and_where_its_time_went() {
    let live = Live::start();
    works(&live.client()).await;
    let slow = json(&live, "/debug/slow");
    let last = slow["last"].as_array().expect("a list");
    let of = |operation: &str| {
        let found = last.iter().find(|request| request["operation"] == operation);
        found.unwrap_or_else(|| panic!("no {operation} in {slow:#}"))
    };
    let put = of("put");
    assert_eq!((&put["on"], &put["status"]), (&"group:profile".into(), &"OK".into()));
    // Which part was the largest is up to the machine; that it was waited for is not.
    assert!(put["waited_after_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{put:#}");
    assert!(put["reason"].is_string(), "{put:#}");
    assert_eq!(of("push")["on"], "stream:payments");
    let read = of("read");
    assert_eq!(read["on"], "service:fraud");
    let ms = |name: &str| read[name].as_f64().expect("a number");
    let parts = ms("waited_for_thread_ms") + ms("handler_ms") + ms("waited_after_ms");
    assert!((ms("took_ms") - parts).abs() < 1e-6, "the parts are the whole: {read:#}");
    assert!(read["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{read:#}");
    assert_eq!(last.len(), usize::try_from(slow["count"].as_u64().expect("few")).expect("few"));
}

#[tokio::test]
async fn the_key_that_is_read_most_is_the_hottest() {
    let live = Live::start();
    let client = live.client();
    let fraud = client.service("fraud").await.expect("defined");
    for round in 0..200 {
        let others = (0..20).map(|n| format!("x{round}-{n}"));
        let keys = others.chain(std::iter::repeat_n("c1".to_owned(), 20));
        fraud.read().keys(keys).send().await.expect("read");
    }
    let hot = json(&live, "/debug/hot-keys");
    let service = &hot["services"][0];
    assert_eq!(service["service"], "fraud");
    let hottest = &service["keys"][0];
    assert_eq!((&hottest["entity"], &hottest["key"]), (&"card".into(), &"c1".into()));
    let share = hottest["share"].as_f64().expect("a number");
    assert!((0.25..=0.75).contains(&share), "half of the keys read: {hot:#}");
}
