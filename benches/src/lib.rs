//! Criterion benchmarks; they live in `benches/`.
