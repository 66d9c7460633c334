//! One look at a server's metrics: `GET /metrics` and `GET /debug/hot-keys` on its admin port, read.

use std::collections::BTreeMap;

use serde::Deserialize;
use stdx::clock::{Clock, SystemClock};

use crate::{admin::AdminPort, error::CliError};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Scrape {
    /// When, on a clock that only goes on.
    pub(super) at_ns: u64,
    /// By name.
    samples: BTreeMap<String, Vec<Labelled>>,
    pub(super) hot: Vec<HotService>,
}

/// A value and what it is of.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Labelled {
    labels: Vec<(String, String)>,
    pub(super) value: f64,
}

/// What `/debug/hot-keys` says of a service.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct HotService {
    pub(super) service: String,
    pub(super) keys: Vec<HotKey>,
}

/// See [`HotService`].
#[derive(Debug, Clone, Deserialize)]
pub(super) struct HotKey {
    pub(super) key: String,
    pub(super) share: f64,
}

impl Scrape {
    /// Asks the admin port.
    ///
    /// # Errors
    /// When it cannot be reached, or answers something else.
    pub(super) fn of(port: &AdminPort, clock: &SystemClock) -> Result<Self, CliError> {
        let mut scrape = Self::read(&get(port, "/metrics")?);
        scrape.at_ns = clock.mono_ns();
        if scrape.samples.is_empty() {
            let message = format!(
                "{} answers without metrics: is it the admin port (--admin) of a Larder server?",
                port.addr()
            );
            return Err(CliError::failed(message));
        }
        #[derive(Deserialize)]
        struct Answer {
            services: Vec<HotService>,
        }
        // Keys are told on the server's own machine only; elsewhere everything else is drawn.
        let hot = get(port, "/debug/hot-keys").ok();
        let hot = hot.and_then(|answer| serde_json::from_str::<Answer>(&answer).ok());
        scrape.hot = hot.map_or_else(Vec::new, |answer| answer.services);
        Ok(scrape)
    }

    /// The samples of a text in Prometheus' format; lines that are none are left out.
    pub(super) fn read(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((sample, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse() else { continue };
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let labels = read_labels(labels);
            scrape.samples.entry(name.to_owned()).or_default().push(Labelled { labels, value });
        }
        scrape
    }

    /// All samples of this name.
    pub(super) fn all(&self, name: &str) -> &[Labelled] {
        self.samples.get(name).map_or(&[], Vec::as_slice)
    }

    /// The sample of this name with these labels; the sum, when there are several.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let found = || self.all(name).iter().filter(|sample| sample.has(labels));
        found().next()?;
        Some(found().map(|sample| sample.value).sum())
    }
}

impl Labelled {
    /// The value of a label; empty without it.
    pub(super) fn label(&self, name: &str) -> &str {
        let found = self.labels.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(name, value)| self.label(name) == *value)
    }
}

/// What stands behind the brace: `a="x",b="y"}`.
fn read_labels(mut rest: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    while let Some((name, after)) = rest.split_once("=\"") {
        let (mut value, mut is_escaped, mut end) = (String::new(), false, after.len());
        for (at, letter) in after.char_indices() {
            match (is_escaped, letter) {
                (false, '\\') => is_escaped = true,
                (false, '"') => {
                    end = at + 1;
                    break;
                }
                (true, 'n') => (value, is_escaped) = (value + "\n", false),
                (_, letter) => {
                    value.push(letter);
                    is_escaped = false;
                }
            }
        }
        labels.push((name.trim_start_matches(',').to_owned(), value));
        rest = after.get(end..).unwrap_or_default();
    }
    labels
}

/// What the admin port answers to `GET path`, when that is something.
fn get(port: &AdminPort, path: &str) -> Result<String, CliError> {
    let answer = port.get(path)?;
    if answer.status == 200 {
        return Ok(answer.text());
    }
    let (addr, status) = (port.addr(), answer.status);
    Err(CliError::failed(format!("the admin port {addr} answers {path} with {status}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_name_and_labels_whatever_their_values_hold() {
        let text = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\",y=\"b \\\"c\\\" \\\\ d,e=\\n\"} 3\n\
             a_total{x=\"2\",y=\"z\"} 4.5\nplain 7\nbroken\n";
        let scrape = Scrape::read(text);
        assert_eq!(scrape.value("a_total", &[("x", "2")]), Some(4.5));
        assert_eq!(scrape.value("a_total", &[]), Some(7.5), "the sum");
        assert_eq!(scrape.all("a_total")[0].label("y"), "b \"c\" \\ d,e=\n");
        assert_eq!((scrape.value("plain", &[]), scrape.value("broken", &[])), (Some(7.0), None));
    }
}
