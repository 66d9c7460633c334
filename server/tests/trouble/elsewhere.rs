//! Somewhere else to go: hedges pass a slow connection by, and an address that does not work is left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use client::Hedge;
use tokio::time::Instant;

use crate::proxy::{Fate, Proxy};
use crate::setting::{Setting, patient, read, shown};

/// Much longer than an honest read takes here, much shorter than the trouble.
const SOON: Duration = Duration::from_secs(30);
const TROUBLE: Duration = Duration::from_secs(60);
/// How long a read waits for the silent address, and as long again for the other.
const SILENCE: Duration = Duration::from_secs(1);
/// Reads that a busy machine may have kept from being answered in time.
const LATE_MAX: u32 = 10;

#[tokio::test]
async fn a_hedge_passes_a_slow_connection_by() {
    let setting = Setting::start().await;
    for hedge in [Hedge::After(Duration::from_millis(5)), Hedge::Percentile(95.0)] {
        let proxy = Proxy::to(setting.addr()).await;
        let client = patient(proxy.addr()).connections(2).build();
        let service = client.service("fraud").await.expect("prepared");
        let hedged = || read(&service, TROUBLE).hedge(hedge);
        let expected = shown(&read(&service, TROUBLE).send().await.expect("read"));
        // As many as say how long a read usually takes; they are not hedged, so that none of the budget is spent.
        let first = if matches!(hedge, Hedge::After(_)) { Hedge::Never } else { hedge };
        for _ in 0..32 {
            let vectors = read(&service, TROUBLE).hedge(first).send().await;
            assert_eq!(shown(&vectors.expect("read")), expected);
        }
        proxy.meddle(|piece| {
            let is_slow = piece.is_reply && piece.connection == 0;
            if is_slow { Fate::Late(TROUBLE) } else { Fate::Passes }
        });
        let begun = Instant::now();
        // In turn: half of them meet the slow connection first.
        for _ in 0..8 {
            assert_eq!(shown(&hedged().send().await.expect("read")), expected);
        }
        assert!(begun.elapsed() < SOON, "{hedge:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn reads_go_elsewhere_and_leave_a_silent_address_alone() {
    let setting = Setting::start().await;
    let proxy = Proxy::to(setting.addr()).await;
    let builder = patient(proxy.addr()).connections(1).breaker_after(3);
    let client = builder.also_read_from(setting.addr()).build();
    let service = client.service("fraud").await.expect("prepared");
    let expected = shown(&read(&service, TROUBLE).send().await.expect("read"));
    let swallowed = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&swallowed);
    proxy.meddle(move |piece| {
        counter.fetch_add(u32::from(!piece.is_reply), Ordering::Relaxed);
        Fate::Vanishes
    });
    let (begun, mut late) = (Instant::now(), 0);
    for _ in 0..30 {
        let vectors = loop {
            let asked = Instant::now();
            let error = match read(&service, 2 * SILENCE).send().await {
                Ok(vectors) => break vectors,
                Err(error) => error,
            };
            // The other address had its time, too: the machine may have taken it. Then it is read again.
            late += 1;
            let took = asked.elapsed();
            assert!(took > SILENCE * 3 / 2 && late <= LATE_MAX, "after {took:?}: {error}");
        };
        assert_eq!(shown(&vectors), expected, "read elsewhere");
    }
    let elapsed = begun.elapsed();
    // Three to learn of it; each further one came after a pause of 50 ms at least, that doubles: however slow the machine is,
    // what was not spent waiting in vain has room for so many pauses only.
    let swallowed = swallowed.load(Ordering::Relaxed);
    assert!((3..=20).contains(&swallowed), "{swallowed} of 30 reads went to the silent address");
    let pauses = Duration::from_millis(50) * ((1_u32 << (swallowed - 3)) - 1);
    let others = elapsed.saturating_sub(SILENCE * 9 / 10 * swallowed);
    assert!(pauses <= others, "{swallowed} of 30 reads went to the silent address in {elapsed:?}");
}
