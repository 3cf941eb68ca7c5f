//! System tests on the whole picture: each service a process of its own, on the lab's clusters. The
//! sources are those of the tests on one process, and what is true of the picture alone. What is about one
//! process' folder, sockets and disk is left to the former: `backup`, `bad_disk`, `edge`, `folder`, `readme`,
//! `secrets`, `up`.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers as well")]

#[path = "../all/access.rs"]
mod access;
#[path = "../all/agent_faults.rs"]
mod agent_faults;
#[path = "../all/alerts.rs"]
mod alerts;
#[path = "../all/audit.rs"]
mod audit;
#[path = "../all/audit_streams.rs"]
mod audit_streams;
#[path = "../all/bootstrap.rs"]
mod bootstrap;
#[path = "../all/cli.rs"]
mod cli;
#[path = "../all/commands.rs"]
mod commands;
#[path = "../all/crash.rs"]
mod crash;
#[path = "../all/devices.rs"]
mod devices;
#[path = "../all/endings.rs"]
mod endings;
#[path = "../all/every_route.rs"]
mod every_route;
#[path = "../all/fleet.rs"]
mod fleet;
#[path = "../all/hostile.rs"]
mod hostile;
mod mesh;
#[path = "../all/oauth.rs"]
mod oauth;
mod picture;
#[path = "../all/places.rs"]
mod places;
#[path = "../all/recovery.rs"]
mod recovery;
#[path = "../all/roles.rs"]
mod roles;
#[path = "../all/signed.rs"]
mod signed;
#[path = "../all/signing_keys.rs"]
mod signing_keys;
#[path = "../all/telemetry.rs"]
mod telemetry;
