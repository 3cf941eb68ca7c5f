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
        "memory_modules": modules(),
        "vendor": dmi("sys_vendor"),
        "model": dmi("product_name"),
        "serial": dmi("product_serial"),
        "board": dmi("board_name"),
        "firmware": { "vendor": dmi("bios_vendor"), "version": dmi("bios_version"), "date": dmi("bios_date") },
        "disks": disks(),
        "gpus": gpus(),
    })
}

/// The memory modules that the firmware lists; only root may read that.
fn modules() -> Vec<Value> {
    let entries = names("/sys/firmware/dmi/entries").into_iter();
    let entries = entries.filter(|name| name.starts_with("17-")).take(MANY);
    let raw = |name: String| fs::read(format!("/sys/firmware/dmi/entries/{name}/raw")).ok();
    entries.filter_map(raw).filter_map(|raw| module(&raw)).collect()
}

/// A "Memory Device" of SMBIOS (DSP0134, 7.18); `None` of an empty slot.
fn module(raw: &[u8]) -> Option<Value> {
    let word = |at: usize| raw.get(at..at + 2).and_then(|it| it.try_into().ok());
    let word = |at: usize| word(at).map(u16::from_le_bytes);
    let long = raw.get(0x1c..0x20).and_then(|it| it.try_into().ok()).map(u32::from_le_bytes);
    let (kib, mib) = (1_u64 << 10, 1_u64 << 20);
    let bytes = match word(0x0c)? {
        0 => return None,
        0xffff => None,
        0x7fff => long.map(|size| u64::from(size & 0x7fff_ffff) * mib),
        size if size & 0x8000 != 0 => Some(u64::from(size & 0x7fff) * kib),
        size => Some(u64::from(size) * mib),
    };
    // Texts stand behind the fixed part, each ended by a zero; fields hold their numbers.
    let texts = raw.get(usize::from(*raw.get(1)?)..)?;
    let named = |at: usize| {
        let number = usize::from(*raw.get(at)?).checked_sub(1)?;
        texts.split(|byte| *byte == 0).nth(number).map(text)
    };
    Some(json!({
        "bytes": bytes,
        "slot": named(0x10),
        "vendor": named(0x17),
        "serial": named(0x18),
        "part": named(0x1a),
        "mega_transfers": word(0x15).filter(|speed| *speed > 0 && *speed < 0xffff),
    }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_module_is_read_and_an_empty_slot_is_not() {
        let mut raw = vec![0; 0x28];
        raw[..2].copy_from_slice(&[17, 0x28]);
        raw[0x0c..0x0e].copy_from_slice(&8192_u16.to_le_bytes());
        raw[0x15..0x17].copy_from_slice(&3200_u16.to_le_bytes());
        (raw[0x10], raw[0x17], raw[0x18]) = (1, 2, 9);
        raw.extend(b"DIMM 0\0Vendor\0\0");
        let module = module(&raw).unwrap();
        let of = |name: &str| module.get(name).cloned().unwrap_or_default();
        assert_eq!(of("bytes"), json!(8_u64 << 30));
        assert_eq!((of("slot"), of("vendor")), (json!("DIMM 0"), json!("Vendor")));
        assert_eq!((of("serial"), of("part")), (Value::Null, Value::Null));
        assert_eq!(of("mega_transfers"), json!(3200));
        raw[0x0c..0x0e].fill(0);
        assert_eq!(super::module(&raw), None);
        for cut in 0..raw.len() {
            // Whatever the firmware says, it ends and does not panic.
            drop(super::module(&raw[..cut]));
        }
    }
}
