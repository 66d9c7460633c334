//! What the metrics count is what a client did.

use crate::live::{Live, works};

#[tokio::test]
async fn what_is_counted_is_what_a_client_did() {
    let live = Live::start();
    let client = live.client();
    works(&client).await;
    client.checkpoint(None).await.expect("there is room");
    let scrape = live.scrape();
    for (sample, expected) in [
        (r#"larder_requests_total{operation="put",status="ok"}"#, 2.0),
        (r#"larder_requests_total{operation="push",status="ok"}"#, 1.0),
        (r#"larder_requests_total{operation="read",status="ok"}"#, 4.0),
        (r#"larder_requests_total{operation="checkpoint",status="ok"}"#, 1.0),
        (r#"larder_requests_total{operation="prepare",status="not_found"}"#, 1.0),
        (r#"larder_request_duration_seconds_count{operation="read"}"#, 4.0),
        (r#"larder_request_duration_seconds_bucket{operation="push",le="+Inf"}"#, 1.0),
        ("larder_requests_in_flight", 0.0),
        (r#"larder_service_requests_total{service="fraud"}"#, 4.0),
        (r#"larder_service_vectors_total{service="fraud"}"#, 43.0),
        (r#"larder_stream_events_total{stream="payments",outcome="accepted"}"#, 2.0),
        (r#"larder_stream_events_total{stream="payments",outcome="duplicate"}"#, 1.0),
        (r#"larder_stream_events_total{stream="payments",outcome="late"}"#, 1.0),
        (r#"larder_group_rows_total{group="profile",outcome="stored"}"#, 2.0),
        (r#"larder_group_rows_total{group="profile",outcome="stale"}"#, 1.0),
        (r#"larder_group_entities{group="profile"}"#, 2.0),
        (r#"larder_checkpoints_total{result="done"}"#, 1.0),
        (r#"larder_trouble{kind="poisoned"}"#, 0.0),
    ] {
        assert_eq!(scrape.value(sample), expected, "{sample}");
    }
    let values = |status: &str| {
        let labels = format!(r#"{{service="fraud",status="{status}"}}"#);
        scrape.value(&format!("larder_service_values_total{labels}"))
    };
    let statuses = ["present", "null", "not_found", "expired", "partial", "error"];
    // Of c1 twice country and a null; of the others no profile; windows reach back before the group was defined.
    assert_eq!(statuses.map(values), [2.0, 2.0, 82.0, 0.0, 86.0, 0.0]);
    let age = scrape.value(r#"larder_group_freshness_seconds{group="spend"}"#);
    assert!((1.0..600.0).contains(&age), "the newest payment is {age} s old");
    let fsyncs = scrape.value("larder_wal_fsync_duration_seconds_count");
    assert!(fsyncs >= 3.0, "each write was waited for: {fsyncs}");
    let (written, durable) = (
        scrape.value("larder_wal_written_bytes_total"),
        scrape.value("larder_wal_durable_bytes_total"),
    );
    assert!(durable > 0.0 && durable <= written, "{durable} of {written}");
    let sent = scrape.value("larder_sent_bytes_total");
    assert!(sent > 43.0 * 4.0, "{sent} bytes of answers");
}

/// In flight is what waits: nothing does once its connection is gone.
#[tokio::test]
async fn counters_only_rise_and_a_connection_that_ends_takes_its_requests_with_it() {
    let live = Live::start();
    works(&live.client()).await;
    let before = live.scrape();
    works(&live.client()).await;
    let after = live.scrape();
    let reads = r#"larder_requests_total{operation="read",status="ok"}"#;
    assert_eq!(after.value(reads), before.value(reads) + 4.0);
    let shed = "larder_requests_shed_total";
    assert!(after.value(shed) >= before.value(shed));
    assert_eq!(after.value("larder_requests_in_flight"), 0.0);
}
