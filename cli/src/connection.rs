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
use openframe_platform_api::PlatformClient;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::{Format, Global, output};

/// The server that is asked when nobody named one: what `openframe up` starts.
const USUAL_SERVER: &str = "https://localhost:8443";

/// What is remembered between commands, in a file only its owner can read. The key and the root
/// belong to the server beside them and are never used for another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    server: Option<String>,
    api_key: Option<String>,
    ca_pem: Option<String>,
}

impl Remembered {
    /// What is known of the server at `origin`: nothing, unless it is the one remembered.
    fn of(self, origin: &str) -> Self {
        let own = self.server.as_deref().and_then(|server| server_origin(server).ok());
        if own.as_deref() == Some(origin) {
            return self;
        }
        Self { server: Some(origin.to_owned()), ..Self::default() }
    }
}

/// A server and the key to ask it with.
pub(crate) struct Connection {
    client: Client,
    origin: String,
    remembered: Remembered,
}

impl Connection {
    /// Puts flags, variables and what was remembered together.
    pub(crate) fn open(global: &Global) -> Result<Self, Fault> {
        let kept = remembered();
        let server = global.server.clone().or_else(|| kept.server.clone());
        let origin = server_origin(server.as_deref().unwrap_or(USUAL_SERVER))?;
        let mut remembered = kept.of(&origin);
        if let Some(file) = &global.api_key_file {
            remembered.api_key = Some(read(file)?.trim().to_owned());
        }
        if let Some(file) = &global.ca {
            remembered.ca_pem = Some(read(file)?);
        }
        let client = client(&origin, &remembered)?;
        Ok(Self { client, origin, remembered })
    }

    /// Says which server it was that did not answer, and why.
    pub(crate) fn explain(&self, fault: Fault) -> Fault {
        if !["peer_down", "peer_too_slow"].contains(&fault.code()) {
            return fault;
        }
        let mut cause: &dyn std::error::Error = &fault;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let message = format!("{} does not answer: {cause}", self.origin);
        Fault::unavailable("server_unreachable", message).because(fault)
    }

    pub(crate) fn auth(&self) -> AuthClient {
        AuthClient::new(self.client.clone())
    }

    pub(crate) fn devices(&self) -> DevicesClient {
        DevicesClient::new(self.client.clone())
    }

    pub(crate) fn platform(&self) -> PlatformClient {
        PlatformClient::new(self.client.clone())
    }

    pub(crate) fn monitoring(&self) -> MonitoringClient {
        MonitoringClient::new(self.client.clone())
    }

    /// Checks the key and remembers it.
    pub(crate) async fn login(&self, format: Format) -> Result<(), Fault> {
        if self.remembered.api_key.is_none() {
            let message = format!("no API key for {} was given", self.origin);
            return Err(Fault::new(Kind::Unauthenticated, "no_api_key", message));
        }
        let me = self.auth().me().await?;
        let file = context_file()?;
        let text = serde_json::to_string_pretty(&self.remembered).map_err(internal)?;
        write_private(&file, &text)?;
        match format {
            Format::Json => output::json(&me),
            Format::Table => output::line(&format!(
                "signed in at {} as {} ({}); remembered in {}",
                self.origin,
                output::visible(&me.user.email),
                me.user.role,
                file.display()
            )),
        }
    }
}

/// Forgets the key and the server. The key itself stays good: `openframe api-key revoke` ends it.
pub(crate) fn logout(format: Format) -> Result<(), Fault> {
    let file = context_file()?;
    let server = remembered().server;
    match fs::remove_file(&file) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let message = format!("{} cannot be removed", file.display());
            return Err(Fault::invalid("cannot_forget", message).because(error));
        }
    }
    match (format, server) {
        (Format::Json, server) => output::json(&serde_json::json!({ "forgotten": server })),
        (Format::Table, Some(server)) => {
            output::line(&format!("the key for {server} is forgotten"))
        }
        (Format::Table, None) => output::line("nothing was remembered"),
    }
}

/// The origin of a server's address.
fn server_origin(server: &str) -> Result<String, Fault> {
    let example = "write https://HOST:PORT";
    let url: Url = server.parse().map_err(|error| {
        Fault::invalid("bad_server", format!("{server:?} is no URL ({error}); {example}"))
    })?;
    if !["https", "http"].contains(&url.scheme()) || !url.has_host() {
        let message = format!("{server:?} is no address of a server; {example}");
        return Err(Fault::invalid("bad_server", message));
    }
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !is_loopback {
        let message =
            format!("{server:?} would show the API key to everybody on the way; {example}");
        return Err(Fault::invalid("insecure_server", message));
    }
    Ok(url.origin().ascii_serialization())
}

fn client(origin: &str, remembered: &Remembered) -> Result<Client, Fault> {
    let base = origin.parse().map_err(internal)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_origin_that_is_safe_to_send_a_key_to() {
        for (text, want) in [
            ("https://a.example:8443/x", Ok("https://a.example:8443")),
            ("http://127.0.0.1:1", Ok("http://127.0.0.1:1")),
            ("http://[::1]:1", Ok("http://[::1]:1")),
            ("http://a.example", Err("insecure_server")),
            ("http://10.0.0.1:8443", Err("insecure_server")),
            ("ftp://a.example", Err("bad_server")),
            ("localhost:8443", Err("bad_server")),
            ("a.example", Err("bad_server")),
        ] {
            let got = server_origin(text).map_err(|fault| fault.code().to_owned());
            assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_key_is_used_for_its_own_server_only() {
        let kept = Remembered {
            server: Some("https://a.example".to_owned()),
            api_key: Some("key".to_owned()),
            ca_pem: Some("pem".to_owned()),
        };
        assert_eq!(kept.clone().of("https://a.example"), kept);
        for other in ["https://b.example", "http://a.example", "https://a.example:8443"] {
            let known = kept.clone().of(other);
            assert_eq!((known.api_key, known.ca_pem), (None, None), "{other}");
        }
    }
}
