//! What two looks at a server say together: rates and latencies of the time between them, and how things are at the second.

use std::collections::BTreeMap;

use serde::Serialize;

use super::scrape::Scrape;

/// Hot keys that are shown.
const HOT_KEYS_MAX: usize = 5;

/// See the module. Rates are per second, durations in ms where the name says so, else in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Sample {
    pub(super) version: String,
    pub(super) ready: bool,
    pub(super) troubles: Vec<String>,
    /// Between the two looks.
    pub(super) seconds: f64,
    pub(super) uptime_seconds: f64,
    pub(super) operations: Vec<Operation>,
    pub(super) services: Vec<Service>,
    pub(super) groups: Vec<Group>,
    pub(super) memory_bytes: f64,
    pub(super) memory_max_bytes: Option<f64>,
    pub(super) connections: f64,
    pub(super) in_flight: f64,
    pub(super) shed_per_second: f64,
    pub(super) expired_per_second: f64,
    pub(super) received_bytes_per_second: f64,
    pub(super) sent_bytes_per_second: f64,
    pub(super) wal_bytes_per_second: f64,
    pub(super) syncs_per_second: f64,
    pub(super) sync_p99_ms: Option<f64>,
    pub(super) checkpoint_age_seconds: f64,
    pub(super) hot_keys: Vec<Hot>,
}

/// An operation that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Operation {
    pub(super) operation: String,
    pub(super) per_second: f64,
    pub(super) failed_per_second: f64,
    /// `None` when there was none between the looks.
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) p999_ms: Option<f64>,
}

/// A service that is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Service {
    pub(super) service: String,
    pub(super) vectors_per_second: f64,
    /// The part of its values that were present, since the start when there was none between the looks.
    pub(super) present: Option<f64>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Group {
    pub(super) group: String,
    pub(super) entities: f64,
    pub(super) bytes: f64,
    /// `None` when nothing came since the start.
    pub(super) freshness_seconds: Option<f64>,
}

/// A key that is read often.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Hot {
    pub(super) service: String,
    pub(super) key: String,
    pub(super) share: f64,
}

impl Sample {
    /// Of two looks at one server.
    pub(super) fn between(first: &Scrape, second: &Scrape) -> Self {
        let seconds = second.at_ns.saturating_sub(first.at_ns) as f64 / 1e9;
        let two = Two { first, second, seconds };
        let now = |name: &str| second.value(name, &[]).unwrap_or(0.0);
        let build = second.all("larder_build_info").first();
        let troubles = second.all("larder_trouble").iter().filter(|trouble| trouble.value > 0.0);
        let started = now("larder_start_time_seconds");
        let clock = stdx::clock::Clock::wall_ms(&stdx::clock::SystemClock::new()) as f64 / 1000.0;
        Self {
            version: build.map_or("", |build| build.label("version")).to_owned(),
            ready: now("larder_ready") > 0.0,
            troubles: troubles.map(|trouble| trouble.label("kind").to_owned()).collect(),
            seconds,
            uptime_seconds: (clock - started).max(0.0),
            operations: two.operations(),
            services: two.services(),
            groups: two.groups(),
            memory_bytes: now("larder_memory_bytes"),
            memory_max_bytes: second.value("larder_memory_max_bytes", &[]),
            connections: now("larder_connections"),
            in_flight: now("larder_requests_in_flight"),
            shed_per_second: two.rate("larder_requests_shed_total", &[]),
            expired_per_second: two.rate("larder_requests_expired_total", &[]),
            received_bytes_per_second: two.rate("larder_received_bytes_total", &[]),
            sent_bytes_per_second: two.rate("larder_sent_bytes_total", &[]),
            wal_bytes_per_second: two.rate("larder_wal_written_bytes_total", &[]),
            syncs_per_second: two.rate("larder_wal_fsync_duration_seconds_count", &[]),
            sync_p99_ms: two.quantile_ms("larder_wal_fsync_duration_seconds_bucket", &[], 0.99),
            checkpoint_age_seconds: now("larder_checkpoint_age_seconds"),
            hot_keys: hot_keys(second),
        }
    }
}

/// The two looks.
struct Two<'a> {
    first: &'a Scrape,
    second: &'a Scrape,
    seconds: f64,
}

