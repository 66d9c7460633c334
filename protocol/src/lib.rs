//! Frames and operations of the wire: no I/O, no feature logic.
