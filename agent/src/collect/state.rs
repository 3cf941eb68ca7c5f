//! Who is there, whether the clock is right, and how full the batteries are.

use std::fs;

use super::system::Before;
use super::{MANY, Measured, count, labelled, point};

/// systemd's notes of sessions; readable by all, unlike its bus.
const SESSIONS: &str = "/run/systemd/sessions";
/// Where systemd's time service notes that the clock was set.
const TIME: &str = "/run/systemd/timesync";

/// People who are logged in. Sessions of services and of the log-in screen do not count.
pub(super) fn sessions(_: &mut Before) -> Measured {
    let entries = fs::read_dir(SESSIONS).map_err(|cause| format!("{SESSIONS}: {cause}"))?;
    let notes = entries.flatten().filter_map(|entry| fs::read(entry.path()).ok());
    let people = notes.filter(|note| is_of_a_person(note)).count();
    Ok(vec![point("system_sessions_count", count(people as u64))])
}

fn is_of_a_person(note: &[u8]) -> bool {
    note.split(|byte| *byte == b'\n').any(|line| line == b"CLASS=user")
}

/// Whether the clock follows a time server.
pub(super) fn clock(_: &mut Before) -> Measured {
    if !fs::exists(TIME).unwrap_or(false) {
        return Err("systemd-timesyncd does not run here".to_owned());
    }
    let is_set = fs::exists(format!("{TIME}/synchronized")).unwrap_or(false);
    Ok(vec![point("system_clock_synchronized", f64::from(u8::from(is_set)))])
}

/// How full each battery is, and whether it drives the machine.
pub(super) fn batteries(_: &mut Before) -> Measured {
    let supplies = fs::read_dir("/sys/class/power_supply").map_err(|cause| cause.to_string())?;
    let mut points = Vec::new();
    for supply in supplies.flatten().take(MANY) {
        let of = |file: &str| fs::read_to_string(supply.path().join(file)).unwrap_or_default();
        let (kind, name) = (of("type"), supply.file_name().to_string_lossy().into_owned());
        let Some(percent) = of("capacity").trim().parse::<u8>().ok() else { continue };
        if kind.trim() != "Battery" {
            continue;
        }
        let labels = [("battery", name.as_str())];
        let drives = f64::from(u8::from(of("status").trim() == "Discharging"));
        points.push(labelled("hw_battery_charge_ratio", &labels, f64::from(percent) / 100.0));
        points.push(labelled("hw_battery_discharging", &labels, drives));
    }
    if points.is_empty() {
        return Err("this machine has no battery".to_owned());
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_from_services() {
        assert!(is_of_a_person(b"UID=1000\nUSER=ann\nCLASS=user\n"));
        assert!(!is_of_a_person(b"UID=0\nCLASS=manager\n"));
        assert!(!is_of_a_person(b"CLASS=user-early"));
    }
}
