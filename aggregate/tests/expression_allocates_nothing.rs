//! Evaluation is on the path of every event and every read: it must not allocate. The allocator of this test counts, for
//! each thread by itself, and an expression of every kind is evaluated under its eyes.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use aggregate::expr::evaluate;
use model::{
    expr::{Expr, Scope},
    value::{DataType, ValueRef},
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, and how often it was asked for memory.
struct Counting;

// SAFETY: every call is handed on to the system's allocator as it came; counting touches a thread-local number that needs no
// memory of its own and has no destructor.
#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from `System` by way of `alloc`, with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const EXPRESSIONS: [&str; 30] = [
    "i + d * 2 - f / 3",
    "i % 4 + mod(i, 3)",
    "-abs(i) < 3 and not b or s = 'x'",
    "s in ('a', 'b', 'c') or i not in (1, 2)",
    "i between 1 and 9",
    "case when i > 5 then s else 'low' end",
    "case s when 'x' then 1 else 2 end",
    "coalesce(n, f, 1)",
    "nullif(s, 'x')",
    "least(i, d, f) + greatest(i, d)",
    "cast(f as decimal(18, 3))",
    "cast(t as bigint)",
    "n is null",
    "ln(f) + exp(f) + sqrt(f)",
    "power(f, i)",
    "round(f) + round(d) + round(d, 1)",
    "floor(d) + ceil(f)",
    "sign(d)",
    "extract(week from t) + extract(doy from t)",
    "date_part('hour', t)",
    "date_trunc('quarter', t)",
    "t - timestamp '2024-01-01' + i",
    "t + i",
    "s like '%ü%_i'",
    "s not like s",
    "s ilike 'GR%'",
    "length(s)",
    "starts_with(s, 'Gr')",
    "haversine(f, i, d, f)",
    // What fails allocates nothing either.
    "ln(f - f)",
];

#[test]
fn no_expression_allocates_when_evaluated() {
    let inputs = [
        ("i", ValueRef::I64(7)),
        ("d", ValueRef::Decimal(250, 2)),
        ("f", ValueRef::F64(0.5)),
        ("s", ValueRef::String("Grüezi")),
        ("b", ValueRef::Bool(true)),
        ("t", ValueRef::Timestamp(1_709_214_307_890)),
    ];
    let mut scope = Scope::new();
    for (name, value) in &inputs {
        scope.declare(&[name], value.data_type());
    }
    scope.declare(&["n"], DataType::F64);
    let values: Vec<_> = inputs.iter().map(|(_, value)| Some(*value)).chain([None]).collect();
    let expressions: Vec<_> =
        EXPRESSIONS.iter().map(|text| (text, Expr::compile(text, &scope).expect(text))).collect();
    for (text, expr) in &expressions {
        let before = ALLOCATIONS.get();
        let is_failure = evaluate(expr, &values).is_err();
        let allocations = ALLOCATIONS.get() - before;
        assert_eq!(allocations, 0, "{text}");
        assert_eq!(is_failure, text.contains("f - f"), "{text}");
    }
}

#[test]
fn the_allocator_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(7)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}
