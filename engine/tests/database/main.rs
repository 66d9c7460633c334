//! The embeddable database on a simulated disk, one scenario a file.

mod checkpoints;
mod cuts;
mod damage;
mod damaged_snapshots;
mod deletes;
mod derived_ids;
mod events;
mod harness;
mod long_events;
mod memory_limit;
mod parallel_replay;
mod refused_pushes;
mod replay_equals_live;
mod retractions;
mod rows;
mod several_groups;
mod sweeping;
mod traces;
mod widening;
