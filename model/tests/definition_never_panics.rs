//! Whatever bytes somebody applies, the answer is definitions or an error: never a panic, never an endless loop.

use model::{
    definition::{Aggregate, Definitions, Plan, describe},
    expr::{Expr, Scope},
    value::DataType,
};
use stdx::prng::Prng;

/// `LARDER_SEED`, to replay a failure, else a fixed one.
fn seed() -> u64 {
    std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_240_601)
}

const PIECES: [&str; 40] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    ",",
    ".",
    ":",
    "=",
    "\n",
    " ",
    "*",
    "-",
    "not ",
    "case when ",
    " end",
    "cast(",
    " as bigint)",
    "sum(",
    "count(*)",
    "null",
    "amount",
    "request.amount",
    "9223372036854775808",
    "1e999",
    "0.1",
    "decimal(18,19)",
    "timestamp '",
    " between 1 and ",
    " in (1, 2)",
    "[group.x]\n",
    "f32[9]",
    "\u{e9}",
    "\0",
    "--",
    "/*",
    "interval '1' day",
];

fn below(random: &mut Prng, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).expect("below a usize")
}

/// `text` with up to eight random cuts, copies and insertions.
fn mutated(text: &str, random: &mut Prng) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(8) {
        let index = |random: &mut Prng, bytes: &[u8]| below(random, bytes.len() + 1);
        let at = index(random, &bytes);
        match random.below(3) {
            0 => {
                let end = bytes.len().min(at + below(random, 40));
                bytes.drain(at..end);
            }
            1 => {
                let piece = PIECES[below(random, PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
            _ => {
                let end = bytes.len().min(at + below(random, 60));
                let copied = bytes[at..end].to_vec();
                let to = index(random, &bytes);
                bytes.splice(to..to, copied);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn mutated_files_are_read_or_refused() {
    let path = format!("{}/../examples/payments/features.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the example is in the repository");
    let seed = seed();
    let mut random = Prng::stream(seed, "files");
    let base = Definitions::parse("base", &text, &Definitions::default()).expect("right");
    let mut accepted = 0;
    for round in 0..1500 {
        let file = mutated(&text, &mut random);
        match Definitions::parse("f.toml", &file, &base) {
            Ok(new) => {
                accepted += 1;
                assert!(describe(&new, None).is_ok(), "LARDER_SEED={seed} round {round}");
                assert!(!Plan::between(&base, &new).to_string().is_empty());
            }
            Err(error) => {
                let message = error.to_string();
                assert!(
                    message.lines().all(|line| line.starts_with("f.toml:")),
                    "LARDER_SEED={seed}: {message}"
                );
            }
        }
    }
    assert!(accepted > 20, "mutations should often be harmless: {accepted}");
}

#[test]
fn random_expressions_are_compiled_or_refused() {
    let seed = seed();
    let mut random = Prng::stream(seed, "expressions");
    let mut scope = Scope::new();
    scope.declare(&["amount", "request.amount"], DataType::Decimal(2));
    for _ in 0..5000 {
        let count = below(&mut random, 12);
        let text: String = (0..count).map(|_| PIECES[below(&mut random, PIECES.len())]).collect();
        let mut outcomes =
            [Expr::compile(&text, &scope).err(), Aggregate::compile(&text, &[]).err()];
        for error in outcomes.iter_mut().filter_map(Option::take) {
            assert!(error.to_string().contains(':'), "LARDER_SEED={seed}: {text}");
        }
    }
}

#[test]
fn towers_and_chains_are_refused_quickly() {
    let mut scope = Scope::new();
    scope.declare(&["a"], DataType::I64);
    let chain = |count: usize| vec!["a"; count].join(" + ");
    let cases = [
        format!("{}a{}", "(".repeat(500), ")".repeat(500)),
        format!("{}a", "-".repeat(400)).replace("--", "- -"),
        format!("{}true", "not ".repeat(500)),
        format!("{}a", "cast(".repeat(400)),
        format!("{}a", "case when ".repeat(400)),
        format!("{}a", "coalesce(a, ".repeat(200)),
        chain(100),
        chain(510),
        chain(100_000),
        "a".repeat(100_000),
        (0..14).fold("a".to_owned(), |text, _| {
            format!("case {text} when 1 then 1 when 2 then 2 when 3 then 3 end")
        }),
    ];
    for text in &cases {
        let error = Expr::compile(text, &scope).expect_err("too deep, too long or wrong");
        assert!(error.to_string().starts_with("1:"), "{error}");
    }
    assert!(Expr::compile(&chain(60), &scope).is_ok());
}
