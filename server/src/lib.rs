//! Where the wire meets the engine: listeners, connections, handlers.
