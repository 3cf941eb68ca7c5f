//! What ends TLS between agents and the platform: `HAProxy`, with a certificate of authorities that have
//! nothing to do with the platform's.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use jiff::SignedDuration;
use openframe_clock::Clock;
use openframe_fault::body;
use openframe_pki::{Authority, DeviceKey};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{Process, Server, until};

/// How old its certificate is: a device's clock may be behind.
const AGE: SignedDuration = SignedDuration::from_hours(2);

/// A proxy that decrypts what agents send, and encrypts it anew on the way to the platform.
#[derive(Debug)]
pub struct TlsProxy {
    _process: Process,
    folder: TempDir,
    /// Where agents reach it.
    pub url: String,
}

/// The platform's own authorities, which anybody can fetch.
async fn platform(server: &Server) -> anyhow::Result<Bytes> {
    let get = Request::get("/api/auth/v1/trust-bundle.pem").body(Body::empty())?;
    Ok(body::read(server.peer()?.call(get).await?.into_body(), 1 << 16).await?)
}

impl TlsProxy {
    /// Starts one before a server.
    pub async fn start(server: &Server) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str| folder.path().join(name);
        let at = Clock::system().now() - AGE;
        let (authority, key) = (Authority::create(at)?.0, DeviceKey::generate()?);
        let chain = authority.issue_server(&key.csr_pem("proxy")?, vec!["localhost".into()], at)?;
        std::fs::write(file("proxy.pem"), format!("{chain}{}", key.to_pem()))?;
        std::fs::write(file("authorities.pem"), authority.root_pem())?;
        std::fs::write(file("platform.pem"), platform(server).await?)?;
        let place = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let behind = server.agents_url.rsplit('/').next().context("an address has a host")?;
        let text = format!(
            "defaults\n  mode http\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n  \
             timeout tunnel 1h\nlisten agents\n  bind {place} ssl crt {}\n  option forwardfor\n  \
             server platform {} ssl verify required ca-file {}\n",
            file("proxy.pem").display(),
            behind.replace("localhost", "127.0.0.1"),
            file("platform.pem").display(),
        );
        std::fs::write(file("haproxy.cfg"), text)?;
        let mut haproxy = Command::new("haproxy");
        haproxy.arg("-db").arg("-f").arg(file("haproxy.cfg"));
        let process = Process::start(&mut haproxy)?;
        until("the proxy to listen", || async { TcpStream::connect(place).await.ok() }).await;
        let url = format!("https://localhost:{}", place.port());
        Ok(Self { _process: process, folder, url })
    }

    /// The file with the authorities that its certificate comes from.
    pub fn authorities(&self) -> PathBuf {
        self.folder.path().join("authorities.pem")
    }

    /// Tells the agent of a state folder that this is on its way.
    pub fn tell(&self, state: &Path) -> anyhow::Result<()> {
        let text = format!("proxy_ca = {:?}\n", self.authorities().display().to_string());
        Ok(std::fs::write(state.join("agent.toml"), text)?)
    }
}
