//! Where the replicas of a service are, as names say it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::endpoint::Endpoint;

/// Addresses, and what they stand for at the time.
#[derive(Debug)]
pub(crate) struct Replicas {
    /// `HOST:PORT`; a name may stand for several replicas (a headless Service of Kubernetes).
    addresses: Vec<String>,
    known: ArcSwap<Vec<Arc<Endpoint>>>,
}

impl Replicas {
    pub(crate) fn new(addresses: Vec<String>) -> Self {
        Self { addresses, known: ArcSwap::default() }
    }

    /// One that is known already.
    pub(crate) fn one(replica: Arc<Endpoint>) -> Self {
        let addresses = vec![replica.address.to_string()];
        Self { addresses, known: ArcSwap::from_pointee(vec![replica]) }
    }

    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Those that are known, by their addresses.
    pub(crate) fn all(&self) -> Arc<Vec<Arc<Endpoint>>> {
        self.known.load_full()
    }

    /// Looks up the replicas. Those that are known keep their connections and records; a name that
    /// cannot be resolved changes nothing.
    pub(crate) async fn resolve(&self, service: &str) {
        let mut found = BTreeSet::new();
        for address in &self.addresses {
            match tokio::net::lookup_host(address).await {
                Ok(addresses) => found.extend(addresses),
                Err(error) => {
                    tracing::warn!("{service}: {address} cannot be resolved: {error}");
                    return;
                }
            }
        }
        let known = self.known.load();
        if known.iter().map(|replica| replica.address).eq(found.iter().copied()) {
            return;
        }
        let replica = |address: SocketAddr| {
            let same = known.iter().find(|replica| replica.address == address);
            same.map_or_else(|| Endpoint::new(address), Arc::clone)
        };
        self.known.store(Arc::new(found.into_iter().map(replica).collect()));
    }
}
