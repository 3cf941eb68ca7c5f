//! Bodies of the public paths.

use std::collections::BTreeMap;

use jiff::Timestamp;
use openframe_ids::{CommandId, DeviceId, PlaceId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// `GET /devices`: which devices to list. Everything is optional.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// Words that must each occur in the name, host name, address, OS, model, serial or a tag.
    pub q: Option<String>,
    /// Conditions `attribute:value`, separated by commas; several of one attribute are alternatives.
    /// Attributes: `presence`, `os`, `os_version`, `arch`, `vendor`, `model`, `agent_version`, `tag`,
    /// `place` (the id of a place in which the device is).
    pub filter: Option<String>,
    /// Attributes to count the values of, separated by commas.
    pub facets: Option<String>,
    /// `name` (default), `last_seen`, `enrolled`; `-` before it turns the order round.
    pub sort: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// How many, 1 to 500; 50 when absent.
    pub limit: Option<u32>,
}

/// One page of devices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DevicePage {
    /// The devices.
    pub items: Vec<Device>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// How many devices match in all.
    pub total: u64,
    /// For each attribute asked for: its most frequent values, at most 100, and how many of the
    /// matching devices have each.
    #[serde(default)]
    pub facets: BTreeMap<String, Vec<FacetValue>>,
    /// How old the index that answered is, milliseconds.
    pub index_age_ms: u64,
}

/// One value of an attribute.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FacetValue {
    /// The value.
    pub value: String,
    /// How many devices have it.
    pub count: u64,
}

/// One device. Text that the device sent is untrusted and kept as it came.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// Its id, for life.
    pub id: DeviceId,
    /// What the operator calls it; the host name until somebody does.
    pub name: String,
    /// What it calls itself.
    pub hostname: String,
    /// `online`, `sleeping` or `lost`.
    pub presence: String,
    /// When it was last heard from.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen_at: Option<Timestamp>,
    /// When it enrolled.
    #[schema(value_type = String, format = DateTime)]
    pub enrolled_at: Timestamp,
    /// The operator's tags.
    pub tags: Vec<String>,
    /// Where it is: the ids of the places on the way there; none is the whole tenant.
    #[serde(default)]
    pub place: Vec<PlaceId>,
    /// `linux`, `windows`, `macos`.
    pub os_family: String,
    /// `Debian GNU/Linux`.
    pub os_name: String,
    /// `12 (bookworm)`.
    pub os_version: String,
    /// The kernel's release.
    pub kernel: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// Who made it.
    pub vendor: String,
    /// Which model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Logical processors.
    pub cpu_count: u32,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Its own addresses.
    pub addresses: Vec<String>,
    /// The address that the platform saw it come from.
    pub remote_address: String,
    /// The agent's version.
    pub agent_version: String,
    /// What the agent can do on it.
    pub capabilities: Vec<String>,
    /// How far its clock is ahead of the platform's, milliseconds.
    pub clock_offset_ms: i64,
}

/// `PATCH /devices/{id}`: absent fields stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChange {
    /// A new name, 1 to 200 characters; empty goes back to the host name.
    pub name: Option<String>,
    /// All tags, at most 50 of 1 to 64 characters.
    pub tags: Option<Vec<String>>,
    /// The id of the place that it is moved to; empty for the whole tenant.
    pub place: Option<String>,
}

/// `GET /devices/{id}/inventory`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// The newest version of each section.
    pub sections: Vec<Section>,
}

/// One version of one section of the inventory.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Section {
    /// `hardware`, `os`, `network`, `users`, `software`, `services`.
    pub section: String,
    /// When the device saw it so.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// SHA-256 of the content, hex.
    pub hash: String,
    /// The content.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
}

/// `GET /devices/{id}/inventory/{section}/history`: when a section changed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SectionHistory {
    /// The versions, newest first, without their content.
    pub versions: Vec<SectionVersion>,
}

/// One version of a section, without its content; `GET …/inventory/{section}?at=…` has it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SectionVersion {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// SHA-256 of the content, hex.
    pub hash: String,
}

/// `POST /devices/{id}/commands`, with an `Idempotency-Key`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCommand {
    /// What to run: the text of a script, at most 64 KiB.
    pub script: String,
    /// What runs it; `sh` when absent.
    pub interpreter: Option<String>,
    /// Seconds it may run, 1 to 86,400; 60 when absent.
    pub timeout_s: Option<u32>,
    /// Seconds until it is no longer started, 1 to 2,592,000 (30 days); 86,400 when absent.
    pub expires_in_s: Option<u32>,
    /// Whether it may run again after an interruption; no when absent.
    pub idempotent: Option<bool>,
    /// Why, for the audit trail.
    pub reason: Option<String>,
}

/// One command to one device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// The device.
    pub device_id: DeviceId,
    /// `queued`, `sent`, `accepted`, `running`, `succeeded`, `failed`, `timed_out`, `interrupted`,
    /// `cancelled` or `expired`.
    pub state: String,
    /// Whether the state is one that no other follows.
    pub finished: bool,
    /// What to run.
    pub script: String,
    /// What runs it.
    pub interpreter: String,
    /// Seconds it may run.
    pub timeout_s: u32,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is no longer started.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it began to run on the device.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// The exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// Whether somebody wants it stopped. Only its device can say that it has stopped.
    #[serde(default)]
    pub cancel_requested: bool,
    /// Why it did not run or end well.
    pub status_reason: String,
    /// Who asked for it: kind and id.
    pub created_by: String,
    /// Why, as its maker said.
    pub reason: String,
    /// Bytes of output kept.
    pub output_bytes: u64,
    /// Whether the command wrote more than is kept.
    pub output_truncated: bool,
}

/// One page of commands, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CommandPage {
    /// The commands.
    pub items: Vec<Command>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `GET /commands/{id}/output?after=N`, and each `output` event of `GET /commands/{id}/stream`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Output {
    /// The pieces in the order in which the command wrote them.
    pub chunks: Vec<OutputChunk>,
    /// To be passed as `after` to get what follows.
    pub next: u64,
    /// Whether nothing follows.
    pub complete: bool,
}

/// A piece of output.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OutputChunk {
    /// `stdout` or `stderr`.
    pub stream: String,
    /// Where it begins in everything that the command wrote.
    pub offset: u64,
    /// The text. A character whose bytes lie in two pieces is in the later one; each byte that
    /// belongs to no character is U+FFFD. `GET …/output/raw` has the bytes.
    pub text: String,
}

/// Each event of `GET /events` (server-sent): something about a device has changed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceEvent {
    /// `device`, `inventory`, `command`, or `retired`, also when it was moved out of the caller's reach.
    pub kind: String,
    /// Which device.
    pub device_id: DeviceId,
    /// The device as it is now, for `device`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// The command as it is now, for `command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
}
