//! Definitions from text: parsed alone and over others, planned, applied, read back. What is refused is refused in few words.

use model::{
    definition::{Definitions, Plan},
    limits::{DEFINITIONS_BYTES_MAX, PROBLEMS_LISTED_MAX},
};

use crate::base;

/// Bytes of a message for each problem listed: names and values in it are cut.
const MESSAGE_BYTES_MAX: usize = 4096;

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let nothing = Definitions::default();
    let defined = match Definitions::parse("f.toml", text, &nothing) {
        Ok(definitions) => definitions,
        Err(error) => {
            let told = error.to_string();
            let most = MESSAGE_BYTES_MAX * (PROBLEMS_LISTED_MAX + 1) + text.len();
            assert!(told.len() <= most, "{} bytes of problems", told.len());
            return;
        }
    };
    assert!(text.len() <= DEFINITIONS_BYTES_MAX);
    let again = Definitions::parse("f.toml", text, &defined).expect("it was valid");
    assert!(Plan::between(&defined, &again).is_empty(), "the same text changes something");
    let _ = Plan::between(&nothing, &defined).to_string();

    // Over others: refused, or applied, and then there after a restart.
    let fs = base::defined();
    let database = base::open(&fs).expect("it opens");
    let applied = database.apply("f.toml", text, false);
    for service in database.definitions().1.services.iter().take(8) {
        let _ = database.plan_service(service.name.as_str());
    }
    base::flush(&database).expect("a healthy disk");
    let version = database.definitions_version();
    drop(database);
    fs.kill();
    let database = base::open(&fs).expect("what was applied can be opened");
    assert_eq!(database.definitions_version(), version, "{applied:?}");
}

/// The definitions of other targets, and every kind of definition there is.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let all = include_str!("../../../examples/payments/features.toml");
    let services = "[entity.e]\nkey = [\"string\", \"i64\"]\n[group.g]\nentity = \"e\"\nttl = \"30d\"\n[group.g.features]\n\
                    a = \"f64\"\nb = \"decimal(2)\"\nv = \"f32[4]\"\n[service.s]\nfeatures = [\"g:a\", \"g:b\"]\n\
                    request = { x = \"f64\" }\n[service.s.derived]\nd = \"a / nullif(x, 0)\"\n";
    [base::DEFINITIONS, all, services].map(|text| text.as_bytes().to_vec()).to_vec()
}
