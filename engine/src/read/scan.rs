//! Scans: the entities of one group, page by page.
//!
//! A page is consistent shard by shard. An entity written or deleted while a scan goes on may or may not be seen; every
//! other entity is seen, once, unless it moves meanwhile: from a snapshot to memory, or with a whole shard to a newer snapshot.

use model::{
    column::Column,
    limits::{FRAME_BYTES_MAX, SCAN_PAGE_MAX},
};
use storage::Vfs;

use super::{ReadOptions, ReadPlan, group::GroupMoment};
use crate::{
    Database, Error,
    catalog::Catalog,
    shard::{GroupTable, SHARD_COUNT, Shard},
};

/// A page ends after so many bytes of values, whatever the number of its entities: a reply holds it easily.
const PAGE_BYTES: usize = FRAME_BYTES_MAX / 4;

/// Where a scan goes on; 0, 0 is the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanCursor {
    /// Shard in the lowest 8 bits; above them, which numbering of its positions the slot is of.
    pub shard: u32,
    /// Position in the shard.
    pub slot: u32,
    /// Entities passed over so far, because they cannot be read: see [`Database::scan_readable`].
    pub unreadable: u32,
}

/// What a scan does with an entity that lies in a damaged part of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDamage {
    /// It ends with the error.
    Ends,
    /// It counts the entity, and goes on.
    GoesOn,
}

/// Bits of a cursor's shard that number it.
const SHARD_BITS: u32 = 8;
const _: () =
    assert!(SHARD_COUNT < 1 << SHARD_BITS, "a cursor's shard holds any shard, and the end");

impl ScanCursor {
    fn new(index: usize, shard: &Shard, slot: u32, unreadable: u32) -> Self {
        let index = u32::try_from(index).unwrap_or(0);
        Self { shard: shard.numbering() << SHARD_BITS | index, slot, unreadable }
    }

    /// Behind the last shard.
    fn end(unreadable: u32) -> Self {
        Self { shard: u32::try_from(SHARD_COUNT).unwrap_or(u32::MAX), slot: 0, unreadable }
    }

    fn index(self) -> usize {
        (self.shard & ((1 << SHARD_BITS) - 1)) as usize
    }

    /// Where to go on in `shard`: at its start when its entities have other positions now.
    fn position(self, shard: &Shard) -> u32 {
        let is_same = self.shard >> SHARD_BITS == shard.numbering() << SHARD_BITS >> SHARD_BITS;
        if is_same { self.slot } else { 0 }
    }
}

/// One page of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanPage {
    /// Canonical keys.
    pub keys: Vec<Box<[u8]>>,
    /// Event time of each row of a row group, in ms; `i64::MIN` for window groups.
    pub event_times: Vec<i64>,
    /// One column for each of the plan, one row for each key.
    pub columns: Vec<Column>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<ScanCursor>,
    /// Entities that the scan has passed over so far, because they cannot be read.
    pub unreadable: u32,
}

impl ScanPage {
    /// An empty page at the start of the group that `plan` reads, with room for `rows`.
    pub(super) fn start(plan: &ReadPlan, rows: usize) -> Self {
        Self {
            keys: Vec::with_capacity(rows),
            event_times: Vec::with_capacity(rows),
            columns: plan.stored_columns(rows),
            next: Some(ScanCursor::default()),
            unreadable: 0,
        }
    }
}

/// Is shown an entity under its shard's lock: catalog, shard, hash and key.
pub(super) type Beside<'a> =
    &'a mut dyn FnMut(&Catalog, &Shard, u64, &[u8]) -> Result<usize, Error>;

impl<V: Vfs> Database<V> {
    /// At most `limit` (and [`SCAN_PAGE_MAX`]) entities of the one group that `plan` reads, from `cursor` on.
    ///
    /// # Errors
    /// [`Error::StalePlan`] when definitions changed, [`Error::Invalid`] when the plan reads several groups, [`Error::Storage`] at
    /// the first entity that lies in a damaged part of the snapshot.
    pub fn scan(
        &self,
        plan: &ReadPlan,
        cursor: ScanCursor,
        limit: usize,
    ) -> Result<ScanPage, Error> {
        self.scan_page(plan, cursor, limit, OnDamage::Ends)
    }

