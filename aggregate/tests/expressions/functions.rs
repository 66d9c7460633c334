//! Every function with ordinary arguments, at its edges, with null, and where it has no value.

use model::{
    time::parse_timestamp,
    value::{DataType, Value},
};

use super::Compiled;

/// i = 7, d = 2.50, f = 0.5, s = 'Grüezi', n = null, t = 2024-02-29T13:45:07.890Z (a Thursday), u = -1 ms.
fn result(text: &str) -> String {
    let time = parse_timestamp("2024-02-29T13:45:07.890Z").expect("a time");
    let (names, values): (Vec<_>, Vec<_>) = [
        ("i", DataType::I64, Some(Value::I64(7))),
        ("d", DataType::Decimal(2), Some(Value::Decimal(250, 2))),
        ("f", DataType::F64, Some(Value::F64(0.5))),
        ("s", DataType::String, Some(Value::String("Grüezi".into()))),
        ("n", DataType::F64, None),
        ("nt", DataType::Timestamp, None),
        ("ns", DataType::String, None),
        ("t", DataType::Timestamp, Some(Value::Timestamp(time))),
        ("u", DataType::Timestamp, Some(Value::Timestamp(-1))),
        ("y", DataType::Bytes, Some(Value::Bytes([1, 2, 3].into()))),
        ("big", DataType::I64, Some(Value::I64(i64::MAX))),
        ("last", DataType::Timestamp, Some(Value::Timestamp(i64::MAX))),
        ("first", DataType::Timestamp, Some(Value::Timestamp(i64::MIN))),
        ("bs", DataType::String, Some(Value::String("a\\".into()))),
    ]
    .into_iter()
    .map(|(name, data_type, value)| ((name, data_type), value))
    .unzip();
    let compiled = Compiled::new(text, &names);
    match compiled.value(&values) {
        Ok(None) => "null".to_owned(),
        Ok(Some(value)) => format!("{} {value}", compiled.expr.data_type),
        Err(error) => error.to_string(),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(result(text), *expected, "{text}");
    }
}

#[test]
fn logarithms_powers_and_roots_are_floats() {
    check(&[
        ("ln(1)", "f64 0"),
        ("exp(0)", "f64 1"),
        ("ln(exp(i))", "f64 7"),
        ("sqrt(d * d)", "f64 2.5"),
        ("sqrt(0)", "f64 0"),
        ("power(i, 2)", "f64 49"),
        ("power(2, -1)", "f64 0.5"),
        ("power(-2, 3)", "f64 -8"),
        ("power(0, 0)", "f64 1"),
        ("power(0, f)", "f64 0"),
        ("power(4, f)", "f64 2"),
        ("exp(-1e4)", "f64 0"),
        ("LN(1)", "f64 0"),
    ]);
}

#[test]
fn what_has_no_value_names_the_function_and_the_way_out() {
    check(&[
        ("ln(i - 7)", "ln of 0 has no value; write ln(nullif(x, 0)) to get null instead"),
        (
            "ln(-f)",
            "ln of a number below 0 has no value; write case when x > 0 then ln(x) end to get null instead",
        ),
        (
            "sqrt(-d)",
            "sqrt of a number below 0 has no value; write sqrt(greatest(x, 0)) to get 0 instead",
        ),
        (
            "power(0, -f)",
            "power of 0 to a number below 0 has no value; write power(nullif(x, 0), y) to get null instead",
        ),
        (
            "power(-2, f)",
            "power of a number below 0 to a fraction has no value; write power(abs(x), y), or round y",
        ),
        (
            "exp(710)",
            "exp of more than 709.78 does not fit into f64; write exp(least(x, 709)) to limit it",
        ),
        (
            "power(10, 309)",
            "power gives a number beyond 1.8e308, which does not fit into f64; limit x or y by least(…)",
        ),
        ("ln(nullif(i - 7, 0))", "null"),
        ("sqrt(greatest(-d, 0))", "f64 0"),
        ("case when -f > 0 then ln(-f) end", "null"),
    ]);
}

