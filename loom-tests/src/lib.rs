//! Model-checked interleavings of the commit path.
