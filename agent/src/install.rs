//! `openframe-agent install`: the agent as a service of systemd.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Error;

/// The unit, as the packages have it.
pub const UNIT: &str = include_str!("../../deploy/systemd/openframe-agent.service");
const PATH: &str = "/etc/systemd/system/openframe-agent.service";
/// Where the unit expects the executable.
const EXECUTABLE: &str = "/usr/local/bin/openframe-agent";

/// The unit for an executable and a state folder.
pub fn unit(executable: &Path, state: &Path) -> String {
    let state = state.display().to_string();
    UNIT.replace(EXECUTABLE, &executable.display().to_string())
        .replace("/var/lib/openframe-agent", &state)
}

/// Writes the unit and, where systemd runs, enables and starts it. Returns what was done.
pub fn install(executable: &Path, state: &Path) -> Result<String, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot("sudo openframe-agent install".to_owned()));
    }
    let path = Path::new(PATH);
    let failed = |cause| Error::State { path: path.to_owned(), cause };
    fs::create_dir_all("/etc/systemd/system").map_err(failed)?;
    fs::write(path, unit(executable, state)).map_err(failed)?;
    if !fs::exists("/run/systemd/system").unwrap_or(false) {
        return Ok(format!("wrote {PATH}; systemd does not run here, so nothing was started"));
    }
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", "--now", "openframe-agent.service"])?;
    Ok(format!("wrote {PATH}; the agent runs, and starts with the machine"))
}

fn systemctl(arguments: &[&str]) -> Result<(), Error> {
    let status = Command::new("systemctl").args(arguments).status();
    if status.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(Error::Tool(format!("systemctl {}", arguments.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_names_what_it_was_made_for() {
        assert!(UNIT.contains(EXECUTABLE) && UNIT.contains("/var/lib/openframe-agent"));
        let unit = unit(Path::new("/opt/agent"), Path::new("/srv/state"));
        assert!(unit.contains("ExecStart=/opt/agent run --state /srv/state\n"), "{unit}");
        assert!(!unit.contains("/var/lib"));
    }
}
