//! Wrong definitions files: every message names file, line and key, and says what is allowed.

use model::definition::Definitions;

/// A file that is right, 23 lines long; the cases below add to it.
const GOOD: &str = r#"[entity.card]
key = "string"
[entity.account]
key = ["string", "i64"]
[stream.payments]
event_time = "ts"
event_id = "id"
[stream.payments.fields]
id = "string"
card = "string"
bank = "i64"
amount = "decimal(2)"
rate = "f64"
ok = "bool"
ts = "timestamp"
[group.profile]
entity = "card"
[group.profile.features]
country = "string"
vector = "f32[4]"
limit = "f64"
[group.empty_line]
entity = "card"
features = { a = "i64" }
"#;

fn errors(added: &str) -> String {
    let text = format!("{GOOD}{added}");
    Definitions::parse("f.toml", &text, &Definitions::default()).expect_err(added).to_string()
}

/// Each case: what is added from line 25 on, and one whole line of the answer.
fn check(cases: &[(&str, &str)]) {
    for (added, expected) in cases {
        let message = errors(added);
        assert!(
            message.lines().any(|line| line == *expected),
            "\n--- added:\n{added}\n--- expected:\n{expected}\n--- got:\n{message}\n"
        );
    }
}

#[test]
fn the_base_of_all_cases_is_right() {
    assert_eq!(Definitions::parse("f.toml", GOOD, &Definitions::default()).map(drop), Ok(()));
}

#[test]
fn keys_and_names() {
    check(&[
        (
            "[groups.x]\n",
            "f.toml:25: groups: unknown key (did you mean group?); allowed are entity, stream, group, service",
        ),
        (
            "[entity.x]\nkeys = \"i64\"\n",
            "f.toml:26: entity.x.keys: unknown key (did you mean key?); allowed are key, description, owner, tags",
        ),
        (
            "[entity.X]\nkey = \"i64\"\n",
            "f.toml:25: entity.X: name \"X\": a name has 1 to 128 characters of a-z, 0-9 and _, and starts with a letter or _",
        ),
        (
            "[entity.x]\n",
            "f.toml:25: entity.x: key is missing: \"string\", \"i64\", \"bytes\", or an array of them for a composite key",
        ),
        (
            "[entity.x]\nkey = \"str\"\n",
            "f.toml:26: entity.x.key: key type \"str\": one of string, i64, bytes",
        ),
        ("[entity.x]\nkey = []\n", "f.toml:26: entity.x.key: a key has 1 to 8 parts, got 0"),
        (
            "[entity.x]\nkey = 5\n",
            "f.toml:26: entity.x.key: expected \"string\", \"i64\", \"bytes\", or an array of them for a composite key, \
             got the number 5",
        ),
        (
            "[entity.x]\nkey = \"i64\"\ntags = \"a\"\n",
            "f.toml:27: entity.x.tags: expected an array of strings, got the string \"a\"",
        ),
        ("entity = 5\n", "f.toml:25: TOML: duplicate key at `entity`"),
    ]);
}

#[test]
fn toml_itself() {
    let message = errors("[group.x\nentity = \"card\"\n");
    assert!(message.starts_with("f.toml:25: TOML: "), "{message}");
}

#[test]
fn row_groups() {
    check(&[
        (
            "[group.g]\nentity = \"card\"\n[group.g.features]\ncountry = \"str\"\n",
            "f.toml:28: group.g.features.country: type \"str\" is not one of bool, i64, f32, f64, string, bytes, timestamp, \
             decimal(0..18), f32[1..8192]",
        ),
        (
            "[group.g]\nentity = \"cart\"\nfeatures = { a = \"i64\" }\n",
            "f.toml:26: group.g.entity: no entity is called \"cart\" (did you mean card?); defined are: card, account",
        ),
        (
            "[group.g]\nfeatures = { a = \"i64\" }\n",
            "f.toml:25: group.g: entity is missing: the name of an entity",
        ),
        (
            "[group.g]\nentity = \"card\"\nmax_age = \"5 days\"\nfeatures = { a = \"i64\" }\n",
            "f.toml:27: group.g.max_age: duration \"5 days\": a whole number and ms, s, m, h or d, from 1ms to 36600d",
        ),
        (
            "[group.g]\nentity = \"card\"\nfeatures = {}\n",
            "f.toml:25: group.g: features is empty; a group has at least one",
        ),
        (
            "[group.g]\nentity = \"card\"\nhops = [\"1s\"]\nfeatures = { a = \"i64\" }\n",
            "f.toml:27: group.g.hops: only a window group has it, which also has stream and windows",
        ),
    ]);
}

