//! Which server is asked, by whom, and what `openframe login` remembers.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use openframe_auth_api::AuthClient;
use openframe_devices_api::DevicesClient;
use openframe_fault::{Fault, Kind};
use openframe_mesh::{Client, Connector, Peer};
use openframe_monitoring_api::MonitoringClient;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Format, Global, output};

/// What is remembered between commands, in a file only its owner can read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Remembered {
    server: Option<String>,
    api_key: Option<String>,
    ca_pem: Option<String>,
}

/// A server and the key to ask it with.
pub(crate) struct Connection {
    client: Client,
    remembered: Remembered,
}

impl Connection {
    /// Puts flags, variables and what was remembered together.
    pub(crate) fn open(global: &Global) -> Result<Self, Fault> {
        let mut remembered = remembered();
        if let Some(server) = &global.server {
            remembered.server = Some(server.clone());
        }
        if let Some(file) = &global.api_key_file {
            remembered.api_key = Some(read(file)?.trim().to_owned());
        }
        if let Some(file) = &global.ca {
            remembered.ca_pem = Some(read(file)?);
        }
        let client = client(&remembered)?;
        Ok(Self { client, remembered })
    }

    pub(crate) fn auth(&self) -> AuthClient {
        AuthClient::new(self.client.clone())
    }

    pub(crate) fn devices(&self) -> DevicesClient {
        DevicesClient::new(self.client.clone())
    }

    pub(crate) fn monitoring(&self) -> MonitoringClient {
        MonitoringClient::new(self.client.clone())
    }

    /// Checks the key and remembers it.
    pub(crate) async fn login(&self, format: Format) -> Result<(), Fault> {
        let me = self.auth().me().await?;
        let file = context_file()?;
        let text = serde_json::to_string_pretty(&self.remembered).map_err(internal)?;
        write_private(&file, &text)?;
        match format {
            Format::Json => output::json(&me),
            Format::Table => output::line(&format!(
                "signed in as {} ({}); remembered in {}",
                output::visible(&me.user.email),
                me.user.role,
                file.display()
            )),
        }
    }
}

fn client(remembered: &Remembered) -> Result<Client, Fault> {
    let server = remembered.server.as_deref().unwrap_or("https://localhost:8443");
    let url: Url = server.parse().map_err(|error| {
        Fault::invalid("bad_server", format!("{server:?} is not a URL: {error}"))
    })?;
    let base = url.origin().ascii_serialization().parse().map_err(internal)?;
    openframe_pki::install_provider();
    let tls = match &remembered.ca_pem {
        Some(pem) => openframe_pki::root_client(pem),
        None => openframe_pki::public_client(&system_roots()),
    };
    let tls = tls.map_err(|error| {
        Fault::invalid("bad_ca", "the root certificate cannot be read").because(error)
    })?;
    let peer = Peer::Remote { base, connector: Box::new(Connector::new(tls)) };
    let Some(key) = &remembered.api_key else { return Ok(Client::anonymous(peer)) };
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
        .map_err(|_| Fault::invalid("bad_api_key", "the file does not hold an API key"))?;
    value.set_sensitive(true);
    let credential = move |headers: &mut HeaderMap| {
        headers.insert(AUTHORIZATION, value.clone());
    };
    Ok(Client::new(peer, Arc::new(credential)))
}

/// The roots that the system trusts, where Debian, Fedora and Alpine keep them.
fn system_roots() -> Vec<u8> {
    let bundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
    bundles.iter().find_map(|bundle| fs::read(bundle).ok()).unwrap_or_default()
}

fn remembered() -> Remembered {
    let text = context_file().ok().and_then(|file| fs::read_to_string(file).ok());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn context_file() -> Result<PathBuf, Fault> {
    let base = openframe_config::variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| {
        openframe_config::variable("HOME").map(|home| Path::new(&home).join(".config"))
    });
    let base = base.ok_or_else(|| {
        Fault::invalid("no_home", "neither HOME nor XDG_CONFIG_HOME is set: nowhere to remember")
    })?;
    Ok(base.join("openframe").join("login.json"))
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(file: &Path, text: &str) -> Result<(), Fault> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let new = file.with_extension("new");
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut open = fs::OpenOptions::new();
        let mut out = open.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&new, file)
    };
    write().map_err(|error| {
        Fault::invalid("cannot_remember", format!("{} cannot be written", file.display()))
            .because(error)
    })
}

fn read(file: &Path) -> Result<String, Fault> {
    fs::read_to_string(file).map_err(|error| {
        let message = format!("{} cannot be read: {error}", file.display());
        Fault::invalid("cannot_read", message)
    })
}

fn internal(error: impl Into<openframe_fault::BoxError>) -> Fault {
    Fault::new(Kind::Internal, "internal", "the request could not be made").because(error)
}
