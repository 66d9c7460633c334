//! A server that wants to know who asks: everything that can be asked of it, by those who may and those who may not, over sockets.

mod audited;
mod bounds;
mod handles;
mod life;
mod operations;
mod producers;
mod setting;
