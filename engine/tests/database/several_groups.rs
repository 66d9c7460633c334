//! Events of one request that feed several window groups: one that a later group refuses leaves nothing in an earlier one, and the
//! events around it are where they belong; also after a restart.

use engine::{Database, ReadOptions, RejectKind, WriteOptions};
use model::time::format_timestamp;
use storage::fs::SimFs;

use crate::harness::{Place, START, get, push};

const DEFINITIONS: &str = r#"
[entity.payer]
key = "string"
[entity.shop]
key = "string"
[stream.payments]
event_time = "at"
[stream.payments.fields]
payer = "string"
shop = "string"
cents = "i64"
at = "timestamp"
[group.paying]
entity = "payer"
stream = "payments"
key = "payer"
windows = ["1h"]
[group.paying.features]
paid = "sum(cents)"
[group.selling]
entity = "shop"
stream = "payments"
key = "shop"
windows = ["1h"]
[group.selling.features]
mills = "sum(cents * 10)"
"#;

/// What payers have paid and shops have sold, in the last hour.
fn check(database: &Database<SimFs>) {
    let of = |feature, key| get(database, &[feature], key, ReadOptions::default()).concat();
    for (payer, paid) in [("ada", "PARTIAL 3"), ("bea", "PARTIAL 4"), ("eve", "PARTIAL 0")] {
        assert_eq!(of("paying:paid_1h", payer), paid, "{payer}");
    }
    for (shop, mills) in [("kiosk", "PARTIAL 30"), ("mill", "PARTIAL 80"), ("void", "PARTIAL 0")] {
        assert_eq!(of("selling:mills_1h", shop), mills, "{shop}");
    }
}

#[test]
fn an_event_that_one_group_refuses_is_in_none() {
    let place = Place::new();
    let database = place.open();
    let applied = database.apply("shop.toml", DEFINITIONS, false).expect("valid definitions");
    applied.ticket.expect("something was applied").wait().expect("synced");
    let at = format_timestamp(START);
    // Ten times the second is no i64; the third has no payer, the fifth nobody at all.
    let huge = i64::MAX.to_string();
    let events: [&[&str]; 5] = [
        &["ada", "kiosk", "3", &at],
        &["eve", "void", &huge, &at],
        &["null", "mill", "4", &at],
        &["bea", "mill", "4", &at],
        &["null", "null", "9", &at],
    ];
    let written = push(&database, "payments", &events, &WriteOptions::default());
    assert_eq!((written.outcome.applied, written.outcome.rejected), (3, 2));
    let rejects: Vec<_> = written.rejects.iter().map(|one| (one.index, one.kind)).collect();
    assert_eq!(rejects, [(1, RejectKind::Rejected), (4, RejectKind::Rejected)]);
    let reason = &written.rejects[0].reason;
    assert!(reason.contains("group selling") && reason.contains("mills"), "{reason}");
    check(&database);
    drop(database);
    check(&place.open());
}
