//! Requests as spans: whoever takes them out sees each request of the sample once, as the list of slow requests has it, and is counted.

use std::time::Duration;

use crate::live::{Live, works};

#[tokio::test]
async fn a_request_comes_out_once_with_what_the_list_of_slow_requests_says_of_it() {
    let mut live = Live::start();
    works(&live.client()).await;
    let spans = live.spans.next(1000, Duration::from_millis(1)).await;
    let (_, slow) = live.get("/debug/slow");
    let slow: serde_json::Value = serde_json::from_str(&slow).expect("JSON");
    let slow = slow["last"].as_array().expect("a list");
    assert_eq!(spans.len(), slow.len(), "to this server everything is slow");
    for (span, slow) in spans.iter().zip(slow.iter().rev()) {
        let ms = |ns: u64| Some(ns as f64 / 1e6);
        assert_eq!(span.request_id, slow["request_id"]);
        assert_eq!(
            (span.operation, span.on.as_str()),
            (text(&slow["operation"]), text(&slow["on"]))
        );
        assert_eq!((span.status, span.reason()), (text(&slow["status"]), text(&slow["reason"])));
        assert_eq!(ms(span.took_ns), slow["took_ms"].as_f64());
        assert_eq!(ms(span.handler_ns), slow["handler_ms"].as_f64());
    }
    let read = spans.iter().find(|span| span.operation == "read").expect("there were reads");
    assert_eq!((read.on.as_str(), read.status), ("service:fraud", "OK"));
    live.spans.sent(spans.len());
    let sent = live.scrape().value("larder_spans_total{outcome=\"sent\"}");
    assert_eq!(sent, spans.len() as f64);
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().expect("a text")
}
