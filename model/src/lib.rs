//! The vocabulary of Larder: names, types, values, time, keys, definitions, limits.