#[test]
fn exact_numbers_round_half_away_from_zero() {
    check(&[
        ("round(d)", "decimal(0) 3"),
        ("round(-d)", "decimal(0) -3"),
        ("round(2.49)", "decimal(0) 2"),
        ("round(d, 1)", "decimal(1) 2.5"),
        ("round(0.125, 2)", "decimal(2) 0.13"),
        ("round(-0.125, 2)", "decimal(2) -0.13"),
        ("round(-0.124, 2)", "decimal(2) -0.12"),
        ("round(0.05, 0)", "decimal(0) 0"),
        ("round(i)", "i64 7"),
        ("round(i, 2)", "decimal(2) 7.00"),
        ("round(d, 4)", "decimal(4) 2.5000"),
        ("round(big, 1)", "the result does not fit into decimal(1)"),
        // A cast rounds half to even.
        ("cast(d as bigint)", "i64 2"),
    ]);
}

#[test]
fn floats_round_half_to_even() {
    check(&[
        ("round(f)", "f64 0"),
        ("round(f + 1)", "f64 2"),
        ("round(f + 2)", "f64 2"),
        ("round(1e300)", &format!("f64 {}", 1e300)),
    ]);
}

#[test]
fn floors_ceilings_and_signs() {
    check(&[
        ("floor(d)", "decimal(0) 2"),
        ("floor(-d)", "decimal(0) -3"),
        ("ceil(d)", "decimal(0) 3"),
        ("ceiling(-d)", "decimal(0) -2"),
        ("floor(i)", "i64 7"),
        ("floor(f)", "f64 0"),
        ("ceil(f)", "f64 1"),
        ("floor(-f)", "f64 -1"),
        ("floor(3.00)", "decimal(0) 3"),
        ("sign(-d)", "i64 -1"),
        ("sign(i - 7)", "i64 0"),
        ("sign(f)", "i64 1"),
        ("sign(-f * 0)", "i64 0"),
        ("mod(i, 4)", "i64 3"),
        ("mod(-i, 4)", "i64 -3"),
        ("mod(d, 1)", "decimal(2) 0.50"),
        ("mod(i, 0)", "division by zero; write x / nullif(y, 0) to get null instead"),
    ]);
}

#[test]
fn times_have_parts_as_in_postgresql() {
    check(&[
        ("extract(year from t)", "i64 2024"),
        ("extract(quarter from t)", "i64 1"),
        ("extract(month from t)", "i64 2"),
        ("extract(week from t)", "i64 9"),
        ("extract(day from t)", "i64 29"),
        ("extract(hour from t)", "i64 13"),
        ("extract(minute from t)", "i64 45"),
        ("extract(second from t)", "i64 7"),
        ("extract(dow from t)", "i64 4"),
        ("extract(isodow from t)", "i64 4"),
        ("extract(doy from t)", "i64 60"),
        ("extract(epoch from t)", "i64 1709214307"),
        ("extract('hour' from t)", "i64 13"),
        ("EXTRACT(DOW FROM timestamp '2024-03-03')", "i64 0"),
        ("extract(isodow from timestamp '2024-03-03')", "i64 7"),
        // 2021-01-01 was a Friday of the last week of 2020.
        ("extract(week from timestamp '2021-01-01')", "i64 53"),
        ("extract(week from timestamp '2024-12-31')", "i64 1"),
        ("date_part('hour', t)", "i64 13"),
        ("DATE_PART('Minute', t)", "i64 45"),
        ("extract(year from u)", "i64 1969"),
        ("extract(hour from u)", "i64 23"),
        ("extract(second from u)", "i64 59"),
        ("extract(epoch from u)", "i64 -1"),
    ]);
}

#[test]
fn times_are_cut_to_the_start_of_a_part() {
    check(&[
        ("date_trunc('second', t)", "timestamp 2024-02-29T13:45:07Z"),
        ("date_trunc('minute', t)", "timestamp 2024-02-29T13:45:00Z"),
        ("date_trunc('hour', t)", "timestamp 2024-02-29T13:00:00Z"),
        ("date_trunc('day', t)", "timestamp 2024-02-29T00:00:00Z"),
        ("date_trunc('week', t)", "timestamp 2024-02-26T00:00:00Z"),
        ("date_trunc('month', t)", "timestamp 2024-02-01T00:00:00Z"),
        ("date_trunc('quarter', t)", "timestamp 2024-01-01T00:00:00Z"),
        ("date_trunc('year', t)", "timestamp 2024-01-01T00:00:00Z"),
        ("date_trunc('day', u)", "timestamp 1969-12-31T00:00:00Z"),
        ("date_trunc('year', first)", "the result does not fit into timestamp"),
    ]);
}

