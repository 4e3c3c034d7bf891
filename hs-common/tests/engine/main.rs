//! The engine against its specification: traces that read like it, properties, and the fuzzers' corpus.

mod said;
mod trace;
mod wire;

mod anomalies;
mod context;
mod corpus;
mod legal;
mod lifetime;
mod links;
mod never;
mod options;
mod outcomes;
mod parser;
mod properties;
mod stateless;
