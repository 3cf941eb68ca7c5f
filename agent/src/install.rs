//! `openframe-agent install`: the agent as a service of systemd.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use crate::Error;

/// The unit, as the packages have it.
pub const UNIT: &str = include_str!("../../deploy/systemd/openframe-agent.service");
const PATH: &str = "/etc/systemd/system/openframe-agent.service";
/// Where the unit expects the executable.
const EXECUTABLE: &str = "/usr/local/bin/openframe-agent";

/// The unit for a state folder.
pub fn unit(state: &Path) -> String {
    UNIT.replace("/var/lib/openframe-agent", &quoted(&state.display().to_string()))
}

/// A word as it stands in a unit (`systemd.service(5)`, command lines).
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if word.chars().all(plain) {
        return word.to_owned();
    }
    let word = word.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", word.replace('%', "%%").replace('$', "$$"))
}

/// Puts the executable where only root can change it: root will run it.
fn place(executable: &Path) -> Result<(), Error> {
    let to = Path::new(EXECUTABLE);
    if executable == to {
        return Ok(());
    }
    let beside = to.with_extension("new");
    let failed = |cause| Error::State { path: to.to_owned(), cause };
    // Made anew, so that nothing that lay there decides who owns it or where it goes.
    if fs::symlink_metadata(&beside).is_ok() {
        fs::remove_file(&beside).map_err(failed)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(&beside)
        .map_err(failed)?;
    let mut own = fs::File::open(executable).map_err(failed)?;
    std::io::copy(&mut own, &mut file).map_err(failed)?;
    file.set_permissions(fs::Permissions::from_mode(0o755)).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&beside, to).map_err(failed)
}

/// Copies the executable to its place, writes the unit and, where systemd runs, enables and starts
/// it. Returns what was done.
pub fn install(executable: &Path, state: &Path) -> Result<String, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot("sudo openframe-agent install".to_owned()));
    }
    let path = Path::new(PATH);
    let failed = |cause| Error::State { path: path.to_owned(), cause };
    place(executable)?;
    fs::create_dir_all("/etc/systemd/system").map_err(failed)?;
    fs::write(path, unit(state)).map_err(failed)?;
    if !fs::exists("/run/systemd/system").unwrap_or(false) {
        return Ok(format!("wrote {PATH}; systemd does not run here, so nothing was started"));
    }
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", "openframe-agent.service"])?;
    // Also one that runs already: its executable may be another.
    systemctl(&["restart", "openframe-agent.service"])?;
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
        let unit = unit(Path::new("/srv/state"));
        let line = format!("ExecStart={EXECUTABLE} run --state /srv/state\n");
        assert!(unit.contains(&line) && !unit.contains("/var/lib"), "{unit}");
    }

    #[test]
    fn a_folder_with_an_odd_name_stays_one_word() {
        let check = |name: &str, want: &str| assert_eq!(quoted(name), want);
        check("/var/lib/x", "/var/lib/x");
        check("/srv/my state", "\"/srv/my state\"");
        check("/srv/100%\"$x\\", "\"/srv/100%%\\\"$$x\\\\\"");
    }
}
