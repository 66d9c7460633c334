//! Decisions on random definitions and policies, compared with what a few lines of brute force over their texts say.

use model::definition::Definitions;
use stdx::prng::{Prng, seed_from_os};

use super::{Policy, Question, explain, token::NewToken};

/// Names that are prefixes of each other, so that `*` and its lack matter.
const GROUPS: [&str; 4] = ["card", "card_spend", "cards", "other"];
const FEATURES: [&str; 3] = ["a", "ab", "b"];
const SERVICES: [&str; 3] = ["score", "score_2", "mail"];
const PURPOSES: [&str; 3] = ["fraud", "support", "*"];

/// What was drawn, as plain lists.
struct World {
    personal_entity: bool,
    /// By group, of itself and of each feature.
    personal_groups: Vec<(bool, Vec<bool>)>,
    /// By service, of itself, and what it reads: groups and features.
    services: Vec<(bool, Vec<(usize, usize)>)>,
    roles: Vec<Role>,
}

#[derive(Default)]
struct Role {
    read: Vec<String>,
    write: Vec<String>,
    purposes: Vec<&'static str>,
    admin: bool,
}

fn pick<'a, T: ?Sized>(prng: &mut Prng, of: &[&'a T]) -> &'a T {
    of[usize::try_from(prng.below(of.len() as u64)).expect("short")]
}

fn name(prng: &mut Prng, of: &[&str]) -> String {
    let name = pick(prng, of);
    match prng.below(4) {
        0 => "*".to_owned(),
        1 => format!("{}*", &name[..1]),
        _ => name.to_owned(),
    }
}

fn rule(prng: &mut Prng, right: &str) -> String {
    let kind = prng.below(if right == "read" { 10 } else { 4 });
    match kind {
        0 if prng.chance(0.2) => "*".to_owned(),
        0 | 1 => format!("group:{}", name(prng, &GROUPS)),
        2 | 3 => format!("stream:{}", name(prng, &GROUPS)),
        4 | 5 => format!("service:{}", name(prng, &SERVICES)),
        _ => format!("{}:{}", name(prng, &GROUPS), name(prng, &FEATURES)),
    }
}

impl World {
    fn draw(prng: &mut Prng) -> Self {
        let personal_groups = GROUPS.iter().map(|_| {
            let itself = prng.chance(0.1);
            (itself, FEATURES.iter().map(|_| prng.chance(0.2)).collect())
        });
        let personal_groups = personal_groups.collect();
        let mut services = Vec::new();
        for _ in SERVICES {
            let all =
                (0..GROUPS.len()).flat_map(|group| (0..FEATURES.len()).map(move |it| (group, it)));
            let rate = [0.0, 0.1, 0.5][usize::try_from(prng.below(3)).expect("short")];
            services.push((prng.chance(0.1), all.filter(|_| prng.chance(rate)).collect()));
        }
        let mut roles = Vec::new();
        for _ in 0..=prng.below(3) {
            let read = (0..prng.below(5)).map(|_| rule(prng, "read")).collect();
            let write = (0..prng.below(3)).map(|_| rule(prng, "write")).collect();
            let purposes = (0..prng.below(3)).map(|_| pick(prng, &PURPOSES)).collect();
            roles.push(Role { read, write, purposes, admin: prng.chance(0.1) });
        }
        Self { personal_entity: prng.chance(0.1), personal_groups, services, roles }
    }

    fn definitions(&self) -> Definitions {
        let tag = |is: bool| if is { "tags = [\"x\", \"pii\"]\n" } else { "tags = [\"piii\"]\n" };
        let mut text = format!("[entity.card]\nkey = \"string\"\n{}", tag(self.personal_entity));
        for (group, (itself, features)) in GROUPS.iter().zip(&self.personal_groups) {
            text += &format!(
                "[group.{group}]\nentity = \"card\"\n{}[group.{group}.features]\n",
                tag(*itself)
            );
            FEATURES.iter().for_each(|feature| text += &format!("{feature} = \"i64\"\n"));
            text += &format!("[group.{group}.feature_tags]\n");
            for (feature, is) in FEATURES.iter().zip(features) {
                text += &format!("{feature} = [{}]\n", if *is { "\"pii\"" } else { "" });
            }
        }
        for (service, (itself, features)) in SERVICES.iter().zip(&self.services) {
            let references = features
                .iter()
                .map(|(group, it)| format!("\"{}:{}\"", GROUPS[*group], FEATURES[*it]));
            let references: Vec<_> = references.collect();
            text += &format!(
                "[service.{service}]\n{}features = [{}]\n",
                tag(*itself),
                references.join(", ")
            );
            text += &format!(
                "[service.{service}.request]\nx = \"i64\"\n[service.{service}.derived]\ny = \"request.x + 1\"\n"
            );
        }
        Definitions::parse("f.toml", &text, &Definitions::default()).expect(&text)
    }

