//! One binary for all system tests, so that only one is linked. One file per subject.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers as well")]

mod access;
mod agent_faults;
mod alerts;
mod backup;
mod bad_disk;
mod bootstrap;
mod cli;
mod commands;
mod crash;
mod devices;
mod edge;
mod every_route;
mod fleet;
mod folder;
mod hostile;
mod promtool;
mod readme;
mod recovery;
mod roles;
mod telemetry;
mod up;
