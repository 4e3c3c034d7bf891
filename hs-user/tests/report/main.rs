//! What the reporters write: JSON against the schema, text as it is read.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod docs;
mod ecs;
mod json;
#[allow(dead_code, reason = "the tests of the pipelines use the rest")]
mod mapping;
mod samples;
mod schema;
mod text;
mod vector;
