//! How often what the simulation is about has really happened, so that it cannot quietly stop happening.

macro_rules! coverage {
    ($($name:ident: $what:literal),* $(,)?) => {
        /// Counts of everything that happened.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Coverage {
            $(#[doc = $what] pub $name: u64,)*
        }

        impl Coverage {
            /// Adds what happened elsewhere.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// Each count with its name.
            #[must_use]
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

coverage! {
    lives: "Times the database was opened, or that was tried.",
    power_cuts: "Lives that ended with the power.",
    kills: "Lives that ended with the process.",
    clean_closes: "Lives that ended as they should.",
    power_cuts_in_recovery: "Starts during which the power went.",
    power_cuts_in_checkpoints: "Checkpoints during which the power went.",
    failed_recoveries: "Starts that met a failing disk.",
    failed_checkpoints: "Checkpoints that met a failing or full disk.",
    poisonings: "Lives in which a write or sync of the log failed.",
    full_disks: "Times the disk was full for the log.",
    returned_space: "Times writes went on after that without a restart.",
    torn_tails: "Unfinished ends of the log that were cut.",
    lost_records: "Records that a crash took, none of them promised.",
    multi_entity_writes: "Writes of several entities.",
    wide_writes: "Writes that touch most shards.",
    clock_jumps_forward: "Times the wall clock was set forward.",
    clock_jumps_back: "Times it was set back.",
    retries_of_applied: "Writes sent again that had been applied: answered, not applied.",
    retries_of_lost: "Writes sent again that a crash had taken, or that were refused: applied.",
    duplicates: "Events whose id had arrived.",
    late_events: "Events too late for every window.",
    retractions: "Events taken back.",
    definitions_grown: "Versions of the definitions applied.",
    checkpoints: "Checkpoints that came to their end.",
    writes_in_checkpoints: "Writes while a checkpoint was taken.",
    segments_removed: "Segments of the log that a checkpoint made needless.",
    reads_in_the_past: "Reads at an as-of.",
    sweeps: "Sweeps of window states.",
    backups: "Backups that were opened and compared.",
    copies: "Copies of the disk, as they were after a checkpoint, that were opened and compared.",
    rotten_images: "Copies of the disk with damage that no crash does.",
    rot_refused: "Of those: start or read refused.",
    twins: "Databases compared with the replay of their history from nothing.",
}
