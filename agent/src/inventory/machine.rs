//! The machine and its operating system.

use std::fs;

use procfs::Current as _;
use serde_json::{Map, Value, json};

use super::{small, text};

/// Disks and graphics cards listed at most.
const MANY: usize = 64;

pub(super) fn hardware() -> Value {
    let cpu = fs::read("/proc/cpuinfo").unwrap_or_default();
    let cpu = String::from_utf8_lossy(&cpu).into_owned();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let threads = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = procfs::Meminfo::current().map(|it| it.mem_total).unwrap_or_default();
    let dmi = |name: &str| small(&format!("/sys/class/dmi/id/{name}"));
    json!({
        "cpu": { "model": model.map(|it| text(it.1.as_bytes())), "threads": threads },
        "memory_bytes": memory,
        "vendor": dmi("sys_vendor"),
        "model": dmi("product_name"),
        "serial": dmi("product_serial"),
        "board": dmi("board_name"),
        "firmware": { "vendor": dmi("bios_vendor"), "version": dmi("bios_version"), "date": dmi("bios_date") },
        "disks": disks(),
        "gpus": gpus(),
    })
}

fn disks() -> Vec<Value> {
    let virtual_one = |name: &str| {
        ["loop", "ram", "zram", "dm-", "md", "sr", "fd"].iter().any(|it| name.starts_with(it))
    };
    let names = names("/sys/block").into_iter().filter(|name| !virtual_one(name)).take(MANY);
    let disk = |name: String| {
        let of = |file: &str| small(&format!("/sys/block/{name}/{file}"));
        let bytes = of("size").parse::<u64>().unwrap_or_default().saturating_mul(512);
        let rotating = of("queue/rotational") == "1";
        json!({ "name": name, "bytes": bytes, "model": of("device/model"), "rotating": rotating })
    };
    names.map(disk).collect()
}

fn gpus() -> Vec<Value> {
    let of = |name: &str, file: &str| small(&format!("/sys/bus/pci/devices/{name}/{file}"));
    let displays = names("/sys/bus/pci/devices").into_iter();
    let displays = displays.filter(|name| of(name, "class").starts_with("0x03")).take(MANY);
    displays
        .map(|it| json!({ "vendor_id": of(&it, "vendor"), "device_id": of(&it, "device") }))
        .collect()
}

/// The sorted names in a folder; none when it cannot be read.
pub(super) fn names(path: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let name = |entry: fs::DirEntry| text(entry.file_name().as_encoded_bytes());
    let mut names: Vec<String> = entries.flatten().map(name).collect();
    names.sort_unstable();
    names
}

pub(super) fn os() -> Value {
    let release = fs::read("/etc/os-release").unwrap_or_default();
    let mut fields = Map::new();
    for line in String::from_utf8_lossy(&release).lines().take(64) {
        let Some((name, value)) = line.split_once('=') else { continue };
        if ["ID", "NAME", "VERSION", "VERSION_ID", "PRETTY_NAME"].contains(&name) {
            let value = text(value.trim_matches('"').as_bytes());
            fields.insert(name.to_ascii_lowercase(), Value::String(value));
        }
    }
    let zone = fs::read_link("/etc/localtime").unwrap_or_default();
    let zone = zone.to_string_lossy();
    json!({
        "release": fields,
        "kernel": small("/proc/sys/kernel/osrelease"),
        "arch": std::env::consts::ARCH,
        "hostname": small("/proc/sys/kernel/hostname"),
        "boot_id": small("/proc/sys/kernel/random/boot_id"),
        "time_zone": zone.split_once("zoneinfo/").map(|(_, zone)| text(zone.as_bytes())),
        "reboot_required": fs::exists("/run/reboot-required").unwrap_or(false),
        "systemd": fs::exists("/run/systemd/system").unwrap_or(false),
        "agent": {
            "version": env!("CARGO_PKG_VERSION"),
            "root": rustix::process::geteuid().is_root(),
        },
    })
}
