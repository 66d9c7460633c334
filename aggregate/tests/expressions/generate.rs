//! Random typed expressions: trees of templates, and random inputs for them.

use model::value::{DataType, Value};
use stdx::prng::Prng;

use DataType::{Bool, Decimal, F64, I64, String as Text, Timestamp};

/// The inputs of every expression.
pub(super) const INPUTS: [(&str, DataType); 9] = [
    ("i", I64),
    ("j", I64),
    ("d", Decimal(2)),
    ("e", Decimal(4)),
    ("f", F64),
    ("b", Bool),
    ("s", Text),
    ("p", Text),
    ("t", Timestamp),
];

/// An expression and its type.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) data_type: DataType,
    pub(super) shape: Shape,
}

#[derive(Debug)]
pub(super) enum Shape {
    /// An index into [`INPUTS`].
    Input(usize),
    /// A constant as it is written, and its value.
    Literal(String, Value),
    /// A template whose `{0}`, `{1}`, … are the operands; it is also the name of the operation.
    Apply(&'static str, Vec<Term>),
}

impl Term {
    /// The expression in SQL.
    pub(super) fn text(&self) -> String {
        match &self.shape {
            Shape::Input(index) => INPUTS[*index].0.to_owned(),
            Shape::Literal(text, _) => text.clone(),
            Shape::Apply(template, operands) => {
                operands.iter().enumerate().fold((*template).to_owned(), |text, (at, operand)| {
                    text.replace(&format!("{{{at}}}"), &operand.text())
                })
            }
        }
    }
}

/// A template, its result, and its operands.
type Rule = (&'static str, Vec<DataType>);

/// A tree of at most `depth` operations above each other.
pub(super) fn term(random: &mut Prng, data_type: DataType, depth: u64) -> Term {
    let rules = if depth == 0 { Vec::new() } else { rules(random, data_type) };
    if rules.is_empty() || random.chance(0.15) {
        return leaf(random, data_type);
    }
    let (template, operands) = &rules[index(random, rules.len())];
    let operands = operands.iter().map(|operand| term(random, *operand, depth - 1)).collect();
    Term { data_type, shape: Shape::Apply(template, operands) }
}

/// The operations that give a value of `result`.
fn rules(random: &mut Prng, result: DataType) -> Vec<Rule> {
    let mut rules = match result {
        Bool => conditions(random),
        I64 => whole(random),
        Decimal(scale) => decimals(random, scale),
        F64 => floats(random),
        Timestamp => vec![
            ("({0} + {1})", vec![Timestamp, I64]),
            ("({0} + {1})", vec![I64, Timestamp]),
            ("({0} - {1})", vec![Timestamp, I64]),
            ("date_trunc('month', {0})", vec![Timestamp]),
            ("date_trunc('week', {0})", vec![Timestamp]),
            ("date_trunc('hour', {0})", vec![Timestamp]),
        ],
        _ => Vec::new(),
    };
    rules.extend([
        ("case when {0} then {1} else {2} end", vec![Bool, result, result]),
        ("case when {0} then {1} end", vec![Bool, result]),
        ("coalesce({0}, {1})", vec![result, result]),
        ("nullif({0}, {1})", vec![result, result]),
        ("least({0}, {1})", vec![result, result]),
        ("greatest({0}, {1})", vec![result, result]),
    ]);
    rules
}

fn conditions(random: &mut Prng) -> Vec<Rule> {
    let any = [Bool, I64, Decimal(2), F64, Text, Timestamp][index(random, 6)];
    let (left, right) = match index(random, 3) {
        0 => (number(random), number(random)),
        _ => (any, any),
    };
    vec![
        ("({0} and {1})", vec![Bool, Bool]),
        ("({0} or {1})", vec![Bool, Bool]),
        ("(not {0})", vec![Bool]),
        ("({0} is null)", vec![any]),
        ("({0} = {1})", vec![left, right]),
        ("({0} <> {1})", vec![left, right]),
        ("({0} < {1})", vec![left, right]),
        ("({0} >= {1})", vec![left, right]),
        ("({0} between {1} and {2})", vec![any, any, any]),
        ("({0} not between {1} and {2})", vec![any, any, any]),
        ("({0} in ({1}, {2}))", vec![any, any, any]),
        ("({0} not in ({1}, {2}))", vec![any, any, any]),
        ("({0} like {1})", vec![Text, Text]),
        ("({0} not like {1})", vec![Text, Text]),
        ("({0} ilike {1})", vec![Text, Text]),
        ("starts_with({0}, {1})", vec![Text, Text]),
    ]
}

fn whole(random: &mut Prng) -> Vec<Rule> {
    vec![
        ("({0} + {1})", vec![I64, I64]),
        ("({0} - {1})", vec![I64, I64]),
        ("({0} * {1})", vec![I64, I64]),
        ("({0} % {1})", vec![I64, I64]),
        ("mod({0}, {1})", vec![I64, I64]),
        ("(- {0})", vec![I64]),
        ("abs({0})", vec![I64]),
        ("round({0})", vec![I64]),
        ("sign({0})", vec![number(random)]),
        ("cast({0} as bigint)", vec![Decimal(4)]),
        ("length({0})", vec![Text]),
        ("({0} - {1})", vec![Timestamp, Timestamp]),
        ("extract(month from {0})", vec![Timestamp]),
        ("extract(isodow from {0})", vec![Timestamp]),
        ("date_part('second', {0})", vec![Timestamp]),
        ("extract(epoch from {0})", vec![Timestamp]),
    ]
}

fn decimals(random: &mut Prng, scale: u8) -> Vec<Rule> {
    let same = Decimal(scale);
    let (exact, other) =
        ([I64, Decimal(2), Decimal(4)][index(random, 3)], [I64, same][index(random, 2)]);
    let mut rules = vec![
        ("({0} + {1})", vec![same, other]),
        ("({0} - {1})", vec![other, same]),
        ("({0} % {1})", vec![same, other]),
        ("({0} * {1})", vec![I64, same]),
        ("(- {0})", vec![same]),
        ("abs({0})", vec![same]),
    ];
    match scale {
        0 => rules.extend([
            ("floor({0})", vec![Decimal(2)]),
            ("ceil({0})", vec![Decimal(4)]),
            ("round({0})", vec![Decimal(2)]),
            ("round({0}, 0)", vec![exact]),
        ]),
        2 => rules.push(("round({0}, 2)", vec![exact])),
        _ => rules.extend([
            ("round({0}, 4)", vec![exact]),
            ("({0} * {1})", vec![Decimal(2), Decimal(2)]),
            ("({0} + {1})", vec![Decimal(2), Decimal(4)]),
        ]),
    }
    rules
}

fn floats(random: &mut Prng) -> Vec<Rule> {
    let (any, other) = (number(random), number(random));
    vec![
        ("({0} / {1})", vec![any, other]),
        ("({0} + {1})", vec![F64, any]),
        ("({0} - {1})", vec![any, F64]),
        ("({0} * {1})", vec![any, F64]),
        ("(- {0})", vec![F64]),
        ("abs({0})", vec![F64]),
        ("sqrt({0})", vec![any]),
        ("floor({0})", vec![F64]),
        ("ceil({0})", vec![F64]),
        ("round({0})", vec![F64]),
        ("cast({0} as double)", vec![any]),
    ]
}

fn number(random: &mut Prng) -> DataType {
    [I64, Decimal(0), Decimal(2), Decimal(4), F64][index(random, 5)]
}

fn leaf(random: &mut Prng, data_type: DataType) -> Term {
    let inputs: Vec<_> = (0..INPUTS.len()).filter(|at| INPUTS[*at].1 == data_type).collect();
    if !inputs.is_empty() && random.chance(0.7) {
        return Term { data_type, shape: Shape::Input(inputs[index(random, inputs.len())]) };
    }
    let value = value(random, data_type);
    let text = match &value {
        Value::String(text) => format!("'{text}'"),
        Value::Timestamp(_) => format!("timestamp '{value}'"),
        Value::F64(float) => format!("({float:e})"),
        // The parser takes no decimal without places as one.
        Value::Decimal(unscaled, 0) => format!("round({unscaled}, 0)"),
        _ => format!("({value})"),
    };
    Term { data_type, shape: Shape::Literal(text, value) }
}

/// A value that meets limits, equals others, or is ordinary.
pub(super) fn value(random: &mut Prng, data_type: DataType) -> Value {
    const TEXTS: [&str; 9] = ["", "a", "ab", "A", "é", "a%", "%b", "_", r"\%_"];
    let integer = match random.below(8) {
        0 => [i64::MAX, i64::MIN + 1, 0][index(random, 3)],
        1 => random.between(-1_000_000_000_000, 1_000_000_000_000),
        2 => random.between(-50_000, 50_000),
        _ => random.between(-250, 250),
    };
    match data_type {
        Bool => Value::Bool(random.chance(0.5)),
        Decimal(scale) => Value::Decimal(integer, scale),
        F64 => Value::F64(integer as f64 / 8.0),
        Text => Value::String(TEXTS[index(random, TEXTS.len())].into()),
        // From the year 1000 to 3000.
        Timestamp => Value::Timestamp(random.between(-30_610_224_000_000, 32_503_680_000_000)),
        _ => Value::I64(integer),
    }
}

pub(super) fn index(random: &mut Prng, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).expect("below a usize")
}
