//! What a row sees, computed from the list of all events without any cleverness, by the rules of `docs/semantics.md`.

use std::collections::HashMap;

use export::replay::{ReplayOptions, ReplayOrder};

use crate::generated::{History, Payment, Question, START};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// Length, hop.
const WINDOWS: [(i64, i64); 2] = [(5 * MINUTE, 15_000), (24 * HOUR, HOUR)];
const SALES: (i64, i64) = (HOUR, MINUTE);

#[test]
fn every_row_sees_what_it_could_know() {
    let history = History::new(5, 3_000, 400, 12);
    for order in [
        ReplayOrder::Event { delay_ms: 0 },
        ReplayOrder::Event { delay_ms: 90_000 },
        ReplayOrder::Arrival,
    ] {
        for exclusive in [false, true] {
            for observed_since in [None, Some(START + 30 * HOUR)] {
                let options = ReplayOptions {
                    order,
                    exclusive,
                    observed_since,
                    partition_bits: 3,
                    ..ReplayOptions::default()
                };
                check(&history, &options);
            }
        }
    }
}

fn check(history: &History, options: &ReplayOptions) {
    let (rows, incomplete, verdicts) = history.replayed(options.clone());
    let accepted = accepted(history, options.order);
    if options.order == ReplayOrder::Arrival {
        let expected: Vec<_> =
            history.payments.iter().enumerate().map(|(at, _)| accepted[at]).collect();
        let given: Vec<_> = verdicts.iter().map(|verdict| verdict == "accepted").collect();
        assert_eq!(given, expected);
    }
    for (place, question) in history.questions.iter().enumerate() {
        let seen: Vec<_> = history
            .payments
            .iter()
            .zip(&accepted)
            .filter(|(payment, accepted)| {
                **accepted && is_known(payment.ts, payment.arrival, question, options)
            })
            .map(|(payment, _)| payment)
            .collect();
        let (expected, is_incomplete) = expected(history, &accepted, &seen, question, options);
        assert_eq!(rows[place], expected, "{question:?} {options:?}");
        assert_eq!(incomplete[place], is_incomplete, "{question:?} {options:?}");
    }
}

/// Which payments count: of one id the first by time, or by arrival, within an hour; none that is older than any window.
fn accepted(history: &History, order: ReplayOrder) -> Vec<bool> {
    let mut accepted = vec![false; history.payments.len()];
    let mut places: Vec<_> = (0..history.payments.len()).collect();
    if order != ReplayOrder::Arrival {
        places.sort_by_key(|place| history.payments[*place].ts);
    }
    let (mut kept, mut newest) = (HashMap::new(), i64::MIN);
    for place in places {
        let payment = &history.payments[place];
        let late = newest.saturating_sub(MINUTE + 24 * HOUR);
        if order == ReplayOrder::Arrival
            && newest != i64::MIN
            && payment.ts < late.div_euclid(HOUR) * HOUR
        {
            continue;
        }
        let now = newest.max(payment.ts);
        if kept.get(&payment.id).is_some_and(|at: &i64| now - at < HOUR) {
            continue;
        }
        kept.insert(payment.id, now);
        newest = now;
        accepted[place] = true;
    }
    accepted
}

fn is_known(time: i64, arrival: i64, question: &Question, options: &ReplayOptions) -> bool {
    match options.order {
        ReplayOrder::Event { delay_ms } => time + delay_ms <= question.as_of,
        ReplayOrder::Arrival => arrival <= question.as_of,
    }
}

fn expected(
    history: &History,
    accepted: &[bool],
    seen: &[&Payment],
    question: &Question,
    options: &ReplayOptions,
) -> (Vec<String>, bool) {
    let x = question.as_of + i64::from(!options.exclusive);
    let start = |(length, hop): (i64, i64)| (x - length).div_euclid(hop) * hop;
    let is_early = |has_key: &dyn Fn(&Payment) -> bool, window| {
        let known = history.payments.iter().zip(accepted).filter(|(payment, accepted)| {
            let is_known =
                options.order != ReplayOrder::Arrival || payment.arrival <= question.as_of;
            **accepted && is_known && has_key(payment)
        });
        let earliest = known.map(|(payment, _)| payment.ts).min().unwrap_or(i64::MAX);
        start(window) < options.observed_since.unwrap_or(earliest)
    };
    let has_card = |payment: &Payment| payment.card.is_some();
    let mut incomplete = false;
    let mut status = |has_key: &dyn Fn(&Payment) -> bool, window| {
        let is_early = is_early(has_key, window);
        incomplete |= is_early;
        if is_early { "PARTIAL" } else { "PRESENT" }
    };
    let (mut out, mut total) = (Vec::new(), 0);
    let mut of_windows = Vec::new();
    for window in WINDOWS {
        let mut inside: Vec<_> = seen
            .iter()
            .filter(|payment| payment.card.as_deref() == Some(question.card.as_str()))
            .filter(|payment| (start(window)..x).contains(&payment.ts))
            .collect();
        inside.sort_by_key(|payment| (payment.ts, payment.id));
        total = inside.iter().map(|payment| payment.cents).sum();
        let status = status(&has_card, window);
        let last =
            inside.last().map_or("NULL".to_owned(), |last| format!("{status} {}", last.city));
        of_windows.push([
            format!("{status} {}", inside.len()),
            format!("{status} {}", decimal(total)),
            last,
        ]);
    }
    let is_partial = of_windows[1][0].starts_with("PARTIAL");
    // Feature by feature, window by window.
    for feature in 0..3 {
        out.extend(of_windows.iter().map(|window| window[feature].clone()));
    }
    let sold: i64 = seen
        .iter()
        .filter(|payment| (payment.chain, payment.city) == (question.chain, question.city))
        .filter(|payment| (start(SALES)..x).contains(&payment.ts))
        .map(|payment| payment.cents)
        .sum();
    out.push(format!("{} {}", status(&|_| true, SALES), decimal(sold)));
    let (limit, name) = profile(history, question, options);
    let left = limit.strip_prefix("PRESENT ").map(|limit| {
        let limit: i64 = limit.parse().expect("a number");
        let status = if is_partial { "PARTIAL" } else { "PRESENT" };
        format!("{status} {}", decimal(limit * 100 - total - question.cents))
    });
    out.extend([limit, name, left.unwrap_or("NULL".to_owned())]);
    (out, incomplete)
}

/// The newest of each feature that was known, if it is not too old.
fn profile(history: &History, question: &Question, options: &ReplayOptions) -> (String, String) {
    let newest = |value: &dyn Fn(&crate::generated::Profile) -> Option<String>| {
        let known = history.profiles.iter().filter(|profile| {
            profile.card == question.card
                && is_known(profile.time, profile.arrival, question, options)
        });
        let mut best: Option<(i64, String)> = None;
        for profile in known {
            if let Some(value) = value(profile)
                && best.as_ref().is_none_or(|best| best.0 <= profile.time)
            {
                best = Some((profile.time, value));
            }
        }
        match best {
            None => "NOT_FOUND".to_owned(),
            Some((time, _)) if time > question.as_of => "NOT_FOUND".to_owned(),
            Some((time, _)) if question.as_of - time > 12 * HOUR => "EXPIRED".to_owned(),
            Some((_, value)) => value,
        }
    };
    let limit = newest(&|profile| {
        profile
            .limit
            .map(|limit| limit.map_or("NULL".to_owned(), |limit| format!("PRESENT {limit}")))
    });
    let name = newest(&|profile| profile.name.as_ref().map(|name| format!("PRESENT {name}")));
    (limit, name)
}

fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}
