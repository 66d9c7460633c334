//! What a new version of the definitions may change, and what is refused with a way out.

use model::definition::{Definitions, GroupKind, Plan, Verb};

const BASE: &str = r#"
[entity.card]
key = "string"
[entity.shop]
key = "string"
[stream.payments]
event_time = "ts"
event_id = "id"
dedup = "1h"
fields = { id = "string", card = "string", amount = "decimal(2)", ts = "timestamp", ts2 = "timestamp" }
[stream.refunds]
event_time = "ts"
fields = { card = "string", amount = "decimal(2)", ts = "timestamp" }
[group.profile]
entity = "card"
max_age = "30d"
features = { country = "string", limit = "f64" }
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["1h", "24h"]
features = { n = "count(*)", sum = "sum(amount)" }
[service.model]
features = ["profile:country", "spend:*"]
derived = { ratio = "sum_1h / nullif(sum_24h, 0)" }
"#;

fn base() -> Definitions {
    Definitions::parse("base.toml", BASE, &Definitions::default()).expect("right")
}

/// Applies `added` to the base: the plan's lines, and the definitions it leads to.
fn plan(added: &str) -> (Plan, Definitions) {
    let old = base();
    let new = Definitions::parse("f.toml", added, &old)
        .unwrap_or_else(|error| panic!("{added}\n{error}"));
    (Plan::between(&old, &new), new)
}

fn check(added: &str, expected: &str) {
    let (plan, _) = plan(added);
    assert_eq!(plan.to_string().trim_end(), expected, "{added}");
    assert_eq!(plan.is_refused(), expected.contains("refuse "), "{added}");
}

#[test]
fn a_first_file_adds_everything() {
    let plan = Plan::between(&Definitions::default(), &base());
    assert_eq!(plan.changes.len(), 7);
    assert!(plan.changes.iter().all(|change| change.verb == Verb::Add));
    assert!(!plan.is_empty() && !plan.is_refused());
}

#[test]
fn the_same_file_and_an_empty_file_change_nothing() {
    check(BASE, "nothing to change");
    check("", "nothing to change");
    assert_eq!(plan(BASE).1, base());
}

#[test]
fn what_can_change() {
    for (added, expected) in [
        ("[entity.card]\nkey = \"string\"\nowner = \"risk\"", "change entity  card: metadata"),
        ("[entity.bank]\nkey = \"i64\"", "add    entity  bank"),
        (
            "[group.profile]\nentity = \"card\"\nmax_age = \"1d\"\nfeatures = { country = \"string\", limit = \"f64\" }",
            "change group   profile: max_age",
        ),
        (
            "[group.profile]\nentity = \"card\"\nmax_age = \"30d\"\nfeatures = { age = \"i64\", country = \"string\", limit = \"f64\" }",
            "change group   profile: new feature age i64",
        ),
        (
            "[stream.refunds]\nevent_time = \"ts\"\nmax_skew = \"9s\"\nfields = { why = \"string\", card = \"string\", amount = \"decimal(2)\", ts = \"timestamp\" }",
            "change stream  refunds: new field why string; max_skew",
        ),
        (
            "[service.model]\nfeatures = [\"spend:*\", \"profile:limit\"]",
            "change service model: features; derived",
        ),
        (
            "[group.spend]\nentity = \"card\"\nstream = \"payments\"\nkey = \"card\"\nwindows = [\"24h\", \"1h\"]\nfeatures = { n = \"COUNT(*)\", sum = \"sum( amount )\" }",
            "change group   spend: features are written differently",
        ),
    ] {
        check(added, expected);
    }
}

