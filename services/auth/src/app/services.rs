//! The platform's own services: who may be one, and the certificates that they show.

use std::collections::BTreeMap;

use jiff::Timestamp;
use openframe_ids::TenantId;
use openframe_tokens::Caller;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::devices::bad_csr;
use super::{Auth, Origin};
use crate::Error;

/// Names of a server at most.
const NAMES_LIMIT: usize = 64;

/// The keys by which services join, as hashes, by the service's name. Empty in one process, where
/// nobody has to.
#[derive(Debug, Clone, Default)]
pub struct JoinKeys(BTreeMap<String, [u8; 32]>);

impl JoinKeys {
    /// The key of each service.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let hashed = |(name, key): (&str, &str)| (name.to_owned(), Sha256::digest(key).into());
        Self(keys.into_iter().map(hashed).collect())
    }

    fn fits(&self, name: &str, key: &str) -> bool {
        let shown: [u8; 32] = Sha256::digest(key).into();
        self.0.get(name).is_some_and(|kept| kept.ct_eq(&shown).into())
    }
}

/// What a service is given that has joined.
#[derive(Debug, Clone)]
pub struct Joined {
    /// Its certificate and that of the services' authority, PEM.
    pub chain_pem: String,
    /// When it ends.
    pub not_after: Timestamp,
    /// The tenant that the platform serves.
    pub tenant: TenantId,
}

impl Auth {
    /// Signs the request of the service `name`, if it shows that service's join key.
    pub fn join(&self, name: &str, key: &str, csr_pem: &str) -> Result<Joined, Error> {
        if !self.joins.fits(name, key) {
            return Err(Error::NotSignedIn);
        }
        self.certify_service(name, csr_pem)
    }

    /// The same for a service that lives in this process.
    pub fn certify_service(&self, name: &str, csr_pem: &str) -> Result<Joined, Error> {
        let issued = self.authority.issue_service(csr_pem, name, self.clock.now());
        let issued = issued.map_err(bad_csr)?;
        tracing::info!(service = name, "the service {name} has a new certificate");
        let tenant = self.tenant;
        Ok(Joined { chain_pem: issued.chain_pem, not_after: issued.not_after, tenant })
    }

    /// Puts a join that was refused on the audit trail.
    pub async fn join_refused(&self, name: &str, origin: &Origin) {
        let name: String = name.chars().take(64).collect();
        let nobody = ("nobody", String::new());
        let event = self.event_by(nobody, origin, "service.join", &name);
        self.refused(event, Some("service")).await;
    }

    /// Signs the request of a server that people and devices reach under `names`: the gateway's.
    pub fn certify_server(
        &self,
        caller: &Caller,
        csr_pem: &str,
        names: Vec<String>,
    ) -> Result<String, Error> {
        if !caller.is_service("gateway") {
            return Err(Error::ServicesOnly);
        }
        if names.len() > NAMES_LIMIT {
            return Err(Error::Invalid(format!("a server has at most {NAMES_LIMIT} names")));
        }
        self.authority.issue_server(csr_pem, names, self.clock.now()).map_err(bad_csr)
    }
}
