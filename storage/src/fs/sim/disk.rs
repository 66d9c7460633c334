//! A simulated disk: names, contents, and what is to go wrong.

use std::collections::BTreeMap;

use super::content::Content;
use crate::Error;

/// Names a file whatever it is called.
pub(super) type Inode = u64;

/// A change of the directory, with what it takes to undo it.
#[derive(Debug)]
pub(super) enum DirChange {
    Created { name: String },
    Renamed { from: String, to: String, replaced: Option<Inode> },
    Removed { name: String, inode: Inode },
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) names: BTreeMap<String, Inode>,
    pub(super) contents: BTreeMap<Inode, Content>,
    /// Since the directory was synced.
    pub(super) unsynced: Vec<DirChange>,
    pub(super) next_inode: Inode,
    pub(super) locked: bool,
    /// Calls that change something, counted.
    pub(super) operations: u64,
    /// From this operation on, everything fails: the power is gone.
    pub(super) power_off_at: Option<u64>,
    /// These operations fail once, without the power going.
    pub(super) failing: Vec<u64>,
    /// Reads of this file fail.
    pub(super) unreadable: Option<String>,
    pub(super) capacity: Option<u64>,
    /// Handles of an earlier life are dead.
    pub(super) life: u64,
}

/// How an operation goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Succeeds,
    Fails,
}

impl Disk {
    pub(super) fn content(&mut self, name: &str) -> Option<&mut Content> {
        self.contents.get_mut(self.names.get(name)?)
    }

    /// Refuses what would need more space than there is.
    pub(super) fn need(&self, name: &str, more: u64) -> Result<(), Error> {
        let full = self.capacity.is_some_and(|capacity| self.used() + more > capacity);
        if full { Err(Error::Full(name.to_owned())) } else { Ok(()) }
    }

    pub(super) fn used(&self) -> u64 {
        self.names
            .values()
            .filter_map(|inode| self.contents.get(inode))
            .map(|content| content.seen.len() as u64)
            .sum()
    }

    pub(super) fn undo(&mut self, change: DirChange) {
        match change {
            DirChange::Created { name } => {
                self.names.remove(&name);
            }
            DirChange::Renamed { from, to, replaced } => {
                if let Some(inode) = self.names.remove(&to) {
                    self.names.insert(from, inode);
                }
                if let Some(inode) = replaced {
                    self.names.insert(to, inode);
                }
            }
            DirChange::Removed { name, inode } => {
                self.names.insert(name, inode);
            }
        }
    }
}

pub(super) fn failure(operation: &'static str, name: &str, why: &str) -> Error {
    Error::io(operation, name, std::io::Error::other(why.to_owned()))
}

pub(super) fn no_such_file(operation: &'static str, name: &str) -> Error {
    failure(operation, name, "there is no such file")
}