#[test]
fn logging_reads_begins_changes_and_ends() {
    let service = |log: &str| format!("[service.other]\nfeatures = [\"spend:*\"]\n{log}");
    let (_, old) = plan(&service("log_reads = 0.001"));
    let described = model::definition::describe(&old, Some("other")).expect("it is there");
    let properties = described.iter().flat_map(|section| &section.properties);
    let shown: Vec<_> = properties.filter(|(name, _)| name == "log_reads").collect();
    let expected = "0.001 of all vectors, at most 1GiB kept";
    assert_eq!(shown, [&("log_reads".to_owned(), expected.to_owned())]);
    for (log, expected) in [
        ("log_reads = 0.001", "nothing to change\n"),
        ("log_reads = 0", "change service other: log_reads ends\n"),
        ("", "change service other: log_reads ends\n"),
        (
            "log_reads = { rate = 1, age = \"30d\" }",
            "change service other: log_reads (1 of all vectors, kept for 30d)\n",
        ),
    ] {
        let new = Definitions::parse("f.toml", &service(log), &old).expect("right");
        assert_eq!(Plan::between(&old, &new).to_string(), expected);
    }
    let (_, without) = plan(&service(""));
    let new = Definitions::parse("f.toml", &service("log_reads = 1"), &without).expect("right");
    let expected = "change service other: log_reads (1 of all vectors, at most 1GiB kept)\n";
    assert_eq!(Plan::between(&without, &new).to_string(), expected);
}

#[test]
fn history_begins_changes_and_ends() {
    let stream = |history: &str| {
        let fields = "{ card = \"string\", amount = \"decimal(2)\", ts = \"timestamp\" }";
        format!("[stream.refunds]\nevent_time = \"ts\"\n{history}\nfields = {fields}\n")
    };
    let limited = stream("history = { age = \"400d\", size = \"50GiB\" }");
    check(&stream("history = false"), "nothing to change");
    check(&stream("history = true"), "change stream  refunds: history begins (kept for ever)");
    check(&limited, "change stream  refunds: history begins (kept for 400d, at most 50GiB)");
    let (_, old) = plan(&limited);
    for (added, expected) in [
        ("history = { age = \"30d\" }", "change stream  refunds: history (kept for 30d)\n"),
        ("", "change stream  refunds: history ends\n"),
    ] {
        let new = Definitions::parse("f.toml", &stream(added), &old).expect("right");
        assert_eq!(Plan::between(&old, &new).to_string(), expected);
    }
    let group = "[group.profile]\nentity = \"card\"\nmax_age = \"30d\"\nhistory = true\n\
                 features = { country = \"string\", limit = \"f64\" }";
    check(group, "change group   profile: history begins (kept for ever)");
    let described = model::definition::describe(&old, Some("refunds")).expect("it is there");
    let properties = described.iter().flat_map(|section| &section.properties);
    let history: Vec<_> = properties.filter(|(name, _)| name == "history").collect();
    assert_eq!(history, [&("history".to_owned(), "kept for 400d, at most 50GiB".to_owned())]);
}

#[test]
fn rows_and_streams_that_cannot_change() {
    for (added, expected) in [
        (
            "[entity.card]\nkey = \"i64\"",
            "refuse entity  card: the key of an entity cannot change: rows are stored under it; define a new entity",
        ),
        (
            "[group.profile]\nentity = \"card\"\nfeatures = { country = \"string\" }",
            "refuse group   profile: feature limit cannot be removed; keep it in the file, or define a new group",
        ),
        (
            "[group.profile]\nentity = \"card\"\nfeatures = { country = \"string\", limit = \"i64\" }",
            "refuse group   profile: the type of feature limit cannot change from f64 to i64; add one of another name, or \
             define a new group",
        ),
        (
            "[group.profile]\nentity = \"shop\"\nmax_age = \"30d\"\nfeatures = { country = \"string\", limit = \"f64\" }",
            "refuse group   profile: the entity of a group cannot change: its values are stored under that entity's keys; \
             define a new group",
        ),
        (
            "[stream.refunds]\nevent_time = \"ts\"\nfields = { card = \"string\", ts = \"timestamp\" }",
            "refuse stream  refunds: field amount cannot be removed; keep it in the file, or define a new stream",
        ),
        (
            "[stream.refunds]\nevent_time = \"ts\"\nclock = \"event\"\nfields = { card = \"string\", amount = \"decimal(2)\", ts = \"timestamp\" }",
            "refuse stream  refunds: clock of a stream cannot change: windows were filled by it; define a new stream",
        ),
        (
            "[stream.payments]\nevent_time = \"ts\"\nevent_id = \"id\"\ndedup = \"1h\"\nretract = true\nfields = { id = \"string\", card = \"string\", amount = \"decimal(2)\", ts = \"timestamp\", ts2 = \"timestamp\" }",
            "refuse stream  payments: retract of a stream cannot change: windows were filled by it; define a new stream",
        ),
        (
            "[stream.refunds]\nevent_time = \"ts\"\nhorizon = \"1h\"\nevent_id = \"card\"\nfields = { card = \"string\", amount = \"decimal(2)\", ts = \"timestamp\" }",
            "refuse stream  refunds: event_id of a stream cannot change: windows were filled by it; define a new stream; \
             horizon of a stream cannot change: windows were filled by it; define a new stream",
        ),
    ] {
        check(added, expected);
    }
}

