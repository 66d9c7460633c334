//! Windows against brute force: the same set of events must give the same values, whatever became of it on the way.
//!
//! ```text
//! oracle          values from the list of all events, with big integers and no cleverness
//! workload        random definitions and events from a seed; LARDER_SEED replays one
//! equal_brute_force, shrinks_to_a_few_events, order_is_unobservable, layout_is_unobservable,
//! nothing_is_left, retractions, distinct_error, damage_is_refused, size      one claim each
//! ```

mod damage_is_refused;
mod distinct_error;
mod equal_brute_force;
mod layout_is_unobservable;
mod nothing_is_left;
mod oracle;
mod order_is_unobservable;
mod retractions;
mod shrinks_to_a_few_events;
mod size;
mod workload;