    fn policy(&self) -> Policy {
        let token = NewToken::generate().expect("the system has randomness").sha256();
        let mut text = String::new();
        for (number, role) in self.roles.iter().enumerate() {
            let Role { read, write, purposes, admin } = role;
            text += &format!(
                "[role.r{number}]\nread = {read:?}\nwrite = {write:?}\npurposes = {purposes:?}\nadmin = {admin}\n"
            );
        }
        let roles: Vec<_> = (0..self.roles.len()).map(|number| format!("r{number}")).collect();
        text +=
            &format!("[subject.s]\nroles = {roles:?}\n[[subject.s.token]]\nsha256 = \"{token}\"\n");
        Policy::parse("a.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn is_personal(&self, (group, feature): (usize, usize)) -> bool {
        let (itself, features) = &self.personal_groups[group];
        self.personal_entity || *itself || features[feature]
    }

    /// Whether all of `features` may be read, as parts of a service or by themselves.
    fn reads(&self, features: &[(usize, usize)], service: Option<usize>, purpose: &str) -> bool {
        features.iter().all(|at| {
            let is_personal =
                self.is_personal(*at) || service.is_some_and(|it| self.services[it].0);
            self.roles.iter().any(|role| {
                let granted = role.read.iter().any(|rule| {
                    service.is_some_and(|it| covers(rule, "service", SERVICES[it]))
                        || covers(rule, "group", GROUPS[at.0])
                        || of_feature(rule, GROUPS[at.0], FEATURES[at.1])
                });
                let listed = role.purposes.iter().any(|it| *it == "*" || *it == purpose);
                granted && (!is_personal || (!purpose.is_empty() && listed))
            })
        })
    }

    fn any(&self, rules: impl Fn(&Role) -> &Vec<String>, kind: &str, name: &str) -> bool {
        self.roles.iter().any(|role| rules(role).iter().any(|rule| covers(rule, kind, name)))
    }
}

fn begins(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

fn covers(rule: &str, kind: &str, name: &str) -> bool {
    rule == "*" || rule.split_once(':').is_some_and(|(known, it)| known == kind && begins(it, name))
}

fn of_feature(rule: &str, group: &str, feature: &str) -> bool {
    let Some((groups, features)) = rule.split_once(':') else { return false };
    !["group", "service", "stream"].contains(&groups)
        && begins(groups, group)
        && begins(features, feature)
}

#[test]
fn decisions_are_those_of_brute_force() {
    let given = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(seed_from_os);
    let (mut allowed, mut denied) = (0, 0);
    for round in 0..400_u64 {
        let mut prng = Prng::stream(seed.wrapping_add(round), "access");
        let world = World::draw(&mut prng);
        let (definitions, policy) = (world.definitions(), world.policy());
        let subject = policy.subject("s").expect("it is there");
        let mut ask = |purpose: &str, question: Question<'_>, expected: bool| {
            let told = explain(subject, purpose, question, Some(&definitions)).expect("it is one");
            let what =
                format!("{question:?} for {purpose:?}: {:?}, LARDER_SEED={seed}", told.lines);
            assert_eq!(told.is_allowed, expected, "{what}, round {round}");
            *(if expected { &mut allowed } else { &mut denied }) += 1;
        };
        for purpose in ["", "fraud", "support", "marketing"] {
            for (number, service) in SERVICES.iter().enumerate() {
                let features = &world.services[number].1;
                let by_name = world.any(|role| &role.read, "service", service);
                let expected = if features.is_empty() {
                    by_name
                } else {
                    world.reads(features, Some(number), purpose)
                };
                ask(purpose, Question::Read(&format!("service:{service}")), expected);
            }
            for (number, group) in GROUPS.iter().enumerate() {
                let all: Vec<_> = (0..FEATURES.len()).map(|feature| (number, feature)).collect();
                let expected = world.reads(&all, None, purpose);
                ask(purpose, Question::Read(&format!("group:{group}")), expected);
                ask(purpose, Question::Read(&format!("{group}:*")), expected);
                for (feature, at) in FEATURES.iter().zip(&all) {
                    let expected = world.reads(&[*at], None, purpose);
                    ask(purpose, Question::Read(&format!("{group}:{feature}")), expected);
                }
                let expected = world.any(|role| &role.write, "group", group);
                ask(purpose, Question::Write(&format!("group:{group}")), expected);
                let expected = world.any(|role| &role.write, "stream", group);
                ask(purpose, Question::Write(&format!("stream:{group}")), expected);
            }
            ask(purpose, Question::Administrate, world.roles.iter().any(|role| role.admin));
        }
    }
    assert!(allowed > 1000 && denied > 1000, "{allowed} allowed, {denied} denied");
}

/// The example of the documentation is one that a server takes.
#[test]
fn the_documented_policy_is_a_policy() {
    let page = include_str!("../../../docs/security.md");
    let (_, rest) = page.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("it ends");
    let policy = Policy::parse("docs/security.md", example).expect("it is good");
    let scorer = policy.subject("fraud-scorer").expect("it is there");
    let ask = |question| explain(scorer, "", question, None).expect("it is one").is_allowed;
    assert!(ask(Question::Read("service:fraud")) && !ask(Question::Administrate));
}
