//! The token that carries a caller from the gateway to a service: a signed JWT (RFC 7519, RFC 8037)
//! of type `txn+jwt`, `EdDSA` only, for one audience, valid 60 s.
//!
//! Only the holder of a [`Minter`] can make one. Services in one process share its key; those of their
//! own sign with the key of their certificate, which the token carries (`x5c`, RFC 7515, 4.1.6): the
//! gateway for everybody, any other service for itself alone. A [`Verifier`] remembers the claims of
//! tokens it has verified until they expire, by the token's hash: decisions are never remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use openframe_pki::{KnownService, ServiceCertificate, ServiceRoot};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Caller, Subject};

/// How long a token is valid.
pub const LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// How far two clocks may differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(5);
const TYPE: &str = "txn+jwt";
const ISSUER: &str = "openframe-gateway";
/// Verified tokens remembered at most; past it the memory starts anew.
const REMEMBERED: usize = 10_000;
/// The same of certificates: a few replicas, one a day each.
const REMEMBERED_SERVICES: usize = 256;
/// Certificates that a token carries at most.
const MAX_CHAIN: usize = 3;
/// The service that speaks for everybody.
const GATEWAY: &str = "gateway";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    caller: Caller,
}

/// Why a token was refused. Told to the log, not to the caller.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Not a token of this kind, or not signed by the gateway's key.
    #[error("the internal token is not valid")]
    NotValid(#[source] jsonwebtoken::errors::Error),
    /// Its time is over, or has not come.
    #[error("the internal token is not valid at this time")]
    Expired,
    /// It is for another service.
    #[error("the internal token is for another service")]
    Audience,
    /// Its signer's certificate is not good, its signer may not speak for this caller, or another
    /// service presents it.
    #[error("the internal token is not one that this service may sign and present")]
    Signer,
}

/// Makes internal tokens. Held by the gateway, and by services for calls of their own.
#[derive(Clone)]
pub struct Minter(Signer);

#[derive(Clone)]
enum Signer {
    /// A key that lives as long as the process.
    Own { key: Arc<EncodingKey>, public: Vec<u8> },
    /// That of the service's certificate at the time.
    Service(Arc<ServiceCertificate>),
}

impl std::fmt::Debug for Minter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Minter(***)")
    }
}

impl Minter {
    /// A minter with a new key, which lives as long as the process.
    #[expect(clippy::expect_used, reason = "a key just made is well-formed")]
    pub fn generate() -> Self {
        let pair = Ed25519KeyPair::generate().expect("Ed25519 keys can be made");
        let pkcs8 = pair.to_pkcs8().expect("a new key can be written");
        let key = Arc::new(EncodingKey::from_ed_der(pkcs8.as_ref()));
        Self(Signer::Own { key, public: pair.public_key().as_ref().to_vec() })
    }

    /// A minter that signs as the service of this certificate.
    pub fn of(certificate: Arc<ServiceCertificate>) -> Self {
        Self(Signer::Service(certificate))
    }

    /// A token that says to the service `audience` that `caller` asks.
    #[expect(clippy::expect_used, reason = "claims are plain data and the key is well-formed")]
    pub fn mint(&self, caller: &Caller, audience: &str, now: Timestamp) -> String {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: audience.to_owned(),
            iat: now.as_second(),
            exp: now.as_second() + LIFETIME.as_secs(),
            caller: caller.clone(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        let token = match &self.0 {
            Signer::Own { key, .. } => jsonwebtoken::encode(&header, &claims, key),
            Signer::Service(certificate) => {
                let shown = certificate.shown();
                header.x5c = Some(shown.chain.iter().map(|der| STANDARD.encode(der)).collect());
                let key = EncodingKey::from_ed_der(&shown.key_pkcs8);
                jsonwebtoken::encode(&header, &claims, &key)
            }
        };
        token.expect("claims can be signed")
    }

    /// The verifier, for the service `audience`, of the tokens of services in this process. Services
    /// of their own trust a root instead: see [`Verifier::trusting`].
    pub fn verifier(&self, audience: &str) -> Verifier {
        let trust = match &self.0 {
            Signer::Own { public, .. } => Trust::Key(DecodingKey::from_ed_der(public)),
            Signer::Service(_) => Trust::Nobody,
        };
        Verifier::new(trust, audience)
    }
}

/// Reads internal tokens for one service.
#[derive(Clone)]
pub struct Verifier {
    trust: Arc<Trust>,
    audience: String,
    verified: Arc<Mutex<Verified>>,
}

enum Trust {
    Nobody,
    Key(DecodingKey),
    /// Services with certificates of this root, and those that were verified already, by the hash of
    /// the certificate.
    Root(ServiceRoot, Mutex<HashMap<[u8; 32], KnownService>>),
}

/// By a token's hash: when it ends (Unix seconds), the caller it names, and who signed it.
type Verified = HashMap<[u8; 32], (i64, Caller, Option<String>)>;

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({})", self.audience)
    }
}

