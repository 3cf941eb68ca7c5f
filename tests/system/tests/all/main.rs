//! One binary for all system tests, so that only one is linked. One file per subject.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers as well")]

mod access;
mod agent_faults;
mod alerts;
mod api_keys;
mod audit;
mod audit_streams;
mod backchannel_logout;
mod backup;
mod bad_disk;
mod bootstrap;
mod cli;
mod commands;
mod crash;
mod device_flow;
mod device_identity;
mod devices;
mod documented;
mod edge;
mod ended_access;
mod endings;
mod enrolments;
mod every_route;
mod factors;
mod fleet;
mod folder;
mod forms;
mod hostile;
mod logs;
mod mail;
mod oauth;
mod pages;
mod promtool;
mod proofs;
mod readme;
mod recovery;
mod roles;
mod rp_logout;
mod secrets;
mod signing_keys;
mod smuggling;
mod spoofed;
mod telemetry;
mod up;
