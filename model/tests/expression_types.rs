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
