//! One binary for all system tests, so that only one is linked. One file per subject.

mod access;
mod commands;
mod crash;
mod folder;
mod hostile;
mod telemetry;
