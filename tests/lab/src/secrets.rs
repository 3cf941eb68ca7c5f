//! The lab's passwords: made once for each lab, kept in a file that only its owner reads.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use openframe_config::Secret;
use serde::{Deserialize, Serialize};

/// Every password of the lab.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Secrets {
    /// Of PostgreSQL's superuser `postgres`.
    pub(crate) postgres: Secret<String>,
    /// Of PostgreSQL's replication.
    pub(crate) replication: Secret<String>,
    /// Of Cassandra's superuser `lab_admin`.
    pub(crate) cassandra: Secret<String>,
    /// Of Redis and Sentinel.
    pub(crate) redis: Secret<String>,
}

/// What the file holds: a [`Secret`] never writes itself.
#[derive(Serialize)]
struct Plain {
    postgres: String,
    replication: String,
    cassandra: String,
    redis: String,
}

impl Secrets {
    /// Reads the passwords of `home`, or makes them.
    pub(crate) fn of(home: &Path) -> anyhow::Result<Self> {
        let file = home.join("secrets.toml");
        if !file.exists() {
            let plain = Plain {
                postgres: password(),
                replication: password(),
                cassandra: password(),
                redis: password(),
            };
            let mut out =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
            out.write_all(toml::to_string(&plain)?.as_bytes())?;
        }
        let text = fs::read_to_string(&file)?;
        toml::from_str(&text)
            .with_context(|| format!("{} is damaged; `lab down` and begin anew", file.display()))
    }
}

/// 128 random bits in hexadecimal: nothing in them has to be escaped anywhere.
fn password() -> String {
    format!("{:032x}", u128::from_be_bytes(openframe_ids::random()))
}
