//! The client against a server that says what each test tells it to, over real loopback sockets.

mod calls;
mod degrade;
mod fake;
mod trouble;
mod typed;