    /// As [`Database::scan`], but what lies in a damaged part of the snapshot is passed over: a page may be empty, and behind the
    /// last one, instead of the end, there is an error that says how many entities are missing.
    ///
    /// # Errors
    /// [`Error::Incomplete`] at the end of such a scan; else as [`Database::scan`].
    pub fn scan_readable(
        &self,
        plan: &ReadPlan,
        cursor: ScanCursor,
        limit: usize,
    ) -> Result<ScanPage, Error> {
        let unreadable = cursor.unreadable;
        if unreadable > 0 && cursor.index() >= SHARD_COUNT {
            let snapshot = self.snapshot.lock().clone();
            let damage = snapshot.and_then(|snapshot| snapshot.damage());
            let why = damage.map_or_else(|| "a damaged snapshot".to_owned(), |why| why.to_string());
            return Err(Error::Incomplete { unreadable, why });
        }
        let mut page = self.scan_page(plan, cursor, limit, OnDamage::GoesOn)?;
        if let (None, unreadable @ 1..) = (page.next, page.unreadable) {
            page.next = Some(ScanCursor::end(unreadable));
        }
        Ok(page)
    }

    fn scan_page(
        &self,
        plan: &ReadPlan,
        cursor: ScanCursor,
        limit: usize,
        on_damage: OnDamage,
    ) -> Result<ScanPage, Error> {
        let limit = limit.clamp(1, SCAN_PAGE_MAX);
        let mut page = ScanPage { next: Some(cursor), ..ScanPage::start(plan, limit) };
        let (options, mut beside) = (ReadOptions::default(), |_: &_, _: &_, _, _: &_| Ok(0));
        let most = (limit, PAGE_BYTES);
        self.scan_on(plan, options, most, on_damage, &mut page, &mut beside)?;
        self.check_whole()?;
        Ok(page)
    }

    /// Adds at most `limit` entities to `page`, from where it ends on, until it holds more than `bytes_max` bytes of values. `beside`
    /// is shown every entity, and says how many bytes it keeps of all so far.
    pub(super) fn scan_on(
        &self,
        plan: &ReadPlan,
        options: ReadOptions,
        (limit, bytes_max): (usize, usize),
        on_damage: OnDamage,
        page: &mut ScanPage,
        beside: Beside<'_>,
    ) -> Result<(), Error> {
        let catalog = self.catalog.read();
        plan.check(&catalog)?;
        let mut groups = plan.groups();
        let (Some(group), None) = (groups.next(), groups.next()) else {
            let error = model::Error::invalid("scan", "a service", "one group: scan GROUP");
            return Err(Error::Invalid(error));
        };
        let wall_ms = self.clock.wall_ms();
        let mut moment = GroupMoment::new(&catalog, group, &options, wall_ms, Box::default)?;
        let mut cursor = page.next.take();
        let Some(first) = cursor else { return Ok(()) };
        page.unreadable = first.unreadable;
        let mut left = limit.max(1);
        for shard_index in first.index()..SHARD_COUNT {
            let shard = self.shards.read(shard_index);
            let from = cursor.take().map_or(0, |cursor| cursor.position(&shard));
            for (slot, key) in entities(&shard, group.group, from, left) {
                moment.keep_up(&catalog, &options, wall_ms)?;
                let read = key.map_err(Error::from).and_then(|key| {
                    let hash = self.shards.hasher().hash(key);
                    let time = moment.read(&shard, hash, key, page.columns.as_mut_slice())?;
                    Ok((key, hash, time))
                });
                let mut more = 0;
                match read {
                    Err(Error::Storage(_)) if on_damage == OnDamage::GoesOn => {
                        page.unreadable = page.unreadable.saturating_add(1);
                    }
                    read => {
                        let (key, hash, time) = read?;
                        more = beside(&catalog, &shard, hash, key)?;
                        page.keys.push(key.into());
                        page.event_times.push(time.unwrap_or(i64::MIN));
                    }
                }
                left -= 1;
                let bytes: usize = page.columns.iter().map(|column| column.data().len()).sum();
                if left == 0 || bytes + more > bytes_max {
                    let next = ScanCursor::new(shard_index, &shard, slot, page.unreadable);
                    page.next = Some(next);
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The keys of the next entities of a shard, each with the position after it.
fn entities(
    shard: &Shard,
    group: usize,
    from: u32,
    limit: usize,
) -> Vec<(u32, Result<&[u8], storage::Error>)> {
    match shard.table(group) {
        Some(GroupTable::Rows(table)) => {
            table.will_scan(from, limit);
            let rows = table.scan(from).take(limit);
            rows.map(|(next, row)| (next, row.map(|row| row.key))).collect()
        }
        Some(GroupTable::Windows(table)) => {
            table.will_scan(from, limit);
            table.scan(from).take(limit).collect()
        }
        None => Vec::new(),
    }
}