#[test]
fn logs_of_reads() {
    let service =
        |log: &str| format!("[service.s]\nfeatures = [\"profile:*\"]\nlog_reads = {log}\n");
    let wanted = "expected a part from 0 to 1, such as 0.001 for one vector of a thousand, \
                  or a table such as { rate = 0.001, age = \"30d\", size = \"1GiB\" }";
    for (log, path, got) in [
        ("1.5", "log_reads", "1.5"),
        ("-1", "log_reads", "-1"),
        ("nan", "log_reads", "NaN"),
        ("true", "log_reads", "true"),
        ("{ rate = 2 }", "log_reads.rate", "2"),
    ] {
        check(&[(&service(log), &format!("f.toml:27: service.s.{path}: {wanted}, got {got}"))]);
    }
    check(&[
        (
            &service("{ age = \"1d\" }"),
            "f.toml:27: service.s.log_reads: rate is missing: the part of the vectors kept",
        ),
        (
            &service("{ rate = 1, days = 3 }"),
            "f.toml:27: service.s.log_reads.days: unknown key; allowed are rate, age, size",
        ),
    ]);
}

#[test]
fn histories() {
    let group = |history: &str| {
        format!("[group.g]\nentity = \"card\"\nhistory = {history}\nfeatures = {{ a = \"i64\" }}\n")
    };
    check(&[
        (
            &group("\"yes\""),
            "f.toml:27: group.g.history: expected true, false or a table such as { age = \"400d\", size = \"50GiB\" }, \
             got the string \"yes\"",
        ),
        (
            &group("{ days = 3 }"),
            "f.toml:27: group.g.history.days: unknown key; allowed are age, size",
        ),
        (
            &group("{ size = \"1KiB\" }"),
            "f.toml:27: group.g.history.size: 1024 bytes are too little: give 1MiB or more",
        ),
        (
            "[group.w]\nentity = \"card\"\nstream = \"payments\"\nkey = \"card\"\nwindows = [\"1h\"]\nhistory = true\n\
             features = { n = \"count(*)\" }\n",
            "f.toml:30: group.w.history: its stream has it: what a window group holds comes from its events",
        ),
    ]);
    assert!(errors(&group("{ age = \"4 years\" }")).contains("group.g.history.age: duration"));
}

#[test]
fn streams() {
    check(&[
        (
            "[stream.s]\nevent_time = \"t\"\nfields = { t = \"timestamp\", v = \"f32[3]\" }\n",
            "f.toml:27: stream.s.fields.v: a stream has no vectors; allowed are bool, i64, f32, f64, string, bytes, \
             timestamp, decimal(0..18). Put vectors into a row group",
        ),
        (
            "[stream.s]\nfields = { t = \"timestamp\" }\n",
            "f.toml:25: stream.s: event_time is missing: the timestamp field that says when an event happened",
        ),
        (
            "[stream.s]\nevent_time = \"t\"\nfields = { t = \"i64\" }\n",
            "f.toml:26: stream.s.event_time: field t is i64; it must be timestamp",
        ),
        (
            "[stream.s]\nevent_time = \"tt\"\nfields = { t = \"timestamp\" }\n",
            "f.toml:26: stream.s.event_time: no field is called \"tt\" (did you mean t?); fields are: t",
        ),
        (
            "[stream.s]\nevent_time = \"t\"\nevent_id = \"x\"\nfields = { t = \"timestamp\", x = \"f64\" }\n",
            "f.toml:27: stream.s.event_id: field x is f64; it must be string, i64 or bytes",
        ),
        (
            "[stream.s]\nevent_time = \"t\"\nclock = \"server\"\nfields = { t = \"timestamp\" }\n",
            "f.toml:27: stream.s.clock: \"server\" is not \"wall\" (the server's clock) or \"event\" (the largest event \
             time so far)",
        ),
        (
            "[stream.s]\nevent_time = \"t\"\nclock = \"event\"\nmax_skew = \"1s\"\nfields = { t = \"timestamp\" }\n",
            "f.toml:28: stream.s.max_skew: only with clock = \"wall\": an event clock is never behind",
        ),
        (
            "[stream.s]\nevent_time = \"t\"\ndedup = \"1h\"\nfields = { t = \"timestamp\" }\n",
            "f.toml:27: stream.s.dedup: needs event_id, the field by which duplicates are known",
        ),
        (
            "[stream.s]\nevent_time = \"t\"\nretract = true\nfields = { t = \"timestamp\" }\n",
            "f.toml:27: stream.s.retract: needs event_id, the field by which an event to retract is known",
        ),
        (
            "[stream.s]\nevent_time = \"t\"\nretract = \"1h\"\nfields = { t = \"timestamp\" }\n",
            "f.toml:27: stream.s.retract: expected true or false, got the string \"1h\"",
        ),
    ]);
}

/// A window group from line 25 on; `features` are on line 29.
fn window_group(key: &str, windows: &str, features: &str) -> String {
    format!(
        "[group.g]\nentity = \"card\"\nstream = \"payments\"\nkey = {key}\nfeatures = {{ {features} }}\nwindows = {windows}\n"
    )
}