impl Verifier {
    fn new(trust: Trust, audience: &str) -> Self {
        Self { trust: Arc::new(trust), audience: audience.to_owned(), verified: Arc::default() }
    }

    /// A verifier, for the service `audience`, of tokens that carry a certificate of this root.
    pub fn trusting(root: ServiceRoot, audience: &str) -> Self {
        Self::new(Trust::Root(root, Mutex::default()), audience)
    }

    /// The caller that `token` names, if the token is good at `now` and signed by `presenter`: the
    /// service whose certificate the connection showed. Nobody presents a token within a process.
    pub fn verify(
        &self,
        token: &str,
        presenter: Option<&str>,
        now: Timestamp,
    ) -> Result<Caller, Refused> {
        let (caller, signer) = self.known(token, now)?;
        if signer.as_deref() != presenter {
            return Err(Refused::Signer);
        }
        // A grant may end while the token lives.
        Ok(caller.at(now))
    }

    /// The service that signed `token`, if the token is good at `now`; none for a token of this
    /// process. For connections that show no certificate, because somebody else encrypts them.
    pub fn signer(&self, token: &str, now: Timestamp) -> Result<Option<String>, Refused> {
        self.known(token, now).map(|(_, signer)| signer)
    }

    /// The caller and the signer of a good token.
    fn known(&self, token: &str, now: Timestamp) -> Result<(Caller, Option<String>), Refused> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let known = locked(&self.verified).get(&hash).cloned();
        let (exp, caller, signer) = if let Some(known) = known {
            known
        } else {
            let (claims, signer) = self.check(token, now)?;
            let known = (claims.exp, claims.caller, signer);
            let mut verified = locked(&self.verified);
            if verified.len() >= REMEMBERED {
                verified.clear();
            }
            verified.insert(hash, known.clone());
            known
        };
        if now.as_second() >= exp {
            return Err(Refused::Expired);
        }
        Ok((caller, signer))
    }

    fn check(&self, token: &str, now: Timestamp) -> Result<(Claims, Option<String>), Refused> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        // Time is checked below, by the caller's clock; audience for a refusal of its own.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        let (key, signer) = match &*self.trust {
            Trust::Nobody => return Err(Refused::Signer),
            Trust::Key(key) => (key.clone(), None),
            Trust::Root(root, known) => {
                let service = signer(root, known, token, now)?;
                (DecodingKey::from_ed_der(&service.key), Some(service.name))
            }
        };
        let token =
            jsonwebtoken::decode::<Claims>(token, &key, &rules).map_err(Refused::NotValid)?;
        let claims = token.claims;
        if token.header.typ.as_deref() != Some(TYPE) || claims.aud != self.audience {
            return Err(Refused::Audience);
        }
        if signer.as_deref().is_some_and(|signer| !may_speak_for(signer, &claims.caller)) {
            return Err(Refused::Signer);
        }
        let now = now.as_second();
        if now >= claims.exp || now < claims.iat - LEEWAY.as_secs() {
            return Err(Refused::Expired);
        }
        Ok((claims, signer))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The service whose certificate a token carries.