impl Two<'_> {
    /// By how much a counter rose; all of it, when the server was started in between.
    fn rise(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let at = |scrape: &Scrape| scrape.value(name, labels).unwrap_or(0.0);
        let (before, after) = (at(self.first), at(self.second));
        if after >= before { after - before } else { after }
    }

    fn rate(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        if self.seconds > 0.0 { self.rise(name, labels) / self.seconds } else { 0.0 }
    }

    /// The quantile `q` of a histogram in seconds, in ms: interpolated in its bucket.
    fn quantile_ms(&self, bucket: &str, labels: &[(&str, &str)], q: f64) -> Option<f64> {
        let mut rises: Vec<(f64, f64)> = Vec::new();
        for sample in self.second.all(bucket) {
            let is_of = labels.iter().all(|(name, value)| sample.label(name) == *value);
            if let Ok(bound) = sample.label("le").replace("+Inf", "inf").parse()
                && is_of
            {
                let labels = [labels, &[("le", sample.label("le"))]].concat();
                rises.push((bound, self.rise(bucket, &labels)));
            }
        }
        rises.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted = rises.last().map(|(_, all)| all * q).filter(|wanted| *wanted > 0.0)?;
        let (mut below, mut count) = (0.0, 0.0);
        for (bound, up_to) in rises {
            if up_to >= wanted {
                let part = (wanted - count) / (up_to - count);
                let is_last = bound.is_infinite();
                return Some(1e3 * if is_last { below } else { below + part * (bound - below) });
            }
            (below, count) = (bound, up_to);
        }
        None
    }

    /// Those that were asked for since the start; the most frequent first.
    fn operations(&self) -> Vec<Operation> {
        const COUNT: &str = "larder_request_duration_seconds_count";
        const BUCKET: &str = "larder_request_duration_seconds_bucket";
        let asked = self.second.all(COUNT).iter().filter(|sample| sample.value > 0.0);
        let mut operations: Vec<Operation> = asked
            .map(|sample| {
                let name = sample.label("operation");
                let labels = [("operation", name)];
                let ok = [("operation", name), ("status", "ok")];
                let (all, ok) =
                    (self.rate(COUNT, &labels), self.rate("larder_requests_total", &ok));
                let quantile = |q| self.quantile_ms(BUCKET, &labels, q);
                Operation {
                    operation: name.to_owned(),
                    per_second: all,
                    failed_per_second: (all - ok).max(0.0),
                    p50_ms: quantile(0.5),
                    p99_ms: quantile(0.99),
                    p999_ms: quantile(0.999),
                }
            })
            .collect();
        operations.sort_by(|a, b| b.per_second.total_cmp(&a.per_second));
        operations
    }

    fn services(&self) -> Vec<Service> {
        const VALUES: &str = "larder_service_values_total";
        let known = self.second.all("larder_service_vectors_total").iter();
        let mut services: Vec<Service> = known
            .map(|sample| {
                let service = sample.label("service");
                let present = [("service", service), ("status", "present")];
                let whole = self.rise(VALUES, &present[..1]);
                let part = self.rise(VALUES, &present);
                let at = |labels| self.second.value(VALUES, labels).unwrap_or(0.0);
                let (part, whole) =
                    if whole > 0.0 { (part, whole) } else { (at(&present), at(&present[..1])) };
                Service {
                    service: service.to_owned(),
                    vectors_per_second: self.rate("larder_service_vectors_total", &present[..1]),
                    present: (whole > 0.0).then(|| part / whole),
                }
            })
            .collect();
        services.sort_by(|a, b| b.vectors_per_second.total_cmp(&a.vectors_per_second));
        services
    }

    /// The largest first.
    fn groups(&self) -> Vec<Group> {
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        for sample in self.second.all("larder_group_memory_bytes") {
            let (group, labels) = (sample.label("group"), [("group", sample.label("group"))]);
            let known = Group {
                group: group.to_owned(),
                entities: self.second.value("larder_group_entities", &labels).unwrap_or(0.0),
                bytes: sample.value,
                freshness_seconds: self.second.value("larder_group_freshness_seconds", &labels),
            };
            groups.insert(group, known);
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        groups.sort_by(|a, b| b.bytes.total_cmp(&a.bytes));
        groups
    }
}

