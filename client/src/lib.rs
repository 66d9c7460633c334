//! The async client: many requests in flight on few connections.
