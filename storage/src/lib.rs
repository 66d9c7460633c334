//! Bytes, LSNs and files: the write-ahead log; knows no feature.
