//! What people do with the events, done with the programs that they do it with: Vector's language maps them to ECS,
//! ClickHouse stores and answers, jq and a reader of Suricata's EVE read them as they are. And Grafana's own library
//! reads the dashboard.
//!
//! The programs are Python packages of fixed versions; `cargo xtask test` fetches them and names the directory.

#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "../capture/build.rs"]
mod build;
#[path = "../cli_support/mod.rs"]
mod cli_support;
mod clickhouse;
mod ecs;
#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "../kernel_support/frame.rs"]
mod frame;
mod grafana;
#[allow(dead_code, reason = "the tests of the reporters use the rest")]
#[path = "../report/mapping.rs"]
mod mapping;
mod programs;
mod readers;
#[path = "../report/schema.rs"]
mod schema;
mod trace;
