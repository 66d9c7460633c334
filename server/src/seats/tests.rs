//! Where connections are dealt to, and that nothing is lost on the way from one thread to another.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use engine::{Database, OsFs};
use protocol::{CallStatus, Header, Opcode, frame};
use stdx::{
    clock::SystemClock,
    prng::{Prng, seed_from_os},
};

use super::*;
use crate::{Config, Server};

fn dealt(threads: usize, used: usize) -> (Seats, Deal) {
    let (seats, _) = Seats::new(threads, used);
    let deal = seats.now();
    (seats, deal)
}

/// How many of so many connections, which heard of `seen` last, are on each thread once they have looked.
fn after(seats: &Seats, seen: Deal, before: &[usize]) -> Vec<usize> {
    let mut on = vec![0; seats.threads()];
    for (here, count) in before.iter().enumerate() {
        for _ in 0..*count {
            let mut seen = seen;
            on[seats.leaves(here, &mut seen).unwrap_or(here)] += 1;
            assert!(!seats.is_news(seen) && seats.leaves(here, &mut seen).is_none(), "once");
        }
    }
    on
}

#[test]
fn threads_that_come_into_use_get_their_part_and_those_that_go_out_of_use_give_all() {
    let (seats, mut seen) = dealt(4, 1);
    assert!(!seats.is_news(seen) && seats.used() == 1);
    seats.deal(2);
    assert_eq!(after(&seats, seen, &[48, 0, 0, 0]), [24, 24, 0, 0]);
    seen = seats.now();
    seats.deal(4);
    assert_eq!(after(&seats, seen, &[24, 24, 0, 0]), [12, 12, 12, 12]);
    seen = seats.now();
    seats.deal(3);
    assert_eq!(after(&seats, seen, &[12, 12, 12, 12]), [16, 16, 16, 0], "the others stay");
    seen = seats.now();
    seats.deal(0);
    assert_eq!((seats.used(), after(&seats, seen, &[16, 16, 16, 0])), (1, vec![48, 0, 0, 0]));
    seats.deal(9);
    assert_eq!(seats.used(), 4, "no more than there are");
    assert_eq!(after(&seats, Deal::NONE, &[0, 0, 0, 40]), [10, 10, 10, 10], "dealt again");
}

fn below(prng: &mut Prng, bound: usize) -> usize {
    usize::try_from(prng.below(bound as u64)).expect("small")
}

/// Asks for `count` answers, several at once, and looks whether each comes once and in order.
fn converses(addr: SocketAddr, prng: &mut Prng, count: u64) {
    let mut peer = std::net::TcpStream::connect(addr).expect("it listens");
    peer.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    let (mut answers, mut awaited, mut asked) = (Vec::new(), 0, 0);
    while awaited < count {
        let more = (1 + prng.below(8)).min(count - asked);
        let mut requests = Vec::new();
        for id in asked..asked + more {
            let header = Header::request(Opcode::Ping, id, 0);
            frame::write(&mut requests, header, |_| {}).expect("it is small");
        }
        asked += more;
        // In two pieces, the first of which may end in the middle of a request.
        let cut = below(prng, requests.len() + 1);
        for piece in [&requests[..cut], &requests[cut..]] {
            peer.write_all(piece).expect("it is read");
        }
        while awaited < asked {
            while let Ok(Some(reply)) = frame::first(&answers) {
                let header = reply.header;
                assert_eq!((header.request_id, header.status()), (awaited, Some(CallStatus::Ok)));
                awaited += 1;
                let length = reply.length;
                answers.drain(..length);
            }
            if awaited < asked {
                let mut bytes = [0; 4096];
                let read = peer.read(&mut bytes).expect("it answers");
                assert!(read > 0, "the connection was lost after {awaited} answers");
                answers.extend_from_slice(&bytes[..read]);
            }
        }
    }
}

#[test]
fn connections_that_are_dealt_anew_all_the_time_lose_no_answer_and_give_none_twice() {
    let seed = seed_from_os();
    println!("seed {seed}");
    let directory = tempfile::tempdir().expect("a directory");
    let files = OsFs::open(directory.path()).expect("the directory can be used");
    let database = Database::open(files, &engine::Config::default(), Arc::new(SystemClock::new()));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { listen: any, admin: any, threads: 4, ..Config::default() };
    let server = Server::start(&config, database.expect("it opens")).expect("it starts");
    let (shared, is_over) = (Arc::clone(&server.shared), AtomicBool::new(false));
    let dealer = || {
        let mut prng = Prng::new(seed);
        while !is_over.load(Ordering::Relaxed) {
            shared.seats.deal(1 + below(&mut prng, 4));
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(dealer);
        let talk = |number: u64| {
            let (addr, mut prng) =
                (server.native_addr(), Prng::stream(seed, &format!("peer {number}")));
            scope.spawn(move || converses(addr, &mut prng, 2_000))
        };
        let talks: Vec<_> = (0..8).map(talk).collect();
        let heard = talks.into_iter().all(|talk| talk.join().is_ok());
        // While connections are on their way.
        let ended = server.shutdown();
        is_over.store(true, Ordering::Relaxed);
        assert!(heard && ended.is_ok(), "{ended:?}");
    });
    let (ping, ok) = (usize::from(Opcode::Ping.code()), usize::from(CallStatus::Ok.code()));
    let served: Vec<_> = (0..4).map(|at| shared.metrics.network(at).requests(ping, ok)).collect();
    assert!(served.iter().sum::<u64>() == 16_000 && served.iter().all(|n| *n > 0), "{served:?}");
}
