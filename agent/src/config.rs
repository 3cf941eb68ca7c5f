//! The agent's settings: `agent.toml` in the state folder. Unknown keys are errors.

use std::path::PathBuf;

use serde::Deserialize;

use crate::Error;
use crate::collect::NAMES;
use crate::state::Folder;

/// The name of the settings file in the state folder.
pub const FILE: &str = "agent.toml";

/// Every setting, with its default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether commands of the platform are run. Default true.
    pub commands: bool,
    /// Commands that run at the same time at most; the others wait. Default 4.
    pub concurrent_commands: usize,
    /// Bytes of telemetry kept on disk until the platform has it; the oldest are dropped beyond.
    /// Default 64 MiB.
    pub ring_bytes: u64,
    /// Bytes of a command's output that are sent at most; the platform may allow less. Default
    /// 1 MiB.
    pub output_limit_bytes: u64,
    /// Seconds between two inventories. Default 900.
    pub inventory_interval_s: u64,
    /// Where something on the way ends TLS (a load balancer, TLS inspection): the file with the
    /// authorities that its certificate comes from, PEM. The device then signs its requests, since it
    /// cannot show its certificate. Default none.
    pub proxy_ca: Option<PathBuf>,
    /// Collectors that are switched off, by name. Default none.
    pub without_collectors: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            commands: true,
            concurrent_commands: 4,
            ring_bytes: 64 << 20,
            output_limit_bytes: 1 << 20,
            inventory_interval_s: 900,
            proxy_ca: None,
            without_collectors: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file of `folder`; defaults when there is none.
    pub fn read(folder: &Folder) -> Result<Self, Error> {
        let Some(bytes) = folder.read(FILE)? else { return Ok(Self::default()) };
        let mistake = |message: String| Error::Settings { path: folder.path().join(FILE), message };
        let text = String::from_utf8(bytes).map_err(|e| mistake(e.to_string()))?;
        let config: Self =
            toml::from_str(&text).map_err(|e| mistake(e.message().replace('\n', " ")))?;
        if config.concurrent_commands == 0 || config.concurrent_commands > 64 {
            return Err(mistake("concurrent_commands must be 1 to 64".to_owned()));
        }
        if config.ring_bytes < 1 << 20 {
            return Err(mistake("ring_bytes must be at least 1048576".to_owned()));
        }
        if config.inventory_interval_s < 60 {
            return Err(mistake("inventory_interval_s must be at least 60".to_owned()));
        }
        if config.proxy_ca.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(mistake("proxy_ca must be a path from / on".to_owned()));
        }
        if let Some(unknown) =
            config.without_collectors.iter().find(|name| !NAMES.contains(&name.as_str()))
        {
            let known = NAMES.join(", ");
            return Err(mistake(format!("without_collectors: no `{unknown}` among {known}")));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<Config, &str>) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        folder.write(FILE, text.as_bytes()).unwrap();
        match (Config::read(&folder), want) {
            (Ok(got), Ok(want)) => assert_eq!(got, want),
            (Err(got), Err(want)) => assert!(got.to_string().contains(want), "{got}"),
            (got, want) => panic!("{got:?}, not {want:?}"),
        }
    }

    #[test]
    fn settings_are_read_and_mistakes_named() {
        check("", Ok(Config::default()));
        check("commands = false", Ok(Config { commands: false, ..Config::default() }));
        check("comands = false", Err("unknown field `comands`"));
        check("without_collectors = ['warp']", Err("no `warp` among"));
        check("proxy_ca = 'ca.pem'", Err("must be a path from / on"));
        check("concurrent_commands = 0", Err("must be 1 to 64"));
    }
}
