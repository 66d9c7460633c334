//! Cards that pay at merchants, profiles of cards, and a spine of questions about both: from a seed.

use engine::replay::{ReplayPlan, ReplayTarget};
use export::replay::{BATCH_ROWS, Replay, ReplayOptions, Replayed, Verdict};
use model::{
    column::Column,
    packed_row::{Cell, write_row},
    value::ValueRef,
};
use stdx::prng::Prng;

pub(crate) const START: i64 = 1_767_225_600_000;

pub(crate) const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[entity.shop]
key = ["i64", "string"]
[stream.payments]
event_time = "ts"
event_id = "id"
dedup = "1h"
clock = "event"
[stream.payments.fields]
id = "i64"
card = "string"
chain = "i64"
city = "string"
amount = "decimal(2)"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "24h"]
[group.spend.features]
n = "count(*)"
total = "sum(amount)"
last = "last(city)"
[group.sales]
entity = "shop"
stream = "payments"
key = ["chain", "city"]
windows = ["1h"]
[group.sales.features]
sold = "sum(amount)"
[group.profile]
entity = "card"
max_age = "12h"
[group.profile.features]
limit = "i64"
name = "string"
[service.v]
features = ["spend:*", "sales:*", "profile:*"]
[service.v.request]
amount = "decimal(2)"
[service.v.derived]
left = "limit - total_24h - request.amount"
"#;

#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub(crate) id: i64,
    pub(crate) card: Option<String>,
    pub(crate) chain: i64,
    pub(crate) city: &'static str,
    pub(crate) cents: i64,
    pub(crate) ts: i64,
    pub(crate) arrival: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) card: String,
    pub(crate) limit: Option<Option<i64>>,
    pub(crate) name: Option<String>,
    pub(crate) time: i64,
    pub(crate) arrival: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) card: String,
    pub(crate) chain: i64,
    pub(crate) city: &'static str,
    pub(crate) as_of: i64,
    pub(crate) cents: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) payments: Vec<Payment>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) questions: Vec<Question>,
}

const CITIES: [&str; 3] = ["Bern", "Basel", "Chur"];

fn city(random: &mut Prng) -> &'static str {
    CITIES[usize::try_from(random.below(3)).expect("small")]
}

/// A card: the first of them pays half of all.
fn card(random: &mut Prng, cards: u64) -> String {
    format!("c{}", if random.chance(0.5) { 0 } else { random.below(cards) })
}

impl History {
    /// Over three days, in order of arrival; some late, some twice.
    pub(crate) fn new(seed: u64, payments: usize, questions: usize, cards: u64) -> Self {
        let mut random = Prng::new(seed);
        let span = 3 * 86_400_000;
        let step = span / i64::try_from(payments).expect("small");
        let mut arrival = START;
        let mut all: Vec<Payment> = Vec::new();
        for id in 0..payments {
            arrival += random.between(0, 2 * step);
            let late = if random.chance(0.1) {
                random.between(0, 3_600_000)
            } else {
                random.between(0, 500)
            };
            let again = random.chance(0.05).then(|| all.last().cloned()).flatten();
            all.push(match again {
                Some(before) => Payment { arrival, ts: before.ts + random.between(0, 3), ..before },
                None => Payment {
                    id: i64::try_from(id).expect("small"),
                    card: random.chance(0.98).then(|| card(&mut random, cards)),
                    chain: random.between(0, 3),
                    city: city(&mut random),
                    cents: random.between(-500, 100_000),
                    ts: arrival - late,
                    arrival,
                },
            });
        }
        let mut profiles: Vec<_> = (0..payments / 5)
            .map(|_| {
                let time = START + random.between(0, span);
                Profile {
                    card: card(&mut random, cards),
                    limit: random
                        .chance(0.7)
                        .then(|| random.chance(0.9).then(|| random.between(0, 9))),
                    name: random.chance(0.5).then(|| format!("name {time}")),
                    time,
                    arrival: time + random.between(0, 1_000_000),
                }
            })
            .filter(|profile| profile.limit.is_some() || profile.name.is_some())
            .collect();
        profiles.sort_by_key(|profile| profile.arrival);
        let questions = (0..questions)
            .map(|_| Question {
                card: card(&mut random, cards + 2),
                chain: random.between(0, 3),
                city: city(&mut random),
                as_of: START + random.between(-1000, span + 1000),
                cents: random.between(0, 500),
            })
            .collect();
        Self { payments: all, profiles, questions }
    }

