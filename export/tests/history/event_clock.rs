//! On an event clock, years behind that of the wall, deletes and retractions take effect in a replay where they did: among events.
//!
//! Deletes are kept with the time of the wall clock; taken for the stream's, it would put them after every event and read.

use engine::WriteOptions;
use export::replay::{ReplayOptions, ReplayOrder};
use stdx::prng::Prng;

use crate::harness::{LAZY, Place, START, Writer, apply};
use crate::replays::{CARDS, Given, Served, read, replay};

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[stream.payments]
event_time = "ts"
event_id = "id"
clock = "event"
retract = true
horizon = "1m"
history = true
fields = { id = "string", card = "string", amount = "decimal(2)", ts = "timestamp" }
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["1m", "10m"]
features = { n = "count(*)", total = "sum(amount)", latest = "last(amount)", least = "min(amount)" }
[service.all]
features = ["spend:*"]
"#;

/// Three years before the wall clock's first moment.
const FIRST: i64 = START - 3 * 365 * 86_400_000;

#[test]
fn deletes_on_an_event_clock_take_effect_among_events() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(11);
    println!("LARDER_SEED={seed}");
    let mut random = Prng::stream(seed, "event clock");
    let place = Place::new();
    let database = place.open();
    apply(&database, DEFINITIONS);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    let (group, _) = database.definitions().1.group("spend").expect("defined");
    let (mut served, mut deleted, mut retracted, mut now) = (Served::new(), 0, 0, FIRST);
    for number in 0..400 {
        place.clock.advance_ms(1000);
        // Whatever follows has a time of its own on the stream's clock: an event of nobody moves it on.
        let mut tick = |now: &mut i64, writer: &mut Writer<'_>| {
            *now += 1 + i64::try_from(random.below(2000)).expect("small");
            let (id, time) = (format!("tick {now}"), now.to_string());
            writer.push("payments", &[&[&id, "nobody", "1.00", &time]], *now);
            random.below(1 << 20)
        };
        let lot = tick(&mut now, &mut writer);
        let card = CARDS[usize::try_from(lot % 3).expect("small")];
        let late = i64::try_from(lot / 3 % 20_000).expect("small");
        let (id, time) = (number.to_string(), (now - late).to_string());
        let amount = format!("{}.50", lot % 100);
        writer.push("payments", &[&[&id, card, &amount, &time]], now);
        if tick(&mut now, &mut writer).is_multiple_of(3) {
            let keys: &[&[u8]] = &[CARDS[number % 3].as_bytes()];
            let done = database.delete(group, keys, &WriteOptions::default());
            done.expect("deleted").ticket.wait().expect("synced");
            deleted += 1;
        } else if lot.is_multiple_of(4) {
            writer.retract("payments", &[&[&id, card, "-", &time]]);
            retracted += 1;
        }
        tick(&mut now, &mut writer);
        read(&database, now, &mut served);
    }
    place.catch_up(&database, &mut follower);
    let options = ReplayOptions { order: ReplayOrder::Arrival, ..ReplayOptions::default() };
    let given = Given { definitions: DEFINITIONS, ..Given::HISTORY };
    let (_, replayed) = replay(&place, &served, &options, &given);
    let pairs = served.iter().zip(&replayed);
    let differences = pairs.filter(|((_, _, expected), found)| expected != *found).count();
    assert_eq!((differences, replayed.len()), (0, served.len()));
    assert!(deleted > 80 && retracted > 40, "{deleted} deletes, {retracted} retractions");
    // Many vectors lost something, so that a delete that came too late would be seen.
    let nothing = |vector: &&(String, i64, Vec<(String, String)>)| vector.2[0].1 == "0";
    assert!(served.iter().filter(nothing).count() > 50);
}