#[test]
fn window_groups_cannot_change() {
    let group = |stream: &str, windows: &str, features: &str| {
        format!(
            "[group.spend]\nentity = \"card\"\nstream = \"{stream}\"\nkey = \"card\"\nwindows = {windows}\nfeatures = {{ {features} }}"
        )
    };
    let same = "n = \"count(*)\", sum = \"sum(amount)\"";
    let both = "[\"1h\", \"24h\"]";
    for (added, what) in [
        (group("payments", "[\"1h\"]", same), "windows"),
        (group("payments", "[\"1h\", \"24h\", \"7d\"]", same), "windows"),
        (group("payments", "[\"1h\", \"1d\"]", same), "windows"),
        (group("payments", "[\"1h\", \"24h\"]\nhops = [\"1s\", \"1h\"]", same), "hops"),
        (group("payments", both, "n = \"count(*)\""), "features"),
        (group("payments", both, "n = \"count(*)\", sum = \"max(amount)\""), "features"),
    ] {
        check(
            &added,
            &format!(
                "refuse group   spend: {what} of a window group cannot change: its state cannot be recomputed; define a new \
                 group"
            ),
        );
    }
    let (plan, _) = plan(&group("refunds", both, same));
    assert!(plan.to_string().contains("spend: stream of a window group cannot change"), "{plan}");
}

#[test]
fn a_name_cannot_change_its_kind() {
    let remedy = "a row group cannot become a window group, nor the reverse; define a new group";
    check(
        "[group.spend]\nentity = \"card\"\nfeatures = { a = \"i64\" }",
        &format!("refuse group   spend: {remedy}"),
    );
    check(
        "[group.profile]\nentity = \"card\"\nstream = \"payments\"\nkey = \"card\"\nwindows = [\"1h\"]\nfeatures = { n = \"count(*)\" }",
        &format!("refuse group   profile: {remedy}"),
    );
}

#[test]
fn indexes_stay_when_a_file_reorders() {
    let (_, new) = plan(
        "[stream.payments]\nevent_time = \"ts\"\nevent_id = \"id\"\nfields = { zip = \"string\", ts2 = \"timestamp\", ts = \"timestamp\", amount = \"decimal(2)\", card = \"string\", id = \"string\" }\n\
         [group.profile]\nentity = \"card\"\nfeatures = { zip = \"string\", limit = \"f64\", country = \"string\" }\n\
         [group.early]\nentity = \"card\"\nfeatures = { a = \"i64\" }",
    );
    let names = |fields: &[model::definition::Field]| -> Vec<String> {
        fields.iter().map(|field| field.name.to_string()).collect()
    };
    assert_eq!(names(&new.streams[0].fields), ["id", "card", "amount", "ts", "ts2", "zip"]);
    assert_eq!((new.streams[0].event_time, new.streams[0].event_id), (3, Some(0)));
    let groups: Vec<_> = new.groups.iter().map(|group| group.name.to_string()).collect();
    assert_eq!(groups, ["profile", "spend", "early"]);
    let GroupKind::Rows(rows) = &new.groups[0].kind else { panic!("rows") };
    assert_eq!(names(&rows.features), ["country", "limit", "zip"]);
}

#[test]
fn a_file_can_build_on_what_is_defined() {
    let (plan, new) = plan(
        "[group.refunded]\nentity = \"card\"\nstream = \"refunds\"\nkey = \"card\"\nwindows = [\"7d\"]\nfeatures = { n = \"count(*)\" }\n\
         [service.second]\nfeatures = [\"refunded:*\", \"spend:n_1h\"]",
    );
    assert_eq!(plan.to_string(), "add    group   refunded\nadd    service second\n");
    let (_, second) = new.service("second").expect("added");
    let names: Vec<_> = second.features.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["n_7d", "n_1h"]);
}
