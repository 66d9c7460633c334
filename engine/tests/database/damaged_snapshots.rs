//! A snapshot that was whole when it was written, and is not when somebody looks at its file again: a backup does not copy it, no
//! checkpoint leaves it at that, the operator is told, and as long as memory has what was in it another one is made.

use engine::{CheckpointPhase, CheckpointReason, Database, Error, StorageError};
use storage::{Vfs, fs::SimFs};

use crate::harness::{Place, START, by, get, put};

const USERS: u64 = 50;

/// Rows so long that nearly all blocks of a snapshot hold nothing but them.
fn fill(database: &Database<SimFs>) {
    let text = "x".repeat(40_000);
    for user in 0..USERS {
        put(database, "profile", &format!("u{user}"), START, &[&text, "1"], &by(user + 1));
    }
}

fn checkpoint(database: &Database<SimFs>) -> engine::Checkpointed {
    database.checkpoint(&mut |_| {}).expect("the disk works")
}

fn snapshot(place: &Place) -> String {
    let names = place.fs.list().expect("listed");
    names.into_iter().find(|name| name.ends_with(".lsnap")).expect("there is one")
}

/// Flips a bit in the midst of the snapshot's file.
fn rot(place: &Place) {
    let name = snapshot(place);
    place.fs.flip_bit(&name, place.fs.bytes(&name).len() / 2 * 8);
}

fn is_damage<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Storage(StorageError::Damaged { .. })))
}

/// The damage was found and forgotten: each backup failed on it, and `larder checkpoint` went on to say that nothing was new.
#[test]
fn a_backup_of_a_rotten_snapshot_is_made_from_memory() {
    let place = Place::new();
    let database = place.start();
    fill(&database);
    let first = checkpoint(&database);
    rot(&place);
    let (copy, mut phases) = (Place::new(), Vec::new());
    let done = database.backup(&copy.fs, &mut |at| phases.push(at.phase));
    let done = done.expect("memory has everything");
    assert!(done.checkpoint.is_new && done.checkpoint.number > first.number, "{done:?}");
    phases.dedup();
    use CheckpointPhase::{Copying, Verifying, Writing};
    assert_eq!(phases, [Verifying, Writing, Copying]);
    assert_eq!(database.checkpoint_trouble(), None);
    let digest = database.digest().expect("readable");
    assert_eq!(copy.open().digest().expect("readable"), digest);
    drop(database);
    assert_eq!(place.open().digest().expect("readable"), digest);
}

#[test]
fn a_rotten_snapshot_is_told_and_replaced_when_there_is_room() {
    let place = Place::new();
    let database = place.start();
    fill(&database);
    let first = checkpoint(&database);
    rot(&place);
    place.fs.set_capacity(Some(0));
    let failed = database.backup(&Place::new().fs, &mut |_| {});
    assert!(matches!(failed, Err(Error::Storage(StorageError::Full(_)))), "{failed:?}");
    let trouble = database.checkpoint_trouble().expect("told");
    assert!(trouble.reason.contains(&snapshot(&place)), "{trouble}");
    assert!(trouble.reason.contains("damaged") && trouble.reason.contains("full"), "{trouble}");
    place.fs.set_capacity(None);
    assert!(database.needs_checkpoint());
    assert_eq!(database.checkpoint_due(), None, "not again at once");
    place.clock.advance_ms(30_000);
    assert_eq!(database.checkpoint_due(), Some(CheckpointReason::Damage));
    let next = checkpoint(&database);
    assert!(next.is_new && next.number > first.number, "{next:?}");
    assert_eq!((database.checkpoint_due(), database.checkpoint_trouble()), (None, None));
}

