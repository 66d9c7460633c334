//! Bytes of an entity that were cut or changed are refused or, where they still mean something, read, folded and merged
//! without a panic. (Checksums around them are the storage's.)

use aggregate::{EntityWindows, ReadAt, ReadScratch};
use stdx::prng::Prng;

use crate::workload::{Case, Event, index, read, seed};

#[test]
fn no_damage_panics() {
    let seed = seed(31);
    let mut random = Prng::stream(seed, "damage");
    let mut refused = 0;
    for _ in 0..30 {
        let case = Case::random(&mut random);
        let plan = case.plan();
        let now = 2 * case.reach_ms();
        let mut entity = EntityWindows::default();
        for _ in 0..200 {
            let time = now - random.between(0, case.reach_ms());
            entity.update(
                &plan,
                &Event::random(&mut random, &case, time).prepare(&case, &plan),
                now,
            );
        }
        if random.chance(0.7) {
            entity.compact(&plan, now);
        }
        let mut bytes = Vec::new();
        entity.encode(&mut bytes);
        let cut = index(&mut random, bytes.len());
        assert!(EntityWindows::decode(&plan, &bytes[..cut]).is_err(), "LARDER_SEED={seed}");
        for _ in 0..100 {
            let mut damaged = bytes.clone();
            let at = index(&mut random, damaged.len());
            damaged[at] ^= 1 << random.below(8);
            let Ok(mut damaged) = EntityWindows::decode(&plan, &damaged) else {
                refused += 1;
                continue;
            };
            let mut scratch = ReadScratch::default();
            let _values = read(&damaged, &plan, ReadAt::Exact { x: now }, &mut scratch);
            damaged.merge(&plan, &entity, now);
            damaged.compact(&plan, now);
            let _values = read(&damaged, &plan, ReadAt::Exact { x: now }, &mut scratch);
        }
    }
    assert!(refused > 100, "{refused} refused, LARDER_SEED={seed}");
}