    /// What a replay gives: every column of every row, shown.
    pub(crate) fn replayed(
        &self,
        options: ReplayOptions,
    ) -> (Vec<Vec<String>>, Vec<bool>, Vec<String>) {
        let plan =
            ReplayPlan::new("test.toml", DEFINITIONS, ReplayTarget::Service("v")).expect("valid");
        let mut replay = Replay::new(&plan, options).expect("valid options");
        for question in &self.questions {
            let shop = shop_key(question.chain, question.city);
            replay.read(&[question.card.as_bytes(), &shop], question.as_of).expect("taken");
        }
        replay.close_spine().expect("closed");
        let mut verdicts = Vec::new();
        for payment in &self.payments {
            let verdict = replay.event(0, &payment.cells(), Some(payment.arrival), &mut Vec::new());
            verdicts.push(match verdict.expect("taken") {
                Verdict::Accepted => "accepted".to_owned(),
                Verdict::Refused(kind, _) => format!("{kind:?}"),
            });
        }
        let (group, definition) = plan.definitions().group("profile").expect("defined");
        for profile in &self.profiles {
            let mut row = Vec::new();
            let limit = profile
                .limit
                .map(|limit| limit.map_or(Cell::Null, |limit| Cell::Value(ValueRef::I64(limit))));
            let name = profile.name.as_deref().map(|name| Cell::Value(ValueRef::String(name)));
            let cells = [limit.unwrap_or(Cell::Absent), name.unwrap_or(Cell::Absent)];
            write_row(&mut row, &definition.columns(), cells).expect("typed");
            let times = (profile.time, Some(profile.arrival));
            replay.row(group, profile.card.as_bytes(), times, &row).expect("taken");
        }
        let replayed = replay.finish(&|_, _| {}).expect("finished");
        let (rows, incomplete) = self.shown(&plan, &replayed);
        (rows, incomplete, verdicts)
    }

    fn shown(&self, plan: &ReplayPlan, replayed: &Replayed<'_>) -> (Vec<Vec<String>>, Vec<bool>) {
        let fields = plan.read_plan().request_fields();
        let requests: Vec<Vec<u8>> = self
            .questions
            .iter()
            .map(|question| {
                let mut row = Vec::new();
                let cell = Cell::Value(ValueRef::Decimal(question.cents, 2));
                write_row(&mut row, fields, [cell]).expect("typed");
                row
            })
            .collect();
        let (mut rows, mut all) = (Vec::new(), Vec::new());
        for (batch, requests) in requests.chunks(BATCH_ROWS).enumerate() {
            let requests: Vec<_> = requests.iter().map(Vec::as_slice).collect();
            let (columns, incomplete) = replayed.batch(batch, &requests).expect("there");
            all.extend(incomplete);
            rows.extend(
                (0..requests.len()).map(|row| columns.iter().map(|c| shown(c, row)).collect()),
            );
        }
        (rows, all)
    }
}

impl Payment {
    fn cells(&self) -> [Cell<'_>; 6] {
        let card = self.card.as_deref();
        [
            Cell::Value(ValueRef::I64(self.id)),
            card.map_or(Cell::Null, |card| Cell::Value(ValueRef::String(card))),
            Cell::Value(ValueRef::I64(self.chain)),
            Cell::Value(ValueRef::String(self.city)),
            Cell::Value(ValueRef::Decimal(self.cents, 2)),
            Cell::Value(ValueRef::Timestamp(self.ts)),
        ]
    }
}

fn shop_key(chain: i64, city: &str) -> Vec<u8> {
    let mut key = Vec::new();
    let parts = [Some(ValueRef::I64(chain)), Some(ValueRef::String(city))];
    assert_eq!(model::key::write_values(&mut key, parts.into_iter()), Ok(true));
    key
}

fn shown(column: &Column, row: usize) -> String {
    let (status, value) = column.get(row).expect("the row is there");
    value.map_or_else(|| status.to_string(), |value| format!("{status} {}", value.to_owned()))
}
