//! Peers that mean harm, on a live port, while a model service reads: its answers stay right, memory stays bounded, nothing panics.

mod abuse;
mod crowd;
mod drips;
mod floods;
mod nonsense;
#[path = "../under_load/peer.rs"]
mod peer;
mod repeated;
mod witness;
