//! System tests on the whole picture: each service a process of its own, on the lab's clusters. The
//! sources are those of the tests on one process, and what is true of the picture alone.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers as well")]

#[path = "../all/access.rs"]
mod access;
#[path = "../all/alerts.rs"]
mod alerts;
#[path = "../all/commands.rs"]
mod commands;
#[path = "../all/devices.rs"]
mod devices;
#[path = "../all/every_route.rs"]
mod every_route;
#[path = "../all/fleet.rs"]
mod fleet;
mod mesh;
mod picture;
#[path = "../all/recovery.rs"]
mod recovery;
#[path = "../all/roles.rs"]
mod roles;
#[path = "../all/telemetry.rs"]
mod telemetry;
