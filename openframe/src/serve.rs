//! Sockets and signals: what only the executable owns.

use std::io;
use std::net::SocketAddr;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
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

/// Binds the address that the setting `name` gives. `proxied` is as [`ListenAddress::read`] has it.
pub(crate) async fn bind(name: &str, text: &str, proxied: bool) -> anyhow::Result<Bound> {
    let address = ListenAddress::read(name, text, proxied)?;
    let listener = TcpListener::bind(address.socket).await.with_context(|| {
        format!("`{name}`: {} cannot be listened on; is another server running?", address.socket)
    })?;
    let at = listener.local_addr()?;
    Ok(Bound { listener, address, at })
}

/// Binds the address for the other services. It is not listened on yet: a connection that nobody
/// answers would keep a caller waiting who could ask another replica.
pub(crate) async fn bind_mesh(text: &str) -> anyhow::Result<TcpSocket> {
    anyhow::ensure!(!text.is_empty(), "`mesh.listen`: write HOST:PORT, such as 10.0.0.1:9443");
    let bound = async {
        let found = tokio::net::lookup_host(text).await?.next();
        let address = found.ok_or_else(|| io::Error::other("there is no such address"))?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of a process before this one may linger.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok::<_, io::Error>(socket)
    };
    bound.await.with_context(|| format!("`mesh.listen`: {text:?} cannot be listened on"))
}

/// Lets this process open as many files as the system allows it to, since each connection is one;
/// says so when `wanted` are not to be had.
pub(crate) fn raise_open_files(wanted: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    if let Some(have) = getrlimit(Resource::Nofile).current.filter(|have| *have < wanted) {
        tracing::info!(
            "{have} files may be open at the same time, fewer than the {wanted} connections that \
             the settings allow; raise `ulimit -n` (LimitNOFILE= of systemd) for that many"
        );
    }
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
