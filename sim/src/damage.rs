//! Damage that no crash does: rot, misdirected writes, files that somebody cuts, removes, renames or cannot read.
//!
//! It is done to copies of a disk whose database was closed. Then a start, or a read, is refused; or everything is there. With
//! one exception: a sector that held the end of the last batch and the seal behind it, and holds zeros or something old now, is
//! what a power cut leaves of a batch that nobody was promised. Then a prefix is there.

use engine::{Error, StorageError};
use stdx::prng::Prng;
use storage::{Vfs as _, fs::SimFs};

use crate::{
    copy,
    failure::{Failure, Unexpected},
    world::World,
};

/// Images of one disk.
const IMAGES: u64 = 3;
/// Bytes that a disk writes together.
const SECTOR: usize = 512;
/// A seal is shorter.
const SEAL_BYTES_MAX: usize = 64;

/// Tries some kinds of damage on copies of the disk.
///
/// # Errors
/// When something is wrong and nothing is refused; when the refusal is not about damage.
pub(crate) fn try_some(world: &mut World) -> Result<(), Failure> {
    let least = world.history.appended();
    for _ in 0..IMAGES {
        let copy = world.fs.fork();
        let end = log_end(&copy);
        let Damage { done, sector } = damage(&mut world.prng, &copy)?;
        let looks_torn = sector.is_some_and(|sector| end.is_some_and(|end| holds(&sector, &end)));
        let least = if looks_torn { 0 } else { least };
        world.trace.note(format_args!("a copy: {done}"));
        world.coverage.rotten_images += 1;
        let judged = copy::check(world, &copy, least);
        copy.kill();
        match judged {
            Ok(()) => {}
            Err(failure) if is_refusal(&failure) => world.coverage.rot_refused += 1,
            Err(failure) => return Err(failure.during(done)),
        }
    }
    Ok(())
}

/// A place in a file.
type Place = (String, usize);

/// What was done, and which sector was overwritten.
struct Damage {
    done: String,
    sector: Option<Place>,
}

/// Where the newest segment's last byte is that is not zero: the seal's.
fn log_end(disk: &SimFs) -> Option<Place> {
    let names = disk.list().unwrap_or_default();
    let newest = names.into_iter().filter(|name| name.ends_with(".log")).max()?;
    let end = disk.bytes(&newest).iter().rposition(|byte| *byte != 0)?;
    Some((newest, end))
}

/// True when the sector has some of the seal that ends at `end`.
fn holds((name, start): &Place, (newest, end): &Place) -> bool {
    name == newest && *start <= *end && *end < start + SECTOR + SEAL_BYTES_MAX
}

fn is_refusal(failure: &Failure) -> bool {
    use StorageError as E;
    let Unexpected::Error(Error::Storage(error)) = &failure.unexpected else { return false };
    match error {
        E::Corrupt { .. } | E::Damaged { .. } | E::Missing { .. } | E::Unlisted { .. } => true,
        E::Stray { .. } | E::UnsupportedFormat { .. } => true,
        E::Io { operation, .. } => *operation == "read",
        _ => false,
    }
}

/// Damages one file.
fn damage(prng: &mut Prng, disk: &SimFs) -> Result<Damage, Failure> {
    let names = disk.list().map_err(Error::from)?;
    let pick = |prng: &mut Prng| {
        let at = prng.below(names.len() as u64);
        names.get(usize::try_from(at).unwrap_or(0)).cloned().unwrap_or_default()
    };
    let (name, other) = (pick(prng), pick(prng));
    let place = |prng: &mut Prng, name: &str| {
        let bytes = disk.bytes(name).len() as u64;
        usize::try_from(prng.below(bytes)).unwrap_or(0)
    };
    let at = place(prng, &name);
    let mut sector = None;
    let done = match prng.below(10) {
        0 => {
            disk.damage(&name, |bytes| bytes.truncate(at));
            format!("{name} cut at byte {at}")
        }
        1 => {
            disk.remove(&name).map_err(Error::from)?;
            format!("{name} removed")
        }
        2 => {
            // The other file is gone then, as with mv.
            disk.rename(&name, &other).map_err(Error::from)?;
            format!("{name} renamed to {other}")
        }
        3 => {
            disk.fail_reads_of(Some(&name));
            format!("{name} cannot be read")
        }
        4 | 5 => {
            let (from, source) = (place(prng, &other) / SECTOR * SECTOR, disk.bytes(&other));
            let start = at / SECTOR * SECTOR;
            sector = Some((name.clone(), start));
            disk.damage(&name, |bytes| {
                let sector = source.iter().skip(from).take(SECTOR);
                bytes.iter_mut().skip(start).zip(sector).for_each(|(to, from)| *to = *from);
            });
            format!("{name}: the sector at {start} is that of {other} at {from}")
        }
        _ => {
            let bit = at * 8 + usize::try_from(prng.below(8)).unwrap_or(0);
            disk.flip_bit(&name, bit);
            format!("{name}: bit {bit} flipped")
        }
    };
    Ok(Damage { done, sector })
}
