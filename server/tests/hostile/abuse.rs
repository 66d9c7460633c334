//! Random frames and changed valid ones at full speed. `LARDER_ABUSE_SECONDS` says for how long, `LARDER_SEED` replays a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use protocol::{
    DeleteRequest, Header, Opcode, PrepareRequest, PushRequest, PutRequest, PutRow, RetractRequest,
    ScanRequest, Target, WriteOptions, frame,
};
use server::Config;
use stdx::{
    clock::{Clock, SystemClock},
    cursor::Writer,
    prng::{Prng, seed_from_os},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    peer::{PATIENCE, Peer, World, read},
    witness::{Witness, alone, is_well, resident},
};

/// For CI, where the machine may have other things to do.
const SECONDS: u64 = 2;
const PEERS: u64 = 4;
/// Fewer frames, or fewer reads of the model, say nothing.
const FRAMES_MIN: u64 = 1000;
const READS_MIN: usize = 10;
/// Numbers that break arithmetic.
const NUMBERS: [u64; 6] = [0, 1, 65_535, u32::MAX as u64, i64::MAX as u64, u64::MAX];

/// When the peers end: when their time is over and enough was done. A machine that is slow has more time for that.
#[derive(Clone)]
struct End {
    at_ms: i64,
    frames: Arc<AtomicU64>,
    reads: Arc<AtomicUsize>,
}