fn signer(
    root: &ServiceRoot,
    known: &Mutex<HashMap<[u8; 32], KnownService>>,
    token: &str,
    now: Timestamp,
) -> Result<KnownService, Refused> {
    let header = jsonwebtoken::decode_header(token).map_err(Refused::NotValid)?;
    let carried = header.x5c.filter(|chain| chain.len() <= MAX_CHAIN).ok_or(Refused::Signer)?;
    let hash: [u8; 32] = Sha256::digest(carried.concat()).into();
    if let Some(service) = locked(known).get(&hash).filter(|service| now < service.not_after) {
        return Ok(service.clone());
    }
    let chain: Vec<CertificateDer<'static>> = carried
        .iter()
        .map(|text| STANDARD.decode(text).map(CertificateDer::from))
        .collect::<Result<_, _>>()
        .map_err(|_| Refused::Signer)?;
    let service = root.verify(&chain, now).map_err(|_| Refused::Signer)?;
    let mut known = locked(known);
    if known.len() >= REMEMBERED_SERVICES {
        known.clear();
    }
    known.insert(hash, service.clone());
    Ok(service)
}

/// The gateway finds out who asks; any other service asks for itself.
fn may_speak_for(signer: &str, caller: &Caller) -> bool {
    signer == GATEWAY || matches!(&caller.subject, Subject::Service { name } if name == signer)
}

#[cfg(test)]
mod tests {
    use openframe_authz::{Effect, Grant, Grants, Permission, Place, Role};
    use openframe_ids::{DeviceId, SessionId, TenantId, UserId};

    use openframe_pki::{Authority, ServiceKey};

    use super::*;

