//! Random expressions over random inputs: the engine's value is that of the naive evaluator, bit for bit, or both have none.

use model::value::{DataType, Value};
use stdx::prng::Prng;

use super::{
    Compiled,
    generate::{INPUTS, index, term, value},
    naive, seed,
};

const EXPRESSIONS: usize = 20_000;
const INPUTS_EACH: usize = 4;

const RESULTS: [DataType; 8] = [
    DataType::Bool,
    DataType::I64,
    DataType::Decimal(0),
    DataType::Decimal(2),
    DataType::Decimal(4),
    DataType::F64,
    DataType::String,
    DataType::Timestamp,
];

/// Floats by their bits, so that zeros have a sign.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "null".to_owned(),
        Some(Value::F64(float)) => format!("{float:e} {:#x}", float.to_bits()),
        Some(value) => format!("{} {value}", value.data_type()),
    }
}

#[test]
fn random_expressions_equal_the_naive_evaluator() {
    let seed = seed(20_241_121);
    let mut random = Prng::stream(seed, "expressions");
    let (mut values, mut nulls, mut failures) = (0, 0, 0);
    for _ in 0..EXPRESSIONS {
        let result = RESULTS[index(&mut random, RESULTS.len())];
        let depth = 1 + random.below(5);
        let tree = term(&mut random, result, depth);
        let text = tree.text();
        let compiled = Compiled::new(&text, &INPUTS);
        assert_eq!(compiled.expr.data_type, result, "seed {seed}: {text}");
        for _ in 0..INPUTS_EACH {
            let inputs = INPUTS
                .map(|(_, data_type)| (!random.chance(0.1)).then(|| value(&mut random, data_type)));
            let found = compiled.value(&inputs);
            let expected =
                naive::evaluate(&tree, &inputs).and_then(|found| naive::stored(found, result));
            let context = || format!("seed {seed}: {text}\nof {inputs:?}");
            match (found, expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(shown(found.as_ref()), shown(expected.as_ref()), "{}", context());
                    if found.is_some() { values += 1 } else { nulls += 1 }
                }
                (Err(_), Err(_)) => failures += 1,
                (found, expected) => panic!("{found:?} is not {expected:?}\n{}", context()),
            }
        }
    }
    let all = EXPRESSIONS * INPUTS_EACH;
    assert!(
        values > all / 2 && nulls > all / 50 && failures > all / 50,
        "{values} {nulls} {failures}"
    );
}