/// Blocks that had been found good went on being served, and the next checkpoint copied them under fresh checksums.
#[test]
fn a_block_that_rots_after_it_was_found_good_is_served_and_copied_no_more() {
    let place = Place::new();
    let database = place.start();
    fill(&database);
    checkpoint(&database);
    drop(database);
    let database = place.open();
    let verified = database.verify_step(10_000).expect("whole");
    assert_eq!(verified.done, verified.total);
    rot(&place);
    let copy = Place::new();
    let failed = database.backup(&copy.fs, &mut |_| {});
    assert!(is_damage(&failed), "{failed:?}");
    assert_eq!(copy.fs.list().expect("listed"), Vec::<String>::new());
    assert!(is_damage(&database.digest()), "somebody's row is damaged");
    let trouble = database.checkpoint_trouble().expect("told");
    assert!(trouble.reason.contains(&snapshot(&place)), "{trouble}");
    assert!(trouble.remedy.contains("larder check"), "{trouble}");
    put(&database, "profile", "new", START, &["DE", "1"], &by(1000));
    let failed = database.checkpoint(&mut |_| {});
    assert!(is_damage(&failed), "{failed:?}");
    assert_eq!(get(&database, &["profile:country"], "new", Default::default()), ["PRESENT DE"]);
}

/// Tables of a snapshot lie behind all that is served from it.
#[test]
fn a_snapshot_whose_tables_rot_is_replaced_while_it_is_served() {
    let place = Place::new();
    let database = place.start();
    fill(&database);
    let first = checkpoint(&database);
    drop(database);
    let database = place.open();
    let digest = database.digest().expect("readable");
    let name = snapshot(&place);
    place.fs.flip_bit(&name, place.fs.bytes(&name).len() * 8 - 4000);
    let copy = Place::new();
    let done = database.backup(&copy.fs, &mut |_| {}).expect("what is served is whole");
    assert!(done.checkpoint.number > first.number, "{done:?}");
    assert_eq!(database.digest().expect("readable"), digest);
    assert_eq!(copy.open().digest().expect("readable"), digest);
}

/// It was a line in the log only, and the next checkpoint had nothing new.
#[test]
fn a_new_snapshot_that_cannot_be_opened_is_told_and_replaced() {
    let place = Place::new();
    let database = place.start();
    fill(&database);
    let first = checkpoint(&database);
    drop(database);
    let database = place.open();
    put(&database, "profile", "new", START, &["DE", "1"], &by(1000));
    let digest = database.digest().expect("readable");
    let name = snapshot(&place).replace(&first.number.to_string(), &(first.number + 1).to_string());
    place.fs.fail_reads_of(Some(&name));
    let second = checkpoint(&database);
    assert!(second.is_new && snapshot(&place) == name, "{second:?}");
    let trouble = database.checkpoint_trouble().expect("told");
    assert!(trouble.reason.contains(&name), "{trouble}");
    assert_eq!(database.digest().expect("readable"), digest, "from the one before");
    place.fs.fail_reads_of(None);
    place.clock.advance_ms(30_000);
    assert_eq!(database.checkpoint_due(), Some(CheckpointReason::Damage));
    let third = checkpoint(&database);
    assert!(third.is_new && third.number == second.number + 1, "{third:?}");
    assert_eq!(database.checkpoint_trouble(), None);
    assert_eq!(database.digest().expect("readable"), digest);
    drop(database);
    assert_eq!(place.open().digest().expect("readable"), digest);
}

/// It was written until the disk was full, and the log then had no room for its next segment.
#[test]
fn a_backup_leaves_the_log_its_space() {
    let place = Place::new();
    let database = place.start();
    fill(&database);
    let whole = database.backup(&Place::new().fs, &mut |_| {}).expect("copied").bytes;
    let kept = 2 << 16;
    let refused = |capacity: u64, later: Option<u64>| {
        let (copy, mut copied) = (Place::new(), 0);
        copy.fs.set_capacity(Some(capacity));
        let failed = database.backup(&copy.fs, &mut |at| {
            copied = at.bytes_copied;
            if copied > 0 && later.is_some() {
                copy.fs.set_capacity(later);
            }
        });
        let said = failed.expect_err("no room").to_string();
        assert!(said.contains("the log may need") && said.contains("removed"), "{said}");
        assert_eq!(copy.fs.list().expect("listed"), Vec::<String>::new());
        copied
    };
    assert_eq!(refused(whole + kept - 10_000, None), 0, "nothing was begun");
    let copied = refused(whole + kept, Some(whole + kept - 10_000));
    assert!(copied > 0 && copied < whole, "{copied}: somebody took the space meanwhile");
    let copy = Place::new();
    copy.fs.set_capacity(Some(whole + kept));
    assert_eq!(database.backup(&copy.fs, &mut |_| {}).expect("copied").bytes, whole);
}
