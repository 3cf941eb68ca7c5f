//! Sockets and signals: what only the executable owns.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::address::ListenAddress;

/// A bound socket and how it was asked for.
pub(crate) struct Bound {
    pub(crate) listener: TcpListener,
    pub(crate) address: ListenAddress,
    pub(crate) at: SocketAddr,
}

impl Bound {
    /// The address as others reach it.
    pub(crate) fn url(&self) -> String {
        self.address.url(self.at)
    }
}

/// Binds the address that the setting `name` gives.
pub(crate) async fn bind(name: &str, text: &str) -> anyhow::Result<Bound> {
    let address = ListenAddress::read(name, text)?;
    let listener = TcpListener::bind(address.socket).await.with_context(|| {
        format!("`{name}`: {} cannot be listened on; is another server running?", address.socket)
    })?;
    let at = listener.local_addr()?;
    Ok(Bound { listener, address, at })
}

/// Returns when the process is asked to end (SIGTERM, or Ctrl+C).
pub(crate) async fn asked_to_stop() {
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received; stop the process by SIGKILL");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
