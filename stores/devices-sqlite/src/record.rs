//! How devices and commands are written down: JSON with names that may be added to, not changed.

use jiff::Timestamp;
use openframe_devices::Error;
use openframe_devices::domain::{Command, Device, Facts, Goodbye, Hello, State};
use openframe_ids::{CommandId, DeviceId, TenantId};
use openframe_tokens::NotAPlace;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Writes a record.
pub(crate) fn write<T: Serialize>(record: &T) -> Result<String, Error> {
    serde_json::to_string(record).map_err(|error| Error::Damaged(error.into()))
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Damaged(error.into()))
}

/// A device as it is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeviceRecord {
    tenant: TenantId,
    id: DeviceId,
    version: u64,
    given_name: String,
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    place: String,
    enrolled_at: Timestamp,
    last_seen: Timestamp,
    goodbye: i64,
    agent_version: String,
    capabilities: Vec<String>,
    remote_address: String,
    clock_offset_ms: i64,
    facts: FactsRecord,
}

#[derive(Serialize, Deserialize)]
struct FactsRecord {
    hostname: String,
    os_family: String,
    os_name: String,
    os_version: String,
    kernel: String,
    arch: String,
    vendor: String,
    model: String,
    serial: String,
    cpu_count: u32,
    memory_bytes: u64,
    addresses: Vec<String>,
}

impl From<&Device> for DeviceRecord {
    fn from(device: &Device) -> Self {
        let Hello { facts, agent_version, capabilities, remote_address, clock_offset_ms } =
            device.hello.clone();
        Self {
            tenant: device.tenant,
            id: device.id,
            version: device.version,
            given_name: device.given_name.clone(),
            tags: device.tags.clone(),
            place: device.place.to_string(),
            enrolled_at: device.enrolled_at,
            last_seen: device.last_seen,
            goodbye: device.goodbye.code(),
            agent_version,
            capabilities,
            remote_address,
            clock_offset_ms,
            facts: FactsRecord {
                hostname: facts.hostname,
                os_family: facts.os_family,
                os_name: facts.os_name,
                os_version: facts.os_version,
                kernel: facts.kernel,
                arch: facts.arch,
                vendor: facts.vendor,
                model: facts.model,
                serial: facts.serial,
                cpu_count: facts.cpu_count,
                memory_bytes: facts.memory_bytes,
                addresses: facts.addresses,
            },
        }
    }
}

/// Reads a device back.
pub(crate) fn device(text: &str) -> Result<Device, Error> {
    let record: DeviceRecord = read(text)?;
    let facts = record.facts;
    Ok(Device {
        tenant: record.tenant,
        id: record.id,
        version: record.version,
        given_name: record.given_name,
        tags: record.tags,
        place: record.place.parse().map_err(|error: NotAPlace| Error::Damaged(error.into()))?,
        enrolled_at: record.enrolled_at,
        last_seen: record.last_seen,
        goodbye: Goodbye::of_code(record.goodbye),
        hello: Hello {
            agent_version: record.agent_version,
            capabilities: record.capabilities,
            remote_address: record.remote_address,
            clock_offset_ms: record.clock_offset_ms,
            facts: Facts {
                hostname: facts.hostname,
                os_family: facts.os_family,
                os_name: facts.os_name,
                os_version: facts.os_version,
                kernel: facts.kernel,
                arch: facts.arch,
                vendor: facts.vendor,
                model: facts.model,
                serial: facts.serial,
                cpu_count: facts.cpu_count,
                memory_bytes: facts.memory_bytes,
                addresses: facts.addresses,
            },
        },
    })
}

/// A command as it is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct CommandRecord {
    id: CommandId,
    tenant: TenantId,
    device: DeviceId,
    version: u64,
    state: String,
    script: String,
    interpreter: String,
    timeout_s: u32,
    idempotent: bool,
    created_at: Timestamp,
    expires_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    exit_code: Option<i32>,
    status_reason: String,
    created_by: String,
    reason: String,
    cancel_requested: bool,
    output_bytes: u64,
    output_chunks: u32,
    output_end: u64,
    output_truncated: bool,
}

impl From<&Command> for CommandRecord {
    fn from(command: &Command) -> Self {
        Self {
            id: command.id,
            tenant: command.tenant,
            device: command.device,
            version: command.version,
            state: command.state.as_str().to_owned(),
            script: command.script.clone(),
            interpreter: command.interpreter.clone(),
            timeout_s: command.timeout_s,
            idempotent: command.idempotent,
            created_at: command.created_at,
            expires_at: command.expires_at,
            started_at: command.started_at,
            finished_at: command.finished_at,
            exit_code: command.exit_code,
            status_reason: command.status_reason.clone(),
            created_by: command.created_by.clone(),
            reason: command.reason.clone(),
            cancel_requested: command.cancel_requested,
            output_bytes: command.output_bytes,
            output_chunks: command.output_chunks,
            output_end: command.output_end,
            output_truncated: command.output_truncated,
        }
    }
}

/// Reads a command back.
pub(crate) fn command(text: &str) -> Result<Command, Error> {
    let record: CommandRecord = read(text)?;
    let unknown = || Error::Damaged(format!("the state {:?} is unknown", record.state).into());
    Ok(Command {
        state: State::of_text(&record.state).ok_or_else(unknown)?,
        id: record.id,
        tenant: record.tenant,
        device: record.device,
        version: record.version,
        script: record.script,
        interpreter: record.interpreter,
        timeout_s: record.timeout_s,
        idempotent: record.idempotent,
        created_at: record.created_at,
        expires_at: record.expires_at,
        started_at: record.started_at,
        finished_at: record.finished_at,
        exit_code: record.exit_code,
        status_reason: record.status_reason,
        created_by: record.created_by,
        reason: record.reason,
        cancel_requested: record.cancel_requested,
        output_bytes: record.output_bytes,
        output_chunks: record.output_chunks,
        output_end: record.output_end,
        output_truncated: record.output_truncated,
    })
}
