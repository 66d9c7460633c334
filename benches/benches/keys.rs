//! Keys: from a caller's text to canonical bytes, and their hash, which places an entity in its shard and table.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use larder_benches::workload;
use model::key::{EntityKey, KeyPart, KeyType};
use stdx::hash::KeyHasher;

fn hash(criterion: &mut Criterion) {
    let hasher = KeyHasher::new(1);
    let keys: Vec<String> = (0..1000).map(workload::key).collect();
    let mut next = keys.iter().cycle();
    let length = keys.first().map_or(0, String::len);
    criterion.bench_function(&format!("hash a key of {length} bytes"), |bencher| {
        bencher.iter(|| hasher.hash(black_box(next.next().expect("they cycle").as_bytes())));
    });
    let long = vec![7_u8; 64];
    criterion.bench_function("hash a key of 64 bytes", |bencher| {
        bencher.iter(|| hasher.hash(black_box(&long)));
    });
}

fn canonical(criterion: &mut Criterion) {
    let one = [KeyType::String];
    criterion.bench_function("make a key of one string", |bencher| {
        bencher.iter(|| {
            let part = KeyPart::String("card-12345678".into());
            EntityKey::encode(black_box(&[part]), &one).expect("of its type")
        });
    });
    let two = [KeyType::String, KeyType::I64];
    criterion.bench_function("make a key of a string and a number", |bencher| {
        bencher.iter(|| EntityKey::parse(black_box("card-12345678|99"), &two).expect("valid"));
    });
}

criterion_group!(benches, hash, canonical);
criterion_main!(benches);
