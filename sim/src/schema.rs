//! What the simulated database defines: one group of each kind, in versions that grow, and their shape as the model knows it.

use model::value::{DataType, Value};

/// 2026-01-01T00:00:00Z: when a simulation begins.
pub(crate) const START_MS: i64 = 1_767_225_600_000;
/// `dedup` of the orders.
pub(crate) const DEDUP_MS: i64 = 3_600_000;
/// `max_age` of the profiles.
pub(crate) const MAX_AGE_MS: i64 = 1_800_000;
/// How far ahead of the clock an order may be.
pub(crate) const MAX_SKEW_MS: i64 = 5_000;
/// The newest version of the definitions.
pub(crate) const VERSIONS: u64 = 2;

/// The text of a version, from 1 on.
pub(crate) fn definitions(version: u64) -> String {
    let since = |first: u64, text: &'static str| if version >= first { text } else { "" };
    let (note, coupon) = (since(2, "note = \"bytes\"\n"), since(2, "coupon = \"string\"\n"));
    let ever = since(2, EVER);
    format!("{ENTITIES}{PROFILE}{note}{ORDERS}{coupon}{CLICKS}{WINDOWS}{ever}")
}

const ENTITIES: &str = r#"
[entity.user]
key = "string"
[entity.shop]
key = "i64"
"#;

const PROFILE: &str = r#"
[group.profile]
entity = "user"
max_age = "30m"
[group.profile.features]
country = "string"
credit = "i64"
score = "f64"
vip = "bool"
balance = "decimal(2)"
"#;

const ORDERS: &str = r#"
[stream.orders]
event_time = "at"
event_id = "order"
dedup = "1h"
retract = true
horizon = "10m"
[stream.orders.fields]
order = "i64"
user = "string"
shop = "i64"
price = "decimal(2)"
at = "timestamp"
"#;

const CLICKS: &str = r#"
[stream.clicks]
event_time = "at"
clock = "event"
[stream.clicks.fields]
user = "string"
page = "i64"
at = "timestamp"
"#;

const WINDOWS: &str = r#"
[group.buying]
entity = "user"
stream = "orders"
key = "user"
windows = ["5m", "1d"]
hops = ["15s", "1h"]
[group.buying.features]
orders = "count(*)"
spent = "sum(price)"
low = "min(price)"
high = "max(price)"
newest = "last(price)"
shops = "approx_distinct(shop)"
[group.selling]
entity = "shop"
stream = "orders"
key = "shop"
windows = ["1h"]
hops = ["1m"]
[group.selling.features]
sold = "count(*)"
revenue = "sum(price)"
[group.clicking]
entity = "user"
stream = "clicks"
key = "user"
windows = ["1h"]
hops = ["1m"]
[group.clicking.features]
clicks = "count(*)"
pages = "approx_distinct(page)"
"#;

const EVER: &str = r#"
[group.ever]
entity = "user"
stream = "orders"
key = "user"
windows = ["all"]
[group.ever.features]
count = "count(*)"
total = "sum(price)"
"#;

/// Types of the profile's features, of all versions.
pub(crate) const PROFILE_TYPES: [DataType; 6] = [
    DataType::String,
    DataType::I64,
    DataType::F64,
    DataType::Bool,
    DataType::Decimal(2),
    DataType::Bytes,
];

/// How many features the profile has in a version.
pub(crate) fn profile_features(version: u64) -> usize {
    if version >= 2 { 6 } else { 5 }
}

/// How many fields an order has in a version.
pub(crate) fn order_fields(version: u64) -> usize {
    if version >= 2 { 6 } else { 5 }
}

/// A stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// On the wall clock, with ids that are remembered; can be retracted.
    Orders,
    /// On its events' clock, without ids.
    Clicks,
}

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entity {
    User,
    Shop,
}

/// What a window group computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Count,
    Sum,
    Min,
    Max,
    Last,
    DistinctShops,
    DistinctPages,
}

/// Length and hop in ms; `None` for a window over everything.
pub(crate) type Window = Option<(i64, i64)>;

/// A window group.
#[derive(Debug)]
pub(crate) struct WindowGroup {
    pub(crate) name: &'static str,
    pub(crate) entity: Entity,
    pub(crate) stream: Stream,
    /// First version that has it.
    pub(crate) since: u64,
    /// Shortest first.
    pub(crate) windows: &'static [Window],
    pub(crate) features: &'static [Aggregate],
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Every window group, in the order of the definitions.
pub(crate) const WINDOW_GROUPS: [WindowGroup; 4] = [
    WindowGroup {
        name: "buying",
        entity: Entity::User,
        stream: Stream::Orders,
        since: 1,
        windows: &[Some((5 * MINUTE, 15_000)), Some((24 * HOUR, HOUR))],
        features: &[
            Aggregate::Count,
            Aggregate::Sum,
            Aggregate::Min,
            Aggregate::Max,
            Aggregate::Last,
            Aggregate::DistinctShops,
        ],
    },
    WindowGroup {
        name: "selling",
        entity: Entity::Shop,
        stream: Stream::Orders,
        since: 1,
        windows: &[Some((HOUR, MINUTE))],
        features: &[Aggregate::Count, Aggregate::Sum],
    },
    WindowGroup {
        name: "clicking",
        entity: Entity::User,
        stream: Stream::Clicks,
        since: 1,
        windows: &[Some((HOUR, MINUTE))],
        features: &[Aggregate::Count, Aggregate::DistinctPages],
    },
    WindowGroup {
        name: "ever",
        entity: Entity::User,
        stream: Stream::Orders,
        since: 2,
        windows: &[None],
        features: &[Aggregate::Count, Aggregate::Sum],
    },
];

/// `horizon` of a stream, in ms: 60s is what a stream has that declares none.
pub(crate) fn horizon_ms(stream: Stream) -> i64 {
    match stream {
        Stream::Orders => 10 * MINUTE,
        Stream::Clicks => MINUTE,
    }
}

/// The text of a user's key.
pub(crate) fn user_key(user: u16) -> String {
    format!("u{user}")
}

/// The canonical bytes of an entity's key.
pub(crate) fn key_bytes(entity: Entity, number: u16) -> Vec<u8> {
    match entity {
        Entity::User => user_key(number).into_bytes(),
        Entity::Shop => i64::from(number).to_le_bytes().to_vec(),
    }
}

/// A price as the database shows it.
pub(crate) fn price(cents: i64) -> Value {
    Value::Decimal(cents, 2)
}
