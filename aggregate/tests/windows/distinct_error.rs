//! Distinct counts are exact up to 512 values in a window and within three standard errors above.

use aggregate::{EntityWindows, ReadAt, ReadScratch};
use model::value::{Value, ValueRef};

use crate::workload::{Case, read};

/// 1.04 / sqrt(4096)
const STANDARD_ERROR: f64 = 0.016_25;

#[test]
fn counts_are_exact_to_512_and_within_three_standard_errors_to_a_million() {
    let case = Case::new("\"1h\", \"24h\"", "", "1s", None, &["approx_distinct(i)".to_owned()]);
    let plan = case.plan();
    let mut entity = EntityWindows::default();
    let mut scratch = ReadScratch::default();
    let mut prepared = aggregate::PreparedEvent::default();
    let mut fields = vec![None; case.stream.fields.len()];
    let input = case
        .stream
        .fields
        .iter()
        .position(|field| field.name.as_str() == "i")
        .expect("it is there");
    let checks = [1, 2, 100, 512, 513, 1000, 5000, 30_000, 200_000, 1_000_000];
    for n in 1..=1_000_000_i64 {
        fields[input] = Some(ValueRef::I64(n));
        // Within one hour of tiles of one minute and of an hour.
        let time = n * 3;
        plan.prepare(&fields, time, b"", &mut prepared).expect("no expression fails");
        entity.update(&plan, &prepared, time);
        if checks.contains(&n) {
            for answer in read(&entity, &plan, ReadAt::Exact { x: time + 1 }, &mut scratch) {
                let Ok(Some(Value::I64(count))) = answer else { panic!("{answer:?} is no count") };
                if n <= 512 {
                    assert_eq!(count, n);
                } else {
                    let error = count as f64 / n as f64 - 1.0;
                    assert!(error.abs() < 3.0 * STANDARD_ERROR, "{count} of {n}: {error}");
                }
            }
        }
    }
}