    fn caller() -> Caller {
        let subject = Subject::Device { device: DeviceId::new() };
        Caller { tenant: TenantId::new(), subject }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    // ASVS 9.2.1
    // B64.expired
    #[test]
    fn a_token_carries_its_caller() {
        let minter = Minter::generate();
        let caller = caller();
        let token = minter.mint(&caller, "devices", at(1000));
        let verifier = minter.verifier("devices");
        // The second time comes from memory.
        assert_eq!(verifier.verify(&token, None, at(1000)).unwrap(), caller);
        assert_eq!(verifier.verify(&token, None, at(1059)).unwrap(), caller);
        assert!(matches!(verifier.verify(&token, None, at(1060)), Err(Refused::Expired)));
    }

    #[test]
    fn a_grant_ends_while_the_token_lives() {
        let (role, place, effect) = (Role::Technician, Place::ROOT, Effect::Allow);
        let grant = Grant { role, place, effect, until: Some(at(1030)) };
        let grants = Grants::try_from(vec![grant]).unwrap();
        let (user, session) = (UserId::new(), SessionId::new());
        let subject = Subject::User { user, session, role: Role::None, grants };
        let minter = Minter::generate();
        let caller = Caller { tenant: TenantId::new(), subject };
        let token = minter.mint(&caller, "devices", at(1000));
        let verifier = minter.verifier("devices");
        let may = |now| {
            let caller = verifier.verify(&token, None, at(now)).unwrap();
            caller.may(Permission::CommandsRun)
        };
        assert!(may(1000) && may(1029) && !may(1030));
    }

    // ASVS 9.2.1, 9.2.3
    // B64.audience, B64.expired
    #[test]
    fn a_token_is_refused_elsewhere_and_at_other_times() {
        let minter = Minter::generate();
        let token = minter.mint(&caller(), "devices", at(1000));
        let other = minter.verifier("monitoring");
        assert!(matches!(other.verify(&token, None, at(1000)), Err(Refused::Audience)));
        let early = minter.verifier("devices");
        assert!(matches!(early.verify(&token, None, at(900)), Err(Refused::Expired)));
        assert!(matches!(early.verify(&token, None, at(1061)), Err(Refused::Expired)));
    }

    // ASVS 9.1.1, 9.1.2
    // B64.algorithm
    #[test]
    fn a_token_of_another_key_or_algorithm_is_refused() {
        let token = Minter::generate().mint(&caller(), "devices", at(1000));
        let verifier = Minter::generate().verifier("devices");
        assert!(matches!(verifier.verify(&token, None, at(1000)), Err(Refused::NotValid(_))));
        let none = "eyJhbGciOiJub25lIn0.e30.";
        assert!(matches!(verifier.verify(none, None, at(1000)), Err(Refused::NotValid(_))));
    }

    /// A token of this key, whose header and claims are changed first.
    fn forged(minter: &Minter, change: fn(&mut Header, &mut Claims)) -> String {
        let mut claims = Claims {
            iss: ISSUER.to_owned(),
            aud: "devices".to_owned(),
            iat: 1000,
            exp: 1060,
            caller: caller(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        change(&mut header, &mut claims);
        let Signer::Own { key, .. } = &minter.0 else { panic!("it has a key of its own") };
        jsonwebtoken::encode(&header, &claims, key).unwrap()
    }

    // ASVS 9.2.2, 9.2.3
    // B64.audience
    #[test]
    fn a_token_of_the_right_key_is_still_one_of_this_kind_only() {
        let minter = Minter::generate();
        let verify = |change| {
            let token = forged(&minter, change);
            minter.verifier("devices").verify(&token, None, at(1000)).is_ok()
        };
        assert!(verify(|_, _| {}));
        assert!(!verify(|header, _| header.typ = Some("JWT".to_owned())));
        assert!(!verify(|header, _| header.typ = None));
        assert!(!verify(|_, claims| claims.iss = "somebody".to_owned()));
        assert!(!verify(|_, claims| claims.aud = "auth".to_owned()));
    }

    fn service(authority: &Authority, name: &str, at: Timestamp) -> Minter {
        let key = ServiceKey::generate().unwrap();
        let issued = authority.issue_service(&key.csr_pem().unwrap(), name, at).unwrap();
        Minter::of(Arc::new(ServiceCertificate::new(&key, &issued).unwrap()))
    }

    // ASVS 9.1.3
    // B64.replay
    #[test]
    fn a_service_speaks_for_itself_and_the_gateway_for_all() {
        let start = at(1_000_000);
        let (authority, _) = Authority::create(start).unwrap();
        let (other, _) = Authority::create(start).unwrap();
        let root = ServiceRoot::new(authority.root_pem()).unwrap();
        let itself = |name: &str| Caller {
            tenant: TenantId::new(),
            subject: Subject::Service { name: name.to_owned() },
        };
        let check = |from: &Authority, signer: &str, caller: &Caller, presenter| {
            let token = service(from, signer, start).mint(caller, "auth", start);
            let verifier = Verifier::trusting(root.clone(), "auth");
            // The second time comes from memory.
            let first = verifier.verify(&token, presenter, start).is_ok();
            assert_eq!(verifier.verify(&token, presenter, start).is_ok(), first);
            first
        };
        assert!(check(&authority, "gateway", &caller(), Some("gateway")));
        assert!(check(&authority, "devices", &itself("devices"), Some("devices")));
        assert!(!check(&authority, "devices", &caller(), Some("devices")), "for somebody else");
        assert!(!check(&authority, "devices", &itself("gateway"), Some("devices")));
        assert!(!check(&authority, "gateway", &caller(), Some("devices")), "taken from its signer");
        assert!(!check(&authority, "gateway", &caller(), None), "without a certificate");
        assert!(!check(&other, "gateway", &caller(), Some("gateway")), "of another root");
    }

    // ASVS 9.1.3
    #[test]
    fn a_key_of_ones_own_is_no_service() {
        let (authority, _) = Authority::create(at(1_000_000)).unwrap();
        let root = ServiceRoot::new(authority.root_pem()).unwrap();
        let token = Minter::generate().mint(&caller(), "auth", at(1_000_000));
        let verifier = Verifier::trusting(root, "auth");
        assert!(verifier.verify(&token, Some("gateway"), at(1_000_000)).is_err());
        let late = at(1_000_000 + 25 * 60 * 60);
        let gateway = service(&authority, "gateway", at(1_000_000));
        let token = gateway.mint(&caller(), "auth", late);
        assert!(verifier.verify(&token, Some("gateway"), late).is_err(), "an old certificate");
        let early = gateway.mint(&caller(), "auth", at(1_000_000));
        verifier.verify(&early, Some("gateway"), at(1_000_000)).unwrap();
        assert!(verifier.verify(&token, Some("gateway"), late).is_err(), "although remembered");
    }
}
