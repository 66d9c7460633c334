//! Every target on its corpus and on seeded mutations of it: what a fuzzer does, small enough for every test run.
//!
//! `LARDER_SEED` replays one seed, `LARDER_FUZZ_RUNS` sets how many mutations each target gets. Whoever allocates for a length
//! that no bytes bear out meets the limit of the address space.

use std::{fs, path::Path};

use fuzz::{TARGETS, Target, mutate};
use stdx::prng::Prng;

/// Mutations of each target: some seconds.
const RUNS: u64 = 1500;
/// Address space of the tests, in bytes: generous for what they need.
const ADDRESS_SPACE_BYTES: u64 = 8 << 30;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The inputs in a target's folder, by name.
fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let entries =
        fs::read_dir(&folder).expect("a corpus: cargo run -p larder-fuzz --bin seed-corpus");
    let input = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.expect("an entry");
        let bytes = fs::read(entry.path()).expect("a file");
        (entry.file_name().to_string_lossy().into_owned(), bytes)
    };
    let mut inputs: Vec<_> = entries.map(input).collect();
    inputs.sort_unstable();
    inputs
}

fn limit_address_space() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::As).maximum;
    let limit = Rlimit { current: Some(ADDRESS_SPACE_BYTES), maximum };
    setrlimit(Resource::As, limit).expect("a lower limit is allowed");
}

fn run_target(name: &str) {
    limit_address_space();
    let target = TARGETS.iter().find(|target| target.name == name).expect("it is in the table");
    let corpus = corpus(target);
    // As this release writes it; the corpus keeps what earlier ones wrote.
    (target.seeds)().iter().for_each(|input| (target.run)(input));
    for (file, input) in &corpus {
        let ran = std::panic::catch_unwind(|| (target.run)(input));
        assert!(ran.is_ok(), "{name}: fuzz/corpus/{name}/{file}");
    }
    let runs = number("LARDER_FUZZ_RUNS").unwrap_or(RUNS);
    let seeds = number("LARDER_SEED").map_or(1..1 + runs, |seed| seed..seed + 1);
    for seed in seeds {
        let mut prng = Prng::new(seed);
        let mut pick =
            || &corpus[usize::try_from(prng.below(corpus.len() as u64)).expect("small")].1;
        let (one, other) = (pick(), pick());
        let input = mutate(one, other, &mut prng);
        let ran = std::panic::catch_unwind(|| (target.run)(&input));
        assert!(
            ran.is_ok(),
            "{name}: replay with LARDER_SEED={seed}; {} bytes: {}",
            input.len(),
            hex(&input)
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(400).map(|byte| format!("{byte:02x}")).collect()
}

macro_rules! targets {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            run_target(stringify!($name));
        }
    )*};
}

targets!(
    wal_scan,
    manifest,
    snapshot_open,
    sections,
    catalog,
    recovery,
    ops_crash,
    frame,
    request,
    definitions,
    expression
);
