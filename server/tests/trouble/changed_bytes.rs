//! Bytes that change on their way. Frames carry no checksum: what is neither a value, a status nor the as-of must be noticed, and
//! nothing may panic, hang, or be taken for the reply to something else.

use std::time::Duration;

use client::Vectors;

use crate::proxy::{Fate, Proxy};
use crate::setting::{PATIENCE, Seeded, Setting, patient, read, shown};

/// What a read is given whose reply has changed: whole, since some changes make the client wait for more.
const BUDGET: Duration = Duration::from_millis(80);
/// Header, then as-of, then rows, columns and flags, then one status for each of four columns, then padding, then values.
const AS_OF: std::ops::Range<usize> = 24..32;
const STATUSES: std::ops::Range<usize> = 40..44;
const VALUES: usize = 48;

/// What the client made of a reply.
#[derive(Debug, PartialEq, Eq)]
enum Made {
    Error,
    Truth,
    Other,
}

#[tokio::test]
async fn changes_outside_of_values_are_noticed() {
    let seeded = Seeded::take();
    let mut prng = seeded.stream("masks");
    let setting = Setting::start().await;
    let at = 1_000;
    let truth = of_card(&setting, at, None).await.expect("unchanged");
    let truth = (shown(&truth), truth.as_of());
    let length = reply_bytes(&setting, at).await;
    assert!((VALUES + 4 * 8..200).contains(&length), "{length} bytes");
    let mut others = 0;
    for position in 0..length {
        let mask = u8::try_from(1 + prng.below(255)).expect("a byte");
        let made = match of_card(&setting, at, Some((position, mask))).await {
            Err(_) => Made::Error,
            Ok(vectors) if (shown(&vectors), vectors.as_of()) == truth => Made::Truth,
            Ok(_) => Made::Other,
        };
        let is_content =
            AS_OF.contains(&position) || STATUSES.contains(&position) || position >= VALUES;
        let unnoticed = made == Made::Other;
        assert!(is_content || !unnoticed, "byte {position} ^ {mask:#04x}: {made:?}");
        others += usize::from(unnoticed);
    }
    // The honest part: bits of numbers are not noticed. With a checksum in the frame this would be 0.
    assert!(others > 0, "no change was taken for a value: say so in docs/client.md");
}

/// The vector of `c1`, from a reply of which one byte was changed.
async fn of_card(
    setting: &Setting,
    at: i64,
    change: Option<(usize, u8)>,
) -> Result<Vectors, client::Error> {
    let proxy = Proxy::to(setting.addr()).await;
    let client = patient(proxy.addr()).connections(1).retries(0).build();
    let service = client.service("fraud").await?;
    proxy.meddle(move |piece| {
        if let (Some((position, mask)), true) = (change, piece.is_reply) {
            piece.bytes[position] ^= mask;
        }
        Fate::Passes
    });
    read(&service, if change.is_some() { BUDGET } else { PATIENCE }).as_of(at).send().await
}

/// Bytes of the reply's frame.
async fn reply_bytes(setting: &Setting, at: i64) -> usize {
    let (told, heard) = std::sync::mpsc::sync_channel(8);
    let proxy = Proxy::to(setting.addr()).await;
    let client = patient(proxy.addr()).connections(1).build();
    let service = client.service("fraud").await.expect("prepared");
    proxy.meddle(move |piece| {
        if piece.is_reply {
            told.send(piece.bytes.len()).expect("the test waits");
        }
        Fate::Passes
    });
    read(&service, PATIENCE).as_of(at).send().await.expect("read");
    heard.recv().expect("one reply")
}
