//! `openframe device`: which devices there are.

use std::path::PathBuf;

use clap::Subcommand;
use openframe_auth_api::{QuarantinedDevice, WaitingDevice};
use openframe_devices_api::{Device, DeviceChange, DevicePage, DeviceQuery, DevicesClient};
use openframe_fault::{Fault, Kind};
use openframe_ids::DeviceId;

use crate::connection::Connection;
use crate::{Format, download, output, place};

/// What can be done with devices.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// List devices
    List {
        /// Words that must each occur in the name, address, OS, model, serial or a tag
        #[arg(long, short)]
        q: Option<String>,
        /// Conditions such as `os:linux,presence:online`
        #[arg(long)]
        filter: Option<String>,
        /// The place in which they are
        #[arg(long)]
        place: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one device
    Show {
        /// The device's id or name
        device: String,
    },
    /// Show a device's inventory
    Inventory {
        /// The device's id or name
        device: String,
    },
    /// Give a device another name
    Rename {
        /// The device's id or name
        device: String,
        /// The new name; empty goes back to the host name
        name: String,
    },
    /// Move a device to another place
    Move {
        /// The device's id or name
        device: String,
        /// The place, by its id or by the names on the way to it; `/` is the whole tenant
        place: String,
    },
    /// Remove a device from the fleet
    Retire {
        /// The device's id or name
        device: String,
    },
    /// List the devices that have enrolled and wait to be let in
    Waiting,
    /// Let a device in that waits: compare the key with what its agent prints
    Admit {
        /// The device's id
        device: DeviceId,
    },
    /// Turn a device away that waits
    TurnAway {
        /// The device's id
        device: DeviceId,
    },
    /// List the devices in quarantine: two copies of each one's identity were in use
    Quarantined,
    /// Take a device out of quarantine, once its copy is gone
    Readmit {
        /// The device's id or name
        device: String,
    },
    /// Fetch the list of certificates that are revoked or on hold (DER), for others who check devices
    RevocationList {
        /// The file to write; standard output without it
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Fetch the authorities that devices' certificates come from (PEM), for others who check devices
    TrustBundle {
        /// The file to write; standard output without it
        #[arg(long)]
        file: Option<PathBuf>,
    },
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: DeviceCommand,
) -> Result<(), Fault> {
    let devices = connection.devices();
    match command {
        DeviceCommand::List { q, filter, place, limit } => {
            let filter = match place {
                None => filter,
                Some(named) => with_place(connection, filter, &named).await?,
            };
            let wanted = DeviceQuery { q, filter, ..DeviceQuery::default() };
            let page = list(&devices, wanted, limit).await?;
            let rows = page.items.iter().map(row).collect();
            output::print(format, &page, &HEADINGS, rows)
        }
        DeviceCommand::Show { device } => {
            let id = find(&devices, &device).await?;
            show(format, &devices.device(id).await?)
        }
        DeviceCommand::Inventory { device } => {
            let id = find(&devices, &device).await?;
            output::json(&devices.inventory(id).await?)
        }
        DeviceCommand::Rename { device, name } => {
            let change = DeviceChange { name: Some(name), ..DeviceChange::default() };
            let id = find(&devices, &device).await?;
            show(format, &devices.change(id, &change).await?)
        }
        DeviceCommand::Move { device, place } => {
            let to = place::find(&connection.auth(), &place).await?;
            let place = Some(to.map(|id| id.to_string()).unwrap_or_default());
            let change = DeviceChange { place, ..DeviceChange::default() };
            let id = find(&devices, &device).await?;
            show(format, &devices.change(id, &change).await?)
        }
        DeviceCommand::Retire { device } => {
            let id = find(&devices, &device).await?;
            devices.retire(id).await?;
            output::done(format, &id.to_string(), "retired")
        }
        DeviceCommand::Waiting => waiting(connection, format).await,
        DeviceCommand::Admit { device } => {
            connection.auth().admit_device(device).await?;
            output::done(format, &device.to_string(), "let in")
        }
        DeviceCommand::TurnAway { device } => {
            connection.auth().turn_away_device(device).await?;
            output::done(format, &device.to_string(), "turned away")
        }
        DeviceCommand::Quarantined => {
            let page = connection.auth().quarantined().await?;
            let row = |it: &QuarantinedDevice| vec![it.device_id.to_string(), it.since.to_string()];
            let rows = page.items.iter().map(row).collect();
            output::print(format, &page, &["ID", "SINCE"], rows)
        }
        DeviceCommand::Readmit { device } => {
            let id = find(&devices, &device).await?;
            connection.auth().readmit_device(id).await?;
            output::done(format, &id.to_string(), "re-admitted")
        }
        DeviceCommand::RevocationList { file } => {
            let answer = connection.auth().revocation_list().await?;
            download::save(answer.into_body(), file.as_deref()).await
        }
        DeviceCommand::TrustBundle { file } => {
            let answer = connection.auth().trust_bundle().await?;
            download::save(answer.into_body(), file.as_deref()).await
        }
    }
}

async fn waiting(connection: &Connection, format: Format) -> Result<(), Fault> {
    let page = connection.auth().waiting_devices().await?;
    let row = |it: &WaitingDevice| {
        let (id, since) = (it.device_id.to_string(), it.since.to_string());
        let said = [&it.hostname, &it.serial, &it.remote_address, &it.key];
        [vec![id, since], said.map(String::clone).to_vec()].concat()
    };
    let rows = page.items.iter().map(row).collect();
    output::print(format, &page, &["ID", "SINCE", "HOST NAME", "SERIAL", "FROM", "KEY"], rows)
}

/// The conditions, and that of being in a place.
async fn with_place(
    connection: &Connection,
    filter: Option<String>,
    named: &str,
) -> Result<Option<String>, Fault> {
    let Some(id) = place::find(&connection.auth(), named).await? else { return Ok(filter) };
    let place = format!("place:{id}");
    Ok(Some(filter.map_or(place.clone(), |filter| format!("{filter},{place}"))))
}

/// The device that `given` names: an id, or a name that only one device has.
pub(crate) async fn find(devices: &DevicesClient, given: &str) -> Result<DeviceId, Fault> {
    if let Ok(id) = given.parse() {
        return Ok(id);
    }
    let wanted = DeviceQuery { q: Some(given.to_owned()), ..DeviceQuery::default() };
    let found = list(devices, wanted, MOST_ALIKE).await?.items;
    let named: Vec<&Device> = found.iter().filter(|device| device.name == given).collect();
    match named.as_slice() {
        [] => Err(Fault::new(Kind::NotFound, "no_such_device", format!("no device {given:?}"))),
        [device] => Ok(device.id),
        several => {
            let message = format!("{} devices are called {given:?}; give the id", several.len());
            Err(Fault::new(Kind::Conflict, "ambiguous_device", message))
        }
    }
}

/// The first `limit` devices, in as many pages as it takes.
async fn list(
    devices: &DevicesClient,
    mut wanted: DeviceQuery,
    limit: u32,
) -> Result<DevicePage, Fault> {
    wanted.limit = Some(limit.min(PAGE));
    let mut all = devices.devices(&wanted).await?;
    while let Some(cursor) = all.next_cursor.take() {
        let left = limit.saturating_sub(u32::try_from(all.items.len()).unwrap_or(limit));
        if left == 0 {
            all.next_cursor = Some(cursor);
            break;
        }
        (wanted.cursor, wanted.limit) = (Some(cursor), Some(left.min(PAGE)));
        let page = devices.devices(&wanted).await?;
        all.items.extend(page.items);
        all.next_cursor = page.next_cursor;
    }
    Ok(all)
}

/// How many devices are looked through for one name.
const MOST_ALIKE: u32 = 5_000;
/// How many devices the server gives at once.
const PAGE: u32 = 500;
const HEADINGS: [&str; 6] = ["ID", "NAME", "PRESENCE", "OS", "LAST SEEN", "TAGS"];

fn row(device: &Device) -> Vec<String> {
    vec![
        device.id.to_string(),
        device.name.clone(),
        device.presence.clone(),
        format!("{} {}", device.os_name, device.os_version),
        device.last_seen_at.map(|at| at.to_string()).unwrap_or_default(),
        device.tags.join(", "),
    ]
}

fn show(format: Format, device: &Device) -> Result<(), Fault> {
    let pairs = [
        ("id", device.id.to_string()),
        ("name", device.name.clone()),
        ("host name", device.hostname.clone()),
        ("presence", device.presence.clone()),
        ("last seen", device.last_seen_at.map(|at| at.to_string()).unwrap_or_default()),
        ("enrolled", device.enrolled_at.to_string()),
        ("OS", format!("{} {}", device.os_name, device.os_version)),
        ("kernel", format!("{} {}", device.kernel, device.arch)),
        ("model", format!("{} {}", device.vendor, device.model)),
        ("processors", device.cpu_count.to_string()),
        ("memory", format!("{} MiB", device.memory_bytes >> 20)),
        ("addresses", device.addresses.join(", ")),
        ("tags", device.tags.join(", ")),
        ("place", device.place.last().map_or("/".to_owned(), ToString::to_string)),
        ("agent", device.agent_version.clone()),
    ];
    let rows = pairs.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    output::print(format, device, &["", ""], rows)
}