#[test]
fn times_and_milliseconds_add_up() {
    check(&[
        ("t - date_trunc('day', t)", "i64 49507890"),
        ("(t - u) / 3600000 > 1e5", "bool true"),
        ("t + 1000", "timestamp 2024-02-29T13:45:08.890Z"),
        ("1000 + t", "timestamp 2024-02-29T13:45:08.890Z"),
        ("t - 890", "timestamp 2024-02-29T13:45:07Z"),
        ("t - u = extract(epoch from t) * 1000 + 891", "bool true"),
        ("last + 1", "the result does not fit into timestamp"),
        ("last - first", "the result does not fit into i64"),
        ("first - 1", "the result does not fit into timestamp"),
    ]);
}

#[test]
fn patterns_match_whole_strings() {
    check(&[
        ("s like 'Gr%'", "bool true"),
        ("s like 'Gr'", "bool false"),
        ("s like 'Gr_ezi'", "bool true"),
        ("s like '%ü%z_'", "bool true"),
        ("s not like '%x%'", "bool true"),
        ("s like ''", "bool false"),
        ("'' like '%'", "bool true"),
        (r"'50%' like '50\%'", "bool true"),
        (r"'501' like '50\%'", "bool false"),
        (r"'a_b' like 'a\_b'", "bool true"),
        (r"'a\b' like 'a\\b'", "bool true"),
        ("s ilike 'GR%'", "bool true"),
        ("s ilike 'grÜezi'", "bool false"),
        ("s not ilike 'gr%'", "bool false"),
        ("s like s", "bool true"),
        (
            "s like bs",
            "a pattern of like ends in its escape \\; write \\\\ for the character itself",
        ),
        ("starts_with(s, 'Grü')", "bool true"),
        ("starts_with(s, 'ü')", "bool false"),
        ("starts_with(s, '')", "bool true"),
        ("length(s)", "i64 6"),
        ("length('')", "i64 0"),
        ("length(y)", "i64 3"),
    ]);
}

#[test]
fn distances_take_any_number() {
    check(&[
        ("haversine(0, 0, 0, 0)", "f64 0"),
        (
            "round(cast(haversine(51.5074, -0.1278, 48.8566, 2.3522) as decimal(18, 3)), 0)",
            "decimal(0) 343557",
        ),
        ("round(haversine(90, i, -90, d) / 1e3)", "f64 20015"),
        (
            "haversine(i * 13, 0, 0, 0)",
            "haversine needs latitudes from -90 to 90 degrees; the order is lat1, lon1, lat2, lon2",
        ),
        (
            "haversine(0, 0, 0, -180.1)",
            "haversine needs longitudes from -180 to 180 degrees; the order is lat1, lon1, lat2, lon2",
        ),
    ]);
}

#[test]
fn null_in_null_out() {
    for text in [
        "ln(n)",
        "exp(n)",
        "sqrt(n)",
        "power(n, 1)",
        "power(0, n)",
        "round(n)",
        "round(cast(n as decimal(18, 4)), 2)",
        "floor(n)",
        "ceil(n)",
        "sign(n)",
        "mod(null, 2)",
        "ln(null)",
        "extract(hour from nt)",
        "date_part('week', nt)",
        "date_trunc('week', null)",
        "t - nt",
        "nt + 1",
        "t + null",
        "ns like 'a'",
        "s like ns",
        "s ilike null",
        "length(ns)",
        "starts_with(s, ns)",
        "haversine(0, n, 0, 0)",
        "haversine(0, 0, 0, null)",
    ] {
        assert_eq!(result(text), "null", "{text}");
    }
}
