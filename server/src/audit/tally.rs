//! Writes of one connection, counted: a line says how many rows one peer put into one group in one second, not each request.
//!
//! Who writes counts under a lock that only the log's thread also takes, once a second.

use std::sync::Arc;

use model::limits::{AUDIT_DENIALS_TOLD_MAX, AUDIT_TALLIES_MAX};
use stdx::sync::Mutex;

use super::{
    DENIED,
    event::{End, Event, Who},
};

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Of {
    /// The operation.
    pub(crate) what: &'static str,
    /// `group` or `stream`.
    pub(crate) kind: &'static str,
    /// Its index under the definitions of now.
    pub(crate) index: usize,
}

#[derive(Debug)]
struct Count {
    of: Of,
    /// What it was for; empty when nothing was said.
    purpose: Box<str>,
    /// `group:card_profile`; empty for all that found no place.
    on: Vec<String>,
    requests: u64,
    rows: u64,
}

/// Purposes of one operation on one group or stream that are counted apart for one connection in one second.
const PURPOSES_TOLD_MAX: usize = 4;
/// The purpose under which those beyond are counted.
const OTHER_PURPOSES: &str = "(others)";

/// The counts of one connection.
#[derive(Debug)]
pub(crate) struct Tally(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    who: Who,
    /// What its hello said that reads are for; empty when it said nothing.
    purpose: Arc<str>,
    counts: Vec<Count>,
    /// Denials since the last time.
    denials: u64,
}

impl Tally {
    /// Of a connection with this peer.
    pub(crate) fn new(who: Who) -> Self {
        Self(Mutex::new(Inner { who, purpose: Arc::default(), counts: Vec::new(), denials: 0 }))
    }

    /// Who the peer is.
    pub(crate) fn who(&self) -> Who {
        self.0.lock().who.clone()
    }

    /// What its hello said that reads are for; empty when it said nothing.
    pub(crate) fn purpose(&self) -> Arc<str> {
        Arc::clone(&self.0.lock().purpose)
    }

    /// Its hello said what reads are for.
    pub(crate) fn set_purpose(&self, purpose: &str) {
        self.0.lock().purpose = purpose.into();
    }

    /// The peer said who it is: what was counted so far it did before.
    pub(crate) fn set_subject(&self, subject: Option<&str>, now_ms: i64) -> Vec<Event> {
        let mut inner = self.0.lock();
        if inner.who.subject.as_deref() == subject {
            return Vec::new();
        }
        let events = inner.take(now_ms);
        inner.who.subject = subject.map(Into::into);
        events
    }

    /// Something was denied. Whether that is told by itself: whoever is denied over and over fills no disk.
    pub(crate) fn tells_denial(&self) -> bool {
        let mut inner = self.0.lock();
        inner.denials += 1;
        inner.denials <= AUDIT_DENIALS_TOLD_MAX
    }

    /// One more request with so many rows, for `purpose`; `name` is asked once a second.
    pub(crate) fn count(
        &self,
        (of, purpose): (Of, &str),
        rows: u64,
        name: impl FnOnce() -> Option<String>,
    ) {
        let mut inner = self.0.lock();
        let counts = &mut inner.counts;
        // Purposes are whatever their sender says: many of them are not to take the room of what was read.
        let mut said = counts.iter().filter(|count| count.of == of).map(|count| &*count.purpose);
        let is_told = said.clone().count() < PURPOSES_TOLD_MAX || said.any(|said| said == purpose);
        let purpose = if is_told { purpose } else { OTHER_PURPOSES };
        let is_same = |count: &Count| count.of == of && *count.purpose == *purpose;
        let place = counts.iter().position(is_same);
        let place = place.unwrap_or_else(|| {
            if counts.len() == AUDIT_TALLIES_MAX {
                // The last one holds the rest.
                return AUDIT_TALLIES_MAX;
            }
            let is_rest = counts.len() + 1 == AUDIT_TALLIES_MAX;
            let of = if is_rest { Of { what: "others", ..of } } else { of };
            let on = name().filter(|_| !is_rest).into_iter().collect();
            let purpose = if is_rest { "" } else { purpose }.into();
            counts.push(Count { of, purpose, on, requests: 0, rows: 0 });
            counts.len() - 1
        });
        let last = counts.len().saturating_sub(1);
        if let Some(count) = counts.get_mut(place.min(last)) {
            count.requests += 1;
            count.rows += rows;
        }
    }

    /// Nothing was counted since the last time.
    pub(super) fn is_empty(&self) -> bool {
        let inner = self.0.lock();
        inner.counts.is_empty() && inner.denials == 0
    }

    /// What was counted since the last time, as events.
    pub(crate) fn take(&self, now_ms: i64) -> Vec<Event> {
        self.0.lock().take(now_ms)
    }
}

