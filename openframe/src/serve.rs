//! Sockets and signals: what only the executable owns.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// Being asked to end: SIGTERM, or Ctrl+C.
pub(crate) struct StopSignals {
    term: Signal,
    int: Signal,
}

impl StopSignals {
    /// Listens from now on. Called before anything is promised, so that no signal ends the process
    /// in the middle of something.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let failed = "signals cannot be received";
        let term = signal(SignalKind::terminate()).context(failed)?;
        let int = signal(SignalKind::interrupt()).context(failed)?;
        Ok(Self { term, int })
    }

    /// Returns when the process is asked to end.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
