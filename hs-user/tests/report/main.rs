//! What the reporters write: JSON against the schema, text as it is read.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod docs;
mod json;
mod samples;
mod text;
