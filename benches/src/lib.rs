//! Criterion benchmarks; they live in `benches/`.

#![forbid(unsafe_code)]
