//! Load generator, workloads and criterion benchmarks.
