//! What the device says of itself when it connects.

use std::fs;

use openframe_agent_api::link::{Facts, Hello};
use openframe_clock::Clock;
use procfs::Current as _;

use crate::config::Config;
use crate::inventory::network;

/// The first frame's content.
pub fn hello(clock: &Clock, config: &Config) -> Hello {
    let mut capabilities = vec!["telemetry".to_owned(), "inventory".to_owned()];
    if config.commands {
        capabilities.push("commands".to_owned());
    }
    if rustix::process::geteuid().is_root() {
        capabilities.push("root".to_owned());
    }
    Hello {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        boot_id: text("/proc/sys/kernel/random/boot_id"),
        time_ms: clock.now().as_millisecond(),
        facts: Some(facts()),
        capabilities,
    }
}

/// Where the kernel tells the machine's serial number, which makers put into it.
const SERIAL: &str = "/sys/class/dmi/id/product_serial";

/// The name that the device calls itself.
pub fn hostname() -> String {
    text("/proc/sys/kernel/hostname")
}

/// The serial number of the machine, which root may read.
pub fn serial() -> Option<String> {
    Some(text(SERIAL)).filter(|serial| !serial.is_empty())
}

fn facts() -> Facts {
    let release = text("/etc/os-release");
    let of = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let memory = procfs::Meminfo::current().map(|memory| memory.mem_total);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Facts {
        hostname: hostname(),
        os_family: std::env::consts::OS.to_owned(),
        os_name: of("NAME"),
        os_version: of("VERSION"),
        kernel: text("/proc/sys/kernel/osrelease"),
        arch: std::env::consts::ARCH.to_owned(),
        machine_id: text("/etc/machine-id"),
        serial: text(SERIAL),
        vendor: text("/sys/class/dmi/id/sys_vendor"),
        model: text("/sys/class/dmi/id/product_name"),
        cpu_count: u32::try_from(cpus).unwrap_or(u32::MAX),
        memory_bytes: memory.unwrap_or_default(),
        addresses: network::addresses(),
    }
}

/// A small file's text; empty when it cannot be read.
fn text(path: &str) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
