//! What is written about the metrics is true: the table in docs/observability.md lists what a scrape has, no more and no less.

use std::collections::BTreeMap;

use crate::live::{Family, Live, works};

const OBSERVABILITY: &str = include_str!("../../../docs/observability.md");

/// Rows of the form `| name | type | labels | meaning |`.
fn documented() -> BTreeMap<String, Family> {
    let rows = OBSERVABILITY.lines().filter(|line| line.starts_with("| `larder_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, meaning, _] = cells[..] else {
            panic!("not four cells: {row}")
        };
        assert!(!meaning.is_empty(), "{row}");
        let labels = labels.split(',').map(str::trim).filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        (name.trim_matches('`').to_owned(), Family { kind: kind.to_owned(), labels })
    })
    .collect()
}

#[tokio::test]
async fn the_table_of_metrics_is_what_a_scrape_has() {
    let live = Live::start();
    let client = live.client();
    works(&client).await;
    client.checkpoint(None).await.expect("there is room");
    let scraped = live.scrape().families;
    let documented = documented();
    for (name, family) in &scraped {
        assert_eq!(documented.get(name), Some(family), "{name} in docs/observability.md");
    }
    for name in documented.keys() {
        assert!(scraped.contains_key(name), "{name} is documented, and in no scrape");
    }
}

const DASHBOARD: &str = include_str!("../../../deploy/grafana/larder.json");
const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yml");
const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// Names of metrics in `text`: words that begin with `larder_`. Of a histogram's parts, its name.
fn metrics_in(text: &str) -> Vec<&str> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    text.match_indices("larder_")
        .map(|(at, _)| {
            let name = &text[at..];
            let name = &name[..name.find(|letter| !is_name(letter)).unwrap_or(name.len())];
            let part = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            part.unwrap_or(name)
        })
        .collect()
}

/// Every `expr` below `value`.
fn queries(value: &serde_json::Value) -> Vec<&str> {
    match value {
        serde_json::Value::Object(fields) => {
            let query = fields.get("expr").and_then(serde_json::Value::as_str);
            query.into_iter().chain(fields.values().flat_map(queries)).collect()
        }
        serde_json::Value::Array(items) => items.iter().flat_map(queries).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_for_metrics_that_there_are() {
    let live = Live::start();
    let client = live.client();
    works(&client).await;
    client.checkpoint(None).await.expect("there is room");
    let scraped = live.scrape().families;
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let queries = queries(&dashboard);
    assert!(queries.len() > 30, "{} queries", queries.len());
    let expressions = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    for query in queries.into_iter().chain(expressions) {
        let names = metrics_in(query);
        assert!(!names.is_empty() || query.starts_with("up{"), "{query} asks for nothing of ours");
        for name in names {
            assert!(scraped.contains_key(name), "{name} is in no scrape: {query}");
        }
    }
}

#[test]
fn every_alert_has_a_runbook_that_is_there() {
    let headings = OPERATIONS.lines().filter_map(|line| line.strip_prefix('#'));
    let anchors: Vec<String> = headings
        .map(|heading| heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect();
    let alerts = ALERTS.lines().filter(|line| line.contains("- alert: ")).count();
    let runbooks: Vec<&str> =
        ALERTS.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
    assert!(
        alerts >= 10 && runbooks.len() == alerts,
        "{alerts} alerts, {} runbooks",
        runbooks.len()
    );
    for runbook in runbooks {
        let anchor = runbook.strip_prefix("docs/operations.md#").expect("a runbook of ours");
        assert!(anchors.iter().any(|known| known == anchor), "{anchor} is not in {anchors:?}");
    }
}
