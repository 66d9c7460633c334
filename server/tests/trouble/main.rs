//! The client and a real server with a bad network between them: a proxy that delays, swallows, cuts and changes bytes.

mod budget;
mod changed_bytes;
mod elsewhere;
mod exactly_once;
mod proxy;
mod setting;
