//! The definitions in `examples/` are read by the code they are examples of.

use model::definition::{Definitions, Plan, Service, describe};

fn example(name: &str) -> Definitions {
    let path = format!("{}/../examples/{name}/features.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the example is in the repository");
    Definitions::parse("features.toml", &text, &Definitions::default())
        .unwrap_or_else(|error| panic!("{path}:\n{error}"))
}

#[test]
fn payments_make_the_vector_of_fraud_v3() {
    let definitions = example("payments");
    let (_, service) = definitions.service("fraud_v3").expect("defined");
    let entities: Vec<_> =
        service.entities.iter().map(|entity| definitions.entities[*entity].name.as_str()).collect();
    assert_eq!(entities, ["card", "merchant"]);
    let names: Vec<_> = service.features.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names.len(), 3 + 8 * 4 + 3);
    assert_eq!(
        names[..8],
        [
            "country",
            "credit_limit",
            "embedding",
            "payments_5m",
            "payments_1h",
            "payments_24h",
            "payments_7d",
            "spend_5m"
        ]
    );
    let derived: Vec<_> = service
        .derived
        .iter()
        .map(|derived| format!("{} {}", derived.name, derived.data_type))
        .collect();
    assert_eq!(derived, ["spend_ratio f64", "amount_z f64", "limit_used f64", "is_burst bool"]);
}

#[test]
fn payments_have_the_default_hops() {
    let definitions = example("payments");
    let described = describe(&definitions, Some("card_spend")).expect("defined");
    let windows: Vec<_> = described[0]
        .properties
        .iter()
        .filter(|(name, _)| name.starts_with("window"))
        .map(|(name, text)| format!("{name}: {text}"))
        .collect();
    assert_eq!(
        windows,
        [
            "window 5m: hop 15s, covers up to 5.0 % more",
            "window 1h: hop 15s, covers up to 0.4 % more",
            "window 24h: hop 1h, covers up to 4.2 % more",
            "window 7d: hop 1h, covers up to 0.6 % more",
        ]
    );
    let big = described[0].columns.iter().find(|(name, _, _)| name == "big_24h").expect("a column");
    assert_eq!(big.1, "i64");
    assert_eq!(big.2, "count(*) filter (where amount > 500) over 24h");
}

#[test]
fn the_same_file_twice_changes_nothing() {
    for name in ["payments", "commits"] {
        let once = example(name);
        let path = format!("{}/../examples/{name}/features.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("the example is in the repository");
        let twice = Definitions::parse("features.toml", &text, &once).expect("parses");
        assert_eq!(once, twice);
        assert!(Plan::between(&once, &twice).is_empty());
    }
}

#[test]
fn columns_of_one_name_in_two_groups_are_told_apart() {
    let definitions = example("commits");
    let (_, service) = definitions.service("review_v1").expect("defined");
    let names: Vec<_> = service.features.iter().map(|feature| feature.name.as_str()).collect();
    assert!(
        names.contains(&"author_activity:touches_7d")
            && names.contains(&"file_activity:touches_7d")
    );
    assert!(names.contains(&"large_7d") && names.contains(&"authors_7d"));
}

#[test]
fn references_can_be_read_without_a_service() {
    let definitions = example("payments");
    let service =
        Service::ad_hoc(&definitions, &["merchant_risk:*", "card_profile:country"]).expect("known");
    assert_eq!((service.entities.len(), service.features.len()), (2, 7));
    for (reference, expected) in [
        ("card_profil:country", "did you mean card_profile?"),
        ("card_profile:contry", "did you mean country?"),
        ("country", "is not written as \"group:feature\" or \"group:*\""),
        ("card_spend:spend", "it has: payments_5m"),
    ] {
        let message = Service::ad_hoc(&definitions, &[reference]).expect_err(reference).to_string();
        assert!(message.contains(expected), "{message}");
    }
    let twice = Service::ad_hoc(&definitions, &["card_profile:*", "card_profile:country"]);
    assert!(twice.expect_err("twice").to_string().contains("listed twice"));
    assert!(Service::ad_hoc(&definitions, &[]).is_err());
}
