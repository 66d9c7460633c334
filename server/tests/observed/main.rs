//! What operators see of a server that works, one story a file.

mod counts;
mod debug;
mod documents;
mod live;
mod places;
mod spans;
mod stages;
