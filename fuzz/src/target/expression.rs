//! An expression from text: compiled over inputs of every type, and evaluated with ordinary, extreme and no values.

use aggregate::expr::evaluate;
use model::{
    expr::{Expr, Scope},
    limits::{EXPRESSION_BYTES_MAX, EXPRESSION_NODES_MAX},
    value::{DataType, ValueRef},
};

/// The names of inputs, one of each type.
const INPUTS: [(&str, DataType); 7] = [
    ("i", DataType::I64),
    ("d", DataType::Decimal(2)),
    ("f", DataType::F64),
    ("s", DataType::String),
    ("b", DataType::Bool),
    ("t", DataType::Timestamp),
    ("y", DataType::Bytes),
];

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut scope = Scope::new();
    INPUTS.iter().for_each(|(name, data_type)| scope.declare(&[name], *data_type));
    let expression = match Expr::compile(text, &scope) {
        Ok(expression) => expression,
        Err(error) => {
            assert!(error.to_string().len() <= 4096, "{} bytes", error.to_string().len());
            return;
        }
    };
    assert!(text.len() <= EXPRESSION_BYTES_MAX && expression.size() <= EXPRESSION_NODES_MAX);
    assert!(expression.inputs().iter().all(|index| *index < INPUTS.len()));
    for row in rows() {
        // The same inputs give the same bits, an error too.
        let (one, other) = (evaluate(&expression, &row), evaluate(&expression, &row));
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
        if let Ok(Some(ValueRef::F64(number))) = one {
            assert!(number.is_finite(), "{number}");
        }
    }
}

fn rows() -> [[Option<ValueRef<'static>>; 7]; 4] {
    let row = |i: i64, f: f64, s: &'static str, b: bool| {
        let bytes = ValueRef::Bytes(s.as_bytes());
        [
            ValueRef::I64(i),
            ValueRef::Decimal(i, 2),
            ValueRef::F64(f),
            ValueRef::String(s),
            ValueRef::Bool(b),
            ValueRef::Timestamp(i),
            bytes,
        ]
        .map(Some)
    };
    [
        row(7, 1.5, "x", true),
        row(i64::MAX, f64::MAX, "é\u{10ffff}", false),
        row(i64::MIN, -f64::MIN_POSITIVE, "", true),
        [None; 7],
    ]
}

/// One of every kind.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        "i + d * 2 - f / 3",
        "i % 4 + mod(i, 3)",
        "-abs(i) < 3 and not b or s = 'x'",
        "s in ('a', 'b', 'c') or i not in (1, 2)",
        "i between 1 and 9",
        "case when i > 5 then s else 'low' end",
        "coalesce(null, f, 1)",
        "nullif(s, 'x') is null",
        "least(i, d, f) + greatest(i, d)",
        "cast(f as decimal(18, 3))",
        "ln(f) + exp(f) + sqrt(f) + power(f, i)",
        "round(d, 1) + floor(d) + ceil(f) + sign(d)",
        "extract(week from t) + extract(doy from t)",
        "length(lower(s)) + length(concat(s, 'y'))",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
