//! What README.md and the guide tell people to type, typed: each block of commands, in its order.
//!
//! Only what belongs to this machine is changed: ports, `/srv`, and `cargo`, which would build again
//! what has just been built.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use openframe_system::{Process, executable};
use tempfile::TempDir;

/// Stands for `cargo`: `xtask up` starts what is built, everything else has been done.
const CARGO: &str = r#"#!/bin/sh
[ "$1 $2" = "xtask up" ] || exit 0
shift
exec openframe "$@"
"#;

/// A terminal in a checkout that has been built, and the server that was started in it.
struct Terminal {
    folder: TempDir,
    programs: PathBuf,
    people: u16,
    agents: u16,
    server: Option<Process>,
}

impl Terminal {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = executable("openframe").unwrap().parent().unwrap().to_owned();
        let path = |name: &str| folder.path().join(name);
        for name in ["bin", "srv", "target"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        std::os::unix::fs::symlink(&programs, path("target/release")).unwrap();
        std::fs::write(path("bin/cargo"), CARGO).unwrap();
        std::fs::set_permissions(path("bin/cargo"), PermissionsExt::from_mode(0o755)).unwrap();
        let ports = [0; 2].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        let [people, agents] = ports.map(|socket| socket.local_addr().unwrap().port());
        Self { folder, programs, people, agents, server: None }
    }

    fn shell(&self, block: &str) -> Command {
        let folder = self.folder.path().display();
        let script = block
            .replace(":8443", &format!(":{}", self.people))
            .replace(":8444", &format!(":{}", self.agents))
            .replace("0.0.0.0", "127.0.0.1")
            .replace("/srv/", &format!("{folder}/srv/"));
        let programs = self.programs.display();
        let script = format!("PATH='{folder}/bin:{programs}':\"$PATH\"\n{script}");
        let mut command = Command::new("bash");
        command.args(["-euc", &script]).current_dir(self.folder.path());
        command.env("HOME", self.folder.path()).env_remove("XDG_CONFIG_HOME");
        command.env("OPENFRAME_SERVER", format!("https://localhost:{}", self.people));
        command.env("OPENFRAME_LISTEN", format!("https://127.0.0.1:{}", self.people));
        command.env("OPENFRAME_AGENTS_LISTEN", format!("https://127.0.0.1:{}", self.agents));
        command.env("OPENFRAME_ADMIN_LISTEN", "");
        command
    }

    fn type_in(&mut self, block: &str) {
        let starts = |line: &str| {
            ["openframe up", "openframe run", "cargo xtask up"]
                .iter()
                .any(|start| line.starts_with(start))
        };
        if !block.lines().any(starts) {
            let output = self.shell(block).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{block}\nended with {}: {said}", output.status);
            return;
        }
        self.stop();
        // The shell gives way to the server, so that it is the server that is told to end.
        let give_way = |line: &str| {
            if starts(line) { format!("exec {line}\n") } else { format!("{line}\n") }
        };
        let block: String = block.lines().map(give_way).collect();
        let ready = if block.contains("openframe run") { "ready" } else { "  ✓ device " };
        let mut server = Process::start(&mut self.shell(&block)).unwrap();
        let said = server.line(ready);
        self.server = Some(server);
        said.unwrap();
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            assert!(server.stop().unwrap().success(), "{}", server.said());
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Told to end rather than killed: `up` takes its agent with it.
        if let Some(mut server) = self.server.take() {
            server.stop().ok();
        }
    }
}

/// The blocks marked as commands.
fn blocks(text: &str) -> Vec<&str> {
    let after = text.split("```sh\n").skip(1);
    after.filter_map(|rest| rest.split("```").next()).collect()
}

#[track_caller]
fn follow(file: &str, at_least: usize) {
    follow_in(Terminal::open(), file, at_least);
}

#[track_caller]
fn follow_in(mut terminal: Terminal, file: &str, at_least: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join(file)).unwrap();
    let blocks = blocks(&text);
    assert!(blocks.len() >= at_least, "{file} has {} blocks of commands", blocks.len());
    for block in blocks {
        terminal.type_in(block);
    }
    terminal.stop();
}

#[test]
fn the_readme_works() {
    follow("README.md", 4);
}

#[test]
fn the_first_hour_works() {
    follow("docs/guide/first-hour.md", 2);
}

#[test]
fn working_without_a_person_works() {
    follow("docs/guide/automation.md", 4);
}

/// Follows a page whose reader has a platform and is signed in.
#[track_caller]
fn follow_signed_in(file: &str) {
    let mut terminal = Terminal::open();
    terminal.type_in("openframe run --data /srv/openframe --bootstrap-key /srv/openframe.key");
    let root = "/srv/openframe/pki/root.pem";
    terminal.type_in(&format!("openframe login --ca {root} --api-key-file /srv/openframe.key"));
    follow_in(terminal, file, 1);
}

#[test]
fn reading_the_audit_trail_works() {
    follow_signed_in("docs/guide/audit.md");
}

#[test]
fn letting_programs_in_works() {
    follow_signed_in("docs/guide/programs.md");
}

#[test]
fn asking_everybody_for_a_second_factor_works() {
    follow_signed_in("docs/guide/second-factors.md");
}

#[test]
fn every_page_of_the_guide_is_followed() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    for entry in std::fs::read_dir(guide).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let commands = blocks(&std::fs::read_to_string(&path).unwrap()).len();
        // The last one is followed where the lab is: `tests/clusters/picture.rs`.
        let pages = [
            "first-hour.md",
            "automation.md",
            "audit.md",
            "programs.md",
            "second-factors.md",
            "highly-available.md",
        ];
        let followed = pages.contains(&name);
        assert!(followed || commands == 0, "add a test for {name}: it has commands");
    }
}
