//! TLS on a live server: who is believed, what is told to whoever is not, certificates that change, handshakes that come to no end, subjects that
//! leave the policy.

mod certificates;
mod handshakes;
mod reload;
mod setting;
mod subjects;
mod trust;
