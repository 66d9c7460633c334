//! What type an expression has, and what is kept of the input of an aggregate.

use model::{
    definition::{Aggregate, Field},
    expr::{Expr, Node, Scope},
    name::Name,
    value::DataType,
};

fn fields() -> Vec<Field> {
    [
        ("i", DataType::I64),
        ("d", DataType::Decimal(2)),
        ("e", DataType::Decimal(4)),
        ("f", DataType::F64),
        ("h", DataType::F32),
        ("s", DataType::String),
        ("y", DataType::Bytes),
        ("b", DataType::Bool),
        ("t", DataType::Timestamp),
        ("user", DataType::String),
        ("date", DataType::Timestamp),
        ("time", DataType::I64),
        ("value", DataType::I64),
    ]
    .map(|(name, data_type)| Field { name: Name::new(name).expect(name), data_type })
    .into()
}

/// `input type -> output type` of an aggregate.
fn aggregate(text: &str) -> String {
    let aggregate =
        Aggregate::compile(text, &fields()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let input = aggregate.input.map_or("*".to_owned(), |input| input.data_type.to_string());
    format!("{input} -> {}", aggregate.output)
}

#[test]
fn aggregates_have_the_types_of_the_design() {
    for (text, expected) in [
        ("count(*)", "* -> i64"),
        ("count(s)", "string -> i64"),
        ("sum(i)", "i64 -> i64"),
        ("sum(d)", "decimal(2) -> decimal(2)"),
        ("sum(i + d)", "decimal(2) -> decimal(2)"),
        ("sum(d * e)", "decimal(6) -> decimal(6)"),
        ("avg(i)", "i64 -> f64"),
        ("stddev_pop(d)", "decimal(2) -> f64"),
        ("variance(e)", "decimal(4) -> f64"),
        ("min(t)", "timestamp -> timestamp"),
        ("max(i)", "i64 -> i64"),
        ("first(b)", "bool -> bool"),
        ("last(y)", "bytes -> bytes"),
        ("LAST(S)", "string -> string"),
        ("approx_distinct(s)", "string -> i64"),
        ("(sum(d))", "decimal(2) -> decimal(2)"),
        ("sum(case when b then 1 else 0 end)", "i64 -> i64"),
        (
            "count(user) filter (where user <> 'x' and date > timestamp '2024-01-01')",
            "string -> i64",
        ),
        ("max(time) filter (where value > 1)", "i64 -> i64"),
        ("max(date)", "timestamp -> timestamp"),
    ] {
        assert_eq!(aggregate(text), expected, "{text}");
    }
}

#[test]
fn float_fields_are_decimals_inside_and_floats_outside() {
    for (text, expected) in [
        ("sum(f)", "decimal(6) -> f64"),
        ("min(h)", "decimal(6) -> f64"),
        ("last(f)", "decimal(6) -> f64"),
        ("sum(f + d)", "decimal(6) -> f64"),
        // Products have twelve places on the way and six when kept.
        ("sum(f * f)", "decimal(6) -> f64"),
        ("sum(d / i)", "decimal(6) -> f64"),
        ("sum(cast(f as decimal(18, 2)))", "decimal(2) -> decimal(2)"),
        ("count(f)", "decimal(6) -> i64"),
    ] {
        assert_eq!(aggregate(text), expected, "{text}");
    }
}

#[test]
fn functions_have_types_of_their_own() {
    for (text, expected) in [
        ("sum(ln(i))", "decimal(6) -> f64"),
        ("avg(exp(d))", "decimal(6) -> f64"),
        ("max(power(i, d))", "decimal(6) -> f64"),
        ("sum(sqrt(f))", "decimal(6) -> f64"),
        ("sum(round(d))", "decimal(0) -> decimal(0)"),
        ("sum(round(e, 1))", "decimal(1) -> decimal(1)"),
        ("sum(round(i))", "i64 -> i64"),
        // A float field is a decimal inside, and rounded like one.
        ("sum(round(f, 2))", "decimal(2) -> f64"),
        ("sum(floor(f))", "decimal(0) -> f64"),
        ("sum(ceil(e))", "decimal(0) -> decimal(0)"),
        ("sum(ceiling(i))", "i64 -> i64"),
        ("sum(floor(ln(i)))", "decimal(6) -> f64"),
        ("sum(sign(f))", "i64 -> i64"),
        ("sum(mod(i, 2))", "i64 -> i64"),
        ("sum(mod(f, d))", "decimal(6) -> f64"),
        ("max(extract(hour from t))", "i64 -> i64"),
        ("approx_distinct(date_trunc('day', t))", "timestamp -> i64"),
        ("approx_distinct(date_part('DOW', date))", "i64 -> i64"),
        ("sum(t - date)", "i64 -> i64"),
        ("max(t + time)", "timestamp -> timestamp"),
        ("max(t - 5)", "timestamp -> timestamp"),
        ("sum(length(s))", "i64 -> i64"),
        ("sum(length(y))", "i64 -> i64"),
        ("last(s like 'a%')", "bool -> bool"),
        ("last(starts_with(s, user))", "bool -> bool"),
        ("max(haversine(f, h, d, i))", "decimal(6) -> f64"),
        ("sum(ln(null))", "decimal(6) -> f64"),
    ] {
        assert_eq!(aggregate(text), expected, "{text}");
    }
}

/// The refusals of expressions over the fields and a float `x`.
fn refused(cases: &[(&str, &str)]) {
    let mut scope = Scope::of_stream(&fields());
    scope.declare(&["x"], DataType::F64);
    for (text, expected) in cases {
        let message = Expr::compile(text, &scope).expect_err(text).to_string();
        assert!(message.starts_with(expected), "{text}\n{message}");
    }
}

#[test]
fn functions_of_numbers_refuse_what_they_cannot_take_and_say_what_they_can() {
    refused(&[
        ("lnn(i)", "1:1: `lnn(i)` is not supported (did you mean ln?); supported are"),
        ("ln(s)", "1:1: ln needs a number, got a string"),
        ("ln()", "1:1: `ln()` has 0 arguments; write ln(x)"),
        ("power(i)", "1:1: `power(i)` has 1 argument; write power(x, y)"),
        ("abs(i, i)", "1:1: `abs(i, i)` has 2 arguments; write abs(x)"),
        ("coalesce()", "1:1: `coalesce()` has 0 arguments; write coalesce(x, …)"),
        ("round(i, 1, 2)", "1:1: `round(i, 1, 2)` has 3 arguments; write round(x) or round(x, n)"),
        ("round(i, 19)", "1:1: round(x, n) needs a constant n from 0 to 18, the decimal places"),
        ("round(i, -1)", "1:1: round(x, n) needs a constant n from 0 to 18, the decimal places"),
        ("round(d, i)", "1:1: round(x, n) needs a constant n from 0 to 18, the decimal places"),
        (
            "round(x, 2)",
            "1:1: round(x, n) needs an exact number, got a f64, which has no decimal places; write \
             round(cast(x as decimal(18, 6)), 2)",
        ),
        ("floor(s)", "1:7: floor needs a number, got a string"),
        (
            "floor(d, 1)",
            "1:7: `FLOOR(d, 1)` is not supported; write floor(x), round(x, n) or date_trunc('hour', t)",
        ),
        (
            "mod(x, 2)",
            "1:1: % needs exact numbers, got f64 and i64; cast to bigint or decimal(p, s)",
        ),
    ]);
}

#[test]
fn functions_of_times_and_strings_refuse_what_they_cannot_take_and_say_what_they_can() {
    refused(&[
        (
            "extract(hour from i)",
            "1:19: extract needs a timestamp, got a i64; i64 ms since 1970 become one by timestamp '1970-01-01' + x",
        ),
        (
            "extract(hours from t)",
            "1:20: `hours` is no part of a time here (did you mean hour?); there are: year,",
        ),
        ("date_part(s, t)", "1:1: date_part needs a constant part: date_part('hour', t)"),
        (
            "date_trunc('dow', t)",
            "1:1: `dow` is no part of a time here; there are: year, quarter, month, week, day, hour, \
             minute, second",
        ),
        ("date_trunc('hour', s)", "1:1: date_trunc needs a timestamp, got a string"),
        (
            "t + t",
            "1:1: + does not take timestamp and timestamp; a timestamp minus a timestamp is i64 ms, a timestamp plus or \
             minus i64 ms a timestamp",
        ),
        ("t + d", "1:1: + does not take timestamp and decimal(2); "),
        ("i - t", "1:1: - does not take i64 and timestamp; "),
        ("t * 2", "1:1: * does not take timestamp and i64; "),
        ("i like 'a'", "1:1: like needs a string, got a i64"),
        ("s ilike 5", "1:9: ilike needs a string, got a i64"),
        (r"s like 'a\'", r"1:8: the pattern of like ends in its escape \; write \\"),
        ("s like 'a' escape '!'", "1:1: `s LIKE 'a' ESCAPE '!'` is not supported; supported are"),
        (
            "lower(s)",
            "1:1: `lower(s)` is not supported: it would make a new string; compare with ilike",
        ),
        ("pow(i, 2)", "1:1: `pow(i, 2)` is not supported: write power(x, y); supported are"),
        ("now()", "1:1: `now()` is not supported: a value must not depend on when it is computed"),
        ("starts_with(s, 1)", "1:1: starts_with needs a string, got a i64"),
        ("length(i)", "1:1: length needs a string, got a i64"),
        (
            "haversine(i, i)",
            "1:1: `haversine(i, i)` has 2 arguments; write haversine(lat1, lon1, lat2, lon2)",
        ),
        ("haversine(i, i, i, s)", "1:1: haversine needs a number, got a string"),
        ("extract(t)", "1:1: `extract(t)` has 1 argument; write extract(hour from t)"),
        ("ln(x) over ()", "1:1: `ln(x) OVER ()` is not supported; supported are"),
    ]);
}

#[test]
fn constants_are_cast_when_definitions_are_read() {
    let aggregate =
        Aggregate::compile("count(*) filter (where d > 500)", &fields()).expect("compiles");
    let Node::Binary(_, _, right) = aggregate.filter.expect("there").node else {
        panic!("a comparison")
    };
    let Node::Literal(Some(literal)) = right.node else { panic!("a constant") };
    assert_eq!((literal.to_string().as_str(), right.data_type), ("500.00", DataType::Decimal(2)));
}

#[test]
fn derived_features_see_floats_as_they_are() {
    let mut scope = Scope::new();
    scope.declare(&["a", "g.a"], DataType::F32);
    scope.declare(&["a", "h.a"], DataType::I64);
    scope.declare(&["x", "request.x"], DataType::Decimal(2));
    let data_type = |text: &str| {
        Expr::compile(text, &scope).map(|expr| (expr.data_type.to_string(), expr.inputs()))
    };
    assert_eq!(data_type("g.a"), Ok(("f64".into(), vec![0])));
    assert_eq!(data_type("h.a + x + X"), Ok(("decimal(2)".into(), vec![1, 2])));
    assert_eq!(data_type("h.a / request.x"), Ok(("f64".into(), vec![1, 2])));
    let ambiguous = data_type("a + 1").expect_err("two of them").to_string();
    assert_eq!(ambiguous, "1:1: a is ambiguous; write one of g.a, h.a");
}

#[test]
fn mistakes_are_placed_in_texts_of_several_lines() {
    let mut scope = Scope::new();
    scope.declare(&["x"], DataType::I64);
    let error = Expr::compile("x +\n  y", &scope).expect_err("unknown").to_string();
    assert_eq!(error, "2:3: nothing is called y; there are: x");
}