#[test]
fn window_groups() {
    let count = "n = \"count(*)\"";
    let cases = [
        (
            window_group("\"amount\"", "[\"1h\"]", count),
            "f.toml:28: group.g.key: field amount is decimal(2), but the key of entity card is string; they must be the same",
        ),
        (
            window_group("[\"card\", \"bank\"]", "[\"1h\"]", count),
            "f.toml:28: group.g.key: 2 fields, but entity card has 1 key parts (string)",
        ),
        (
            window_group("\"kard\"", "[\"1h\"]", count),
            "f.toml:28: group.g.key: no field is called \"kard\" (did you mean card?); fields are: id, card, bank, amount, rate, ok, ts",
        ),
        (
            window_group("\"card\"", "[]", count),
            "f.toml:30: group.g.windows: 0 windows; allowed are 1 to 16",
        ),
        (
            window_group("\"card\"", "[\"500ms\"]", count),
            "f.toml:30: group.g.windows: window \"500ms\": at least 1s long",
        ),
        (
            window_group("\"card\"", "[\"24h\", \"1d\"]", count),
            "f.toml:30: group.g.windows: window 1d is the same as 24h; list each once",
        ),
        (
            window_group("\"card\"", "[\"1h\"]\nhops = [\"1s\", \"1m\"]", count),
            "f.toml:31: group.g.hops: 2 hops for 1 windows; give one for each",
        ),
        (
            window_group("\"card\"", "[\"1h\"]\nhops = [\"2h\"]", count),
            "f.toml:31: group.g.hops: a hop is longer than its window; it must not be",
        ),
        (
            window_group("\"card\"", "[\"1h\", \"2h\"]\nhops = [\"2m\", \"5m\"]", count),
            "f.toml:31: group.g.hops: the larger hop is no multiple of the smaller; it must be",
        ),
        (
            window_group(
                "\"card\"",
                "[\"1h\", \"2h\", \"3h\"]\nhops = [\"1m\", \"2m\", \"4m\"]",
                count,
            ),
            "f.toml:31: group.g.hops: 3 different hops; a group has at most two",
        ),
        (
            window_group("\"card\"", "[\"1h\"]\nmax_age = \"1d\"", count),
            "f.toml:31: group.g.max_age: only a row group has it: a window is never older than now",
        ),
        (
            window_group("\"card\"", "[\"1h\"]\nhop = [\"1m\"]", count),
            "f.toml:31: group.g.hop: unknown key (did you mean hops?); allowed are entity, stream, key, windows, hops, features, feature_tags, description, owner, tags",
        ),
    ];
    check(&cases.each_ref().map(|(added, expected)| (added.as_str(), *expected)));
}

#[test]
fn aggregates() {
    let list = "count, sum, avg, min, max, variance, variance_pop, stddev, stddev_pop, first, last, lag, last_n, time_since_last, rate, approx_distinct, approx_quantile, top_k, ema, cusum, cusum_high, cusum_low";
    let one = format!(
        "a feature of a window group is one aggregate, optionally with filter (where …) and by …: count(*) or f(x) with f one of {list}"
    );
    for (text, expected) in [
        ("sum(card)", "1:1: sum needs a number, got a string".to_owned()),
        ("sum(ok)", "1:1: sum needs a number, got a bool".to_owned()),
        ("max(card)", "1:1: max needs a number or timestamp, got a string".to_owned()),
        ("amount", format!("1:1: `amount` is no aggregate; {one}")),
        ("median(amount)", format!("1:1: median is no aggregate; {one}")),
        ("averag(amount)", format!("1:1: averag is no aggregate; {one}")),
        ("sum(*)", "1:1: sum does not take *; it is written sum(x)".to_owned()),
        ("sum(amount, rate)", "1:1: sum got 2 arguments; it is written sum(x)".to_owned()),
        ("count(distinct card)",
         "1:1: count(distinct …) is not supported; use approx_distinct(x), exact while few".to_owned()),
        ("sum(amont)", "1:5: nothing is called amont (did you mean amount?); there are: amount, bank, card, id, ok, rate, ts".to_owned()),
        ("count(*) filter (where amount)", "1:24: `amount` is a decimal(2); a condition is a bool".to_owned()),
        ("count(*) filter (where ts > '2024-01-01')",
         "1:24: > cannot compare timestamp with string; a time is written timestamp '2024-01-31T00:00:00Z'".to_owned()),
        ("sum(rate * rate * rate * rate)",
         "1:5: * gives 24 decimal places, at most 18 are kept; cast an operand to decimal(18, s) with fewer places, or to double".to_owned()),
    ] {
        let message = errors(&window_group("\"card\"", "[\"1h\"]", &format!("n = \"{text}\"")));
        assert_eq!(message, format!("f.toml:29: group.g.features.n: {expected}"), "{text}");
    }
}