impl Inner {
    fn take(&mut self, now_ms: i64) -> Vec<Event> {
        let event = |count: Count| {
            Event::new(now_ms, count.of.what)
                .by(Some(self.who.clone()))
                .on(count.on)
                .purpose(&count.purpose)
                .with("requests", count.requests)
                .with("rows", count.rows)
                .ended(End::Ok)
        };
        let mut events: Vec<_> = self.counts.drain(..).map(event).collect();
        let more = std::mem::take(&mut self.denials).saturating_sub(AUDIT_DENIALS_TOLD_MAX);
        if more > 0 {
            let who = Some(self.who.clone());
            events.push(Event::new(now_ms, DENIED).by(who).with("requests", more));
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    fn told(tally: &Tally) -> Vec<String> {
        let text = |event: Event| {
            let mut line = Map::new();
            event.write(&mut line);
            Value::Object(line).to_string()
        };
        tally.take(0).into_iter().map(text).collect()
    }

    fn put(index: usize) -> Of {
        Of { what: "put", kind: "group", index }
    }

    #[test]
    fn a_second_of_writes_is_one_line_for_each_group() {
        let tally = Tally::new(Who { subject: None, peer: "here".into() });
        for rows in 1..=100 {
            tally.count((put(0), ""), rows, || Some("group:a".to_owned()));
            tally.count((put(1), ""), 1, || Some("group:b".to_owned()));
        }
        let line = |group, rows| {
            format!(
                r#"{{"event":"put","peer":"here","on":["{group}"],"requests":100,"rows":{rows},"outcome":"ok"}}"#
            )
        };
        assert_eq!(told(&tally), [line("group:a", 5050), line("group:b", 100)]);
        assert_eq!(told(&tally), [""; 0], "they are told once");
    }

    #[test]
    fn what_rows_were_scanned_for_is_told_apart() {
        let tally = Tally::new(Who { subject: None, peer: "here".into() });
        let scan = Of { what: "scan", kind: "group", index: 0 };
        for purpose in ["support", "", "support", "audit"] {
            tally.count((scan, purpose), 10, || Some("group:a".to_owned()));
        }
        let line = |purpose, requests| {
            format!(
                r#"{{"event":"scan","peer":"here","on":["group:a"],{purpose}"requests":{requests},"rows":{}0,"outcome":"ok"}}"#,
                requests
            )
        };
        let purposes = [r#""purpose":"support","#, "", r#""purpose":"audit","#];
        assert_eq!(
            told(&tally),
            [line(purposes[0], 2), line(purposes[1], 1), line(purposes[2], 1)]
        );
    }

    #[test]
    fn no_connection_takes_more_than_its_room_and_no_row_is_lost() {
        let tally = Tally::new(Who { subject: None, peer: "here".into() });
        for group in 0..1000 {
            tally.count((put(group), ""), 2, || Some(format!("group:{group}")));
        }
        let lines = told(&tally);
        assert_eq!(lines.len(), AUDIT_TALLIES_MAX);
        let rest = 1000 - (AUDIT_TALLIES_MAX - 1);
        let last = lines.last().expect("the rest");
        assert_eq!(
            *last,
            format!(
                r#"{{"event":"others","peer":"here","requests":{rest},"rows":{},"outcome":"ok"}}"#,
                rest * 2
            )
        );
    }

    /// What broke: with a purpose invented for each of 31 rows of one group, what was read next in the same second had no name.
    #[test]
    fn invented_purposes_hide_nothing_that_is_read_beside_them() {
        let tally = Tally::new(Who { subject: None, peer: "here".into() });
        let scan = |index| Of { what: "scan", kind: "group", index };
        for number in 0..100 {
            tally.count((scan(0), &format!("p{number}")), 1, || Some("group:a".to_owned()));
        }
        tally.count((scan(1), "p7"), 1, || Some("group:b".to_owned()));
        let lines = told(&tally);
        assert_eq!(lines.len(), PURPOSES_TOLD_MAX + 2, "{lines:?}");
        let others = r#""on":["group:a"],"purpose":"(others)","requests":96,"rows":96"#;
        assert!(lines.iter().any(|line| line.contains(others)), "{lines:?}");
        assert!(
            lines.iter().any(|line| line.contains(r#""on":["group:b"],"purpose":"p7""#)),
            "{lines:?}"
        );
    }

    #[test]
    fn denials_over_and_over_are_counted() {
        let tally = Tally::new(Who { subject: None, peer: "here".into() });
        let told = (0..1000).filter(|_| tally.tells_denial()).count() as u64;
        assert_eq!(told, AUDIT_DENIALS_TOLD_MAX);
        let more = 1000 - AUDIT_DENIALS_TOLD_MAX;
        assert_eq!(
            self::told(&tally),
            [format!(r#"{{"event":"denied","peer":"here","requests":{more}}}"#)]
        );
        assert!(tally.tells_denial() && tally.take(0).is_empty());
    }

    #[test]
    fn what_was_done_before_a_peer_said_who_it_is_is_not_its_subjects() {
        let tally = Tally::new(Who { subject: None, peer: "here".into() });
        tally.count((put(0), ""), 1, || None);
        let before = tally.set_subject(Some("loader"), 0);
        assert_eq!(before.len(), 1);
        assert!(tally.set_subject(Some("loader"), 0).is_empty());
        tally.count((put(0), ""), 1, || None);
        assert!(told(&tally)[0].contains("\"subject\":\"loader\""));
    }
}