fn hot_keys(scrape: &Scrape) -> Vec<Hot> {
    let of = |service: &super::scrape::HotService| {
        let name = service.service.clone();
        let hot = |key: &super::scrape::HotKey| Hot {
            service: name.clone(),
            key: key.key.clone(),
            share: key.share,
        };
        service.keys.iter().map(hot).collect::<Vec<_>>()
    };
    let mut hot: Vec<Hot> = scrape.hot.iter().flat_map(of).collect();
    hot.sort_by(|a, b| b.share.total_cmp(&a.share));
    hot.truncate(HOT_KEYS_MAX);
    hot
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A server that has answered so many reads, a tenth of them in 2 ms and the others in 20 µs.
    pub(crate) fn scrape(seconds: u64, reads: u64) -> Scrape {
        let quick = reads * 9 / 10;
        let text = format!(
            "larder_build_info{{version=\"0.1.0\"}} 1\nlarder_ready 1\n\
             larder_trouble{{kind=\"disk_full\"}} 1\nlarder_trouble{{kind=\"clock\"}} 0\n\
             larder_request_duration_seconds_bucket{{operation=\"read\",le=\"0.00001\"}} 0\n\
             larder_request_duration_seconds_bucket{{operation=\"read\",le=\"0.00002\"}} {quick}\n\
             larder_request_duration_seconds_bucket{{operation=\"read\",le=\"0.001\"}} {quick}\n\
             larder_request_duration_seconds_bucket{{operation=\"read\",le=\"0.002\"}} {reads}\n\
             larder_request_duration_seconds_bucket{{operation=\"read\",le=\"+Inf\"}} {reads}\n\
             larder_request_duration_seconds_count{{operation=\"read\"}} {reads}\n\
             larder_request_duration_seconds_count{{operation=\"apply\"}} 0\n\
             larder_requests_total{{operation=\"read\",status=\"ok\"}} {quick}\n\
             larder_service_vectors_total{{service=\"fraud\"}} {reads}\n\
             larder_service_values_total{{service=\"fraud\",status=\"present\"}} {reads}\n\
             larder_service_values_total{{service=\"fraud\",status=\"null\"}} {reads}\n\
             larder_group_memory_bytes{{group=\"profile\"}} 1000\nlarder_group_memory_bytes{{group=\"spend\"}} 2000000\n\
             larder_group_entities{{group=\"spend\"}} 12\nlarder_group_freshness_seconds{{group=\"spend\"}} 1.5\n\
             larder_memory_bytes 3000000\nlarder_connections 4\n"
        );
        let mut scrape = Scrape::read(&text);
        scrape.at_ns = seconds * 1_000_000_000;
        scrape.hot = serde_json::from_str(
            r#"[{"service":"fraud","keys":[{"key":"c1","share":0.25},{"key":"c2","share":0.5}]}]"#,
        )
        .expect("JSON");
        scrape
    }

    #[test]
    fn rates_and_quantiles_are_of_the_time_between_the_looks() {
        let sample = Sample::between(&scrape(10, 1_000), &scrape(12, 3_000));
        assert_eq!(sample.operations.len(), 1, "what nobody asked for is left out");
        let read = &sample.operations[0];
        assert_eq!((read.per_second, read.failed_per_second), (1000.0, 100.0));
        let close = |value: Option<f64>, expected: f64| {
            assert!(
                (value.expect("there were reads") - expected).abs() < 1e-9,
                "{value:?} {expected}"
            );
        };
        // 1800 of 2000 between 10 and 20 µs, 200 between 1 and 2 ms.
        close(read.p50_ms, 0.01 + 0.01 * 1000.0 / 1800.0);
        close(read.p99_ms, 1.0 + 180.0 / 200.0);
        close(read.p999_ms, 1.0 + 198.0 / 200.0);
        assert_eq!(sample.services[0].present, Some(0.5));
        assert_eq!(sample.troubles, ["disk_full"]);
        let groups: Vec<_> = sample.groups.iter().map(|group| group.group.as_str()).collect();
        assert_eq!(groups, ["spend", "profile"], "the largest first");
        assert_eq!(
            (sample.groups[0].freshness_seconds, sample.groups[1].freshness_seconds),
            (Some(1.5), None)
        );
        assert_eq!(sample.hot_keys[0].key, "c2");
    }

    #[test]
    fn a_server_that_was_started_in_between_counts_from_there() {
        let sample = Sample::between(&scrape(10, 5_000), &scrape(11, 100));
        assert_eq!(sample.operations[0].per_second, 100.0);
    }

    #[test]
    fn without_time_between_them_there_are_no_rates() {
        let one = scrape(1, 100);
        let sample = Sample::between(&one, &one);
        assert_eq!((sample.operations[0].per_second, sample.operations[0].p99_ms), (0.0, None));
    }
}
