//! The engine against its specification: traces that read like it, properties, and the fuzzers' corpus.

mod said;
mod trace;
mod wire;

mod anomalies;
mod lifetime;
mod never;
mod outcomes;