#[test]
fn expressions_outside_the_supported_set_say_what_is_supported() {
    for (text, start) in [
        (
            "sum(log(amount))",
            "1:5: `log(amount)` is not supported: write ln(x), or ln(x) / ln(10); supported",
        ),
        ("sum(median(amount))", "1:5: `median(amount)` is not supported; supported are + - * / %"),
        ("sum(amount) / count(*)", "1:1: `sum(amount) / count(*)` is no aggregate; "),
        ("sum(max(amount))", "1:5: `max(amount)` is an aggregate, which stands alone"),
        (
            "count(*) filter (where card similar to 'a%')",
            "1:24: `card SIMILAR TO 'a%'` is not supported; supported",
        ),
        ("count(*) filter (where amount >)", "1:32: Expected: an expression, found: ); supported"),
        ("count(*) over ()", "1:1: `count(*) OVER ()` is not supported; "),
        ("count(*) 5", "1:10: `5` is not expected here; supported"),
        ("sum(amount + 'a')", "1:5: + needs numbers, got decimal(2) and string"),
        ("count((select 1))", "1:8: `(SELECT 1)` is not supported; supported"),
    ] {
        let message = errors(&window_group("\"card\"", "[\"1h\"]", &format!("n = \"{text}\"")));
        let expected = format!("f.toml:29: group.g.features.n: {start}");
        assert!(message.starts_with(&expected), "{text}\n{message}");
    }
}

#[test]
fn services() {
    check(&[
        (
            "[service.s]\nfeatures = [\"profile:country\",\n  \"profile:contry\"]\n",
            "f.toml:27: service.s.features: group profile has no feature \"contry\" (did you mean country?); it has: \
             country, vector, limit",
        ),
        (
            "[service.s]\nfeatures = [\"profil:country\"]\n",
            "f.toml:26: service.s.features: no group is called \"profil\" (did you mean profile?); defined are: profile, \
             empty_line",
        ),
        (
            "[service.s]\nfeatures = [\"country\"]\n",
            "f.toml:26: service.s.features: \"country\" is not written as \"group:feature\" or \"group:*\"",
        ),
        (
            "[service.s]\nfeatures = [\"profile:*\", \"profile:limit\"]\n",
            "f.toml:26: service.s.features: profile:limit is listed twice; list each feature once",
        ),
        ("[service.s]\nfeatures = []\n", "f.toml:25: service.s: 0 values; a service has 1 to 1024"),
        (
            "[service.s]\nfeatures = [\"profile:*\"]\nderived = { d = \"vector + 1\" }\n",
            "f.toml:27: service.s.derived.d: 1:1: vector is a vector, which an expression cannot use",
        ),
        (
            "[service.s]\nfeatures = [\"profile:*\"]\nderived = { d = \"request.amount + 1\" }\n",
            "f.toml:27: service.s.derived.d: 1:1: nothing is called request.amount; there are: country, limit, \
             profile.country, profile.limit, profile.vector, vector",
        ),
        (
            "[service.s]\nfeatures = [\"profile:*\"]\nrequest = { limit = \"f64\" }\nderived = { d = \"limit + 1\" }\n",
            "f.toml:28: service.s.derived.d: 1:1: limit is ambiguous; write one of profile.limit, request.limit",
        ),
        (
            "[service.s]\nfeatures = [\"profile:*\"]\nrequest = { a = \"f64\" }\nderived = { a = \"limit + 1\" }\n",
            "f.toml:28: service.s.derived.a: a request value has the same name; rename one",
        ),
        (
            "[service.s]\nfeatures = [\"profile:*\"]\nderived = { d = \"null\" }\n",
            "f.toml:27: service.s.derived.d: 1:1: null alone has no type; write cast(null as …)",
        ),
    ]);
}

#[test]
fn all_problems_are_found_in_one_pass_in_order_and_counted() {
    let added = "[group.g]\nentity = \"nobody\"\nfeatures = { a = \"x\", b = \"y\" }\n[service.s]\nfeatures = [\"g:a\", \"h:b\"]\n";
    let lines: Vec<_> =
        errors(added).lines().map(|line| line.split(": ").nth(1).map(str::to_owned)).collect();
    let keys: Vec<_> = lines.into_iter().flatten().collect();
    // g itself is blamed, who reads it is not.
    assert_eq!(
        keys,
        ["group.g.entity", "group.g.features.a", "group.g.features.b", "service.s.features"]
    );
    let many: String = (0..30).map(|i| format!("[entity.e{i}]\nkey = \"x\"\n")).collect();
    let message = errors(&many);
    assert_eq!(message.lines().count(), 21);
    assert_eq!(message.lines().last(), Some("f.toml: and 10 more problems"));
}