impl End {
    fn has_come(&self, clock: &SystemClock) -> bool {
        let over_ms = clock.wall_ms() - self.at_ms;
        let is_enough = self.frames.load(Ordering::Relaxed) > FRAMES_MIN
            && self.reads.load(Ordering::Relaxed) > READS_MIN;
        over_ms >= 0 && (is_enough || u128::from(over_ms.unsigned_abs()) > PATIENCE.as_millis())
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test]
async fn random_and_changed_frames_at_full_speed_harm_nobody() {
    let _alone = alone().await;
    let seed = number("LARDER_SEED").unwrap_or_else(seed_from_os);
    let seconds = number("LARDER_ABUSE_SECONDS").unwrap_or(SECONDS);
    println!("LARDER_SEED={seed} LARDER_ABUSE_SECONDS={seconds}");
    let world = World::start(200, &Config::default());
    let witness = Witness::start(&world);
    let frames = valid(&world).await;
    let before = resident();
    let at_ms = SystemClock::new().wall_ms() + i64::try_from(seconds * 1000).expect("small");
    let end = End { at_ms, frames: Arc::new(AtomicU64::new(0)), reads: witness.reads() };
    let mut peers = tokio::task::JoinSet::new();
    for peer in 0..PEERS {
        let (frames, addr) = (frames.clone(), world.server.native_addr());
        let prng = Prng::stream(seed, &format!("peer {peer}"));
        peers.spawn(attack(addr, frames, prng, end.clone()));
    }
    while let Some(attacked) = peers.join_next().await {
        attacked.expect("the server goes on");
    }
    let sent = end.frames.load(Ordering::Relaxed);
    let grown = resident().saturating_sub(before);
    println!("{sent} frames, {} MiB more", grown >> 20);
    assert!(sent > FRAMES_MIN, "LARDER_SEED={seed}: {sent} frames");
    assert!(grown < 256 << 20, "LARDER_SEED={seed}: {grown} bytes");
    is_well(&world).await;
    let (reads, p99) = witness.end();
    println!("{reads} reads of the model, p99 {p99:?}");
    let p99_max = Duration::from_secs(if seconds > SECONDS { 2 } else { 10 });
    assert!(reads > READS_MIN && p99 < p99_max, "LARDER_SEED={seed}: {reads}, {p99:?}");
}

/// One connection after the other, each until it is cut.
async fn attack(addr: std::net::SocketAddr, frames: Vec<Vec<u8>>, mut prng: Prng, end: End) {
    let clock = SystemClock::new();
    while !end.has_come(&clock) {
        let Ok(stream) = TcpStream::connect(addr).await else { continue };
        let (mut reads, mut writes) = stream.into_split();
        // What is answered is read meanwhile, else both sides wait.
        let hears = tokio::spawn(async move {
            let mut heard = vec![0; 1 << 16];
            while reads.read(&mut heard).await.is_ok_and(|bytes| bytes > 0) {}
        });
        while !hears.is_finished() && !end.has_come(&clock) && !prng.chance(0.01) {
            let mut bytes = Vec::new();
            for _ in 0..=prng.below(8) {
                bytes.extend(next(&frames, &mut prng));
                end.frames.fetch_add(1, Ordering::Relaxed);
            }
            if writes.write_all(&bytes).await.is_err() {
                break;
            }
        }
        hears.abort();
    }
}

fn next(frames: &[Vec<u8>], prng: &mut Prng) -> Vec<u8> {
    let index = |prng: &mut Prng, bound: usize| {
        usize::try_from(prng.below(bound.max(1) as u64)).expect("small")
    };
    if prng.chance(0.02) {
        return (0..prng.below(200)).map(|_| prng.below(256).to_le_bytes()[0]).collect();
    }
    let mut frame = frames[index(prng, frames.len())].clone();
    for _ in 0..prng.below(4) {
        // Seldom in the header: else most connections would end at once.
        let least = if prng.chance(0.05) { 0 } else { frame::HEADER_BYTES.min(frame.len() - 1) };
        let at = least + index(prng, frame.len() - least);
        match prng.below(4) {
            0 => frame[at] ^= 1 << prng.below(8),
            1 => frame[at] = prng.below(256).to_le_bytes()[0],
            2 => {
                let number = NUMBERS[index(prng, NUMBERS.len())].to_le_bytes();
                let width = 8.min(frame.len() - at);
                frame[at..at + width].copy_from_slice(&number[..width]);
            }
            _ => {
                // Cut, or longer, under a length that fits: only what is inside is wrong.
                let length = (at + index(prng, 64)).max(frame::HEADER_BYTES);
                frame.resize(length, 0);
                let length = u32::try_from(length).expect("small").to_le_bytes();
                frame[..4].copy_from_slice(&length);
            }
        }
    }
    frame
}

/// One valid request of each operation that leaves what the witness reads alone.
async fn valid(world: &World) -> Vec<Vec<u8>> {
    let mut peer = Peer::connect(&world.server).await;
    let vectors = peer.prepare("wide:*").await;
    let windows = peer.prepare("spend:*").await;
    let group = peer.prepare_group("wide").await;
    let target = Target::Stream("payments".to_owned());
    peer.send(Opcode::Prepare, 0, |out| PrepareRequest { target, purpose: None }.encode(out)).await;
    let (_, body) = peer.receive().await.expect("an answer");
    let stream = protocol::Prepared::decode(&body.expect("prepared")).expect("one").handle;
    let key = b"zzzz-zzzz-zzzz".as_slice();
    let row = [vec![0b1010_1010; 12], vec![0b1010], 7_i64.to_le_bytes().repeat(50)].concat();
    let now = SystemClock::new().wall_ms().to_le_bytes();
    let event =
        [&[0b10_1010][..], &14_u32.to_le_bytes(), key, &now, &1250_i64.to_le_bytes()].concat();
    let options = WriteOptions { producer: 5, sequence: 1, ..WriteOptions::default() };
    let frame = |opcode, encode: &dyn Fn(&mut Writer<'_>)| {
        let mut out = Vec::new();
        frame::write(&mut out, Header::request(opcode, 3, 0), |out| encode(out)).expect("small");
        out
    };
    let keys = &world.keys[10..60];
    vec![
        frame(Opcode::Hello, &|out| {
            out.u16(1).block(b"hostile");
        }),
        frame(Opcode::Ping, &|_| {}),
        frame(Opcode::Describe, &|out| protocol::DescribeRequest { name: None }.encode(out)),
        frame(Opcode::Prepare, &|out| {
            let target = Target::Features(vec!["wide:f1".to_owned(), "spend:*".to_owned()]);
            PrepareRequest { target, purpose: None }.encode(out);
        }),
        frame(Opcode::Read, &|out| read(vectors, keys).encode(out)),
        frame(Opcode::Read, &|out| read(windows, &keys[..5]).encode(out)),
        frame(Opcode::Put, &|out| {
            let rows = vec![PutRow { key, event_time: Some(2), row: &row }];
            PutRequest { handle: group, options, features: 50, rows }.encode(out);
        }),
        frame(Opcode::Push, &|out| {
            PushRequest { handle: stream, options, fields: 3, events: vec![&event] }.encode(out);
        }),
        frame(Opcode::Retract, &|out| {
            RetractRequest { handle: stream, options, fields: 3, events: vec![&event] }.encode(out);
        }),
        frame(Opcode::Delete, &|out| {
            DeleteRequest { handle: group, options, keys: vec![key] }.encode(out);
        }),
        frame(Opcode::Scan, &|out| {
            ScanRequest { handle: group, cursor: b"", limit: 100 }.encode(out);
        }),
        frame(Opcode::Stats, &|_| {}),
    ]
}
