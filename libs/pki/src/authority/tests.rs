//! The authority and a device, against each other and against hostile input.

use std::sync::Arc;

use rustls::sign::SingleCertAndKey;
use rustls::{ClientConnection, ServerConnection};

use super::*;
use crate::{DeviceKey, KeyProof, csr_spki_sha256, device_identity, verify};

pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "rustls checks against the real clock")]
    Timestamp::now()
}

fn create() -> Authority {
    Authority::create(now()).unwrap().0
}

pub(crate) fn handshake(
    client: rustls::ClientConfig,
    server: rustls::ServerConfig,
    name: &str,
) -> Result<Option<Vec<u8>>, rustls::Error> {
    let name = name.to_owned().try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(server.peer_certificates().map(|chain| chain[0].to_vec()))
}

fn agents(authority: &Authority) -> rustls::ServerConfig {
    let key = DeviceKey::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let chain = authority.issue_server(&key.csr_pem("x").unwrap(), names, now()).unwrap();
    let identity = ServerIdentity::new(&chain, &key).unwrap();
    let shown = SingleCertAndKey::from(identity.certified().unwrap());
    verify::agents_server(Arc::new(shown), authority.root_pem()).unwrap()
}

#[test]
fn a_device_is_known_by_its_certificate() {
    let authority = create();
    let key = DeviceKey::generate().unwrap();
    let csr = key.csr_pem("host-1").unwrap();
    let (tenant, device) = (TenantId::new(), DeviceId::new());
    let issued = authority.issue_device(&csr, tenant, device, now()).unwrap();
    assert_eq!(issued.spki_sha256, csr_spki_sha256(&csr).unwrap());
    let client =
        verify::device_client(authority.root_pem(), &issued.chain_pem, &key.to_pem()).unwrap();
    let shown = handshake(client, agents(&authority), "localhost").unwrap().unwrap();
    let identity = device_identity(&shown).unwrap();
    assert_eq!((identity.tenant, identity.device), (tenant, device));
    assert_eq!(identity.serial, issued.serial);
    assert_eq!(identity.not_after.as_second(), issued.not_after.as_second());
}

// B43
#[test]
fn an_enrolling_device_trusts_the_pinned_root_only() {
    let (ours, other) = (create(), create());
    let shown = handshake(verify::pinned_client(ours.pin()), agents(&ours), "localhost");
    assert_eq!(shown.unwrap(), None);
    handshake(verify::pinned_client(ours.pin()), agents(&other), "localhost").unwrap_err();
    handshake(verify::pinned_client(ours.pin()), agents(&ours), "elsewhere").unwrap_err();
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let (ours, other) = (create(), create());
    let key = DeviceKey::generate().unwrap();
    let csr = key.csr_pem("host-1").unwrap();
    let issued = other.issue_device(&csr, TenantId::new(), DeviceId::new(), now()).unwrap();
    let client = verify::device_client(ours.root_pem(), &issued.chain_pem, &key.to_pem()).unwrap();
    handshake(client, agents(&ours), "localhost").unwrap_err();
}

// B46.expired
#[test]
fn an_expired_certificate_is_refused() {
    let authority = create();
    let key = DeviceKey::generate().unwrap();
    let csr = key.csr_pem("host-1").unwrap();
    let long_ago = now() - SignedDuration::from_hours(48);
    let issued = authority.issue_device(&csr, TenantId::new(), DeviceId::new(), long_ago).unwrap();
    let client =
        verify::device_client(authority.root_pem(), &issued.chain_pem, &key.to_pem()).unwrap();
    handshake(client, agents(&authority), "localhost").unwrap_err();
}

/// A clock that is off.
#[derive(Debug)]
struct Off(SignedDuration);

impl rustls::time_provider::TimeProvider for Off {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        let seconds = u64::try_from((now() + self.0).as_second()).ok()?;
        Some(rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

// B73.devices
#[test]
fn a_device_or_server_whose_clock_is_off_by_ten_minutes_connects() {
    for minutes in [-10, 0, 10] {
        let off = Arc::new(Off(SignedDuration::from_mins(minutes)));
        // Everything was made a moment ago.
        let authority = create();
        let key = DeviceKey::generate().unwrap();
        let csr = key.csr_pem("host-1").unwrap();
        let issued = authority.issue_device(&csr, TenantId::new(), DeviceId::new(), now()).unwrap();
        let mut enrolling = verify::pinned_client(authority.pin());
        enrolling.time_provider = Arc::clone(&off) as _;
        handshake(enrolling, agents(&authority), "localhost").unwrap();
        let device = || {
            let chain = (&issued.chain_pem, key.to_pem());
            verify::device_client(authority.root_pem(), chain.0, &chain.1).unwrap()
        };
        let mut client = device();
        client.time_provider = Arc::clone(&off) as _;
        handshake(client, agents(&authority), "localhost").unwrap().unwrap();
        let mut server = agents(&authority);
        server.time_provider = off;
        handshake(device(), server, "localhost").unwrap_or_else(|error| {
            panic!("a server off by {minutes} minutes: {error}");
        });
    }
}

#[test]
fn a_proof_names_the_key_that_made_it() {
    let (key, other) = (DeviceKey::generate().unwrap(), DeviceKey::generate().unwrap());
    let proof = key.prove("a statement").unwrap();
    let read = KeyProof::read(&proof.to_text()).unwrap();
    assert_eq!(read, proof);
    let spki = csr_spki_sha256(&key.csr_pem("host").unwrap()).unwrap();
    assert_eq!(read.signer("a statement"), Some(spki));
    assert_eq!(read.signer("another statement"), None);
    let theirs = other.prove("a statement").unwrap().to_text();
    let (ours, theirs) = (proof.to_text(), theirs.split_once('.').unwrap().1.to_owned());
    let mixed = format!("{}.{theirs}", ours.split_once('.').unwrap().0);
    assert_eq!(KeyProof::read(&mixed).unwrap().signer("a statement"), None);
    for bad in ["", ".", "x.y", "a", &"A".repeat(1 << 20), &format!("AAAA.{theirs}")] {
        assert_eq!(KeyProof::read(bad).and_then(|proof| proof.signer("a statement")), None);
    }
}

#[test]
fn an_authority_reads_back() {
    let made = create();
    let (issuing, services) = (made.issuing().clone(), made.services().clone());
    let read = Authority::from_pem(made.root_pem(), issuing, services).unwrap();
    assert_eq!(read.pin(), made.pin());
    assert_eq!(read.pin().len(), 43);
}

// B44.signature, B44.weak, B44.size
#[test]
fn bad_requests_are_refused() {
    let authority = create();
    let issue = |csr: &str| authority.issue_device(csr, TenantId::new(), DeviceId::new(), now());
    let good = DeviceKey::generate().unwrap().csr_pem("host-1").unwrap();
    let weak = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let weak = CertificateParams::default().serialize_request(&weak).unwrap().pem().unwrap();
    // The last line of base64 holds the signature.
    let mut lines: Vec<&str> = good.lines().collect();
    let last = lines.len() - 2;
    let forged_line: String = lines[last].chars().rev().collect();
    lines[last] = &forged_line;
    for bad in ["", "x", &"A".repeat(1 << 20), &weak, &lines.join("\n"), authority.root_pem()] {
        assert!(matches!(issue(bad), Err(Error::BadRequest(_))), "{bad:.60}");
        assert!(matches!(csr_spki_sha256(bad), Err(Error::BadRequest(_))), "{bad:.60}");
    }
}

fn first(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

#[test]
fn a_certificate_is_for_one_use_and_no_authority_makes_another() {
    use x509_parser::prelude::FromDer as _;
    let authority = create();
    let key = DeviceKey::generate().unwrap();
    let csr = key.csr_pem("host-1").unwrap();
    let issued = authority.issue_device(&csr, TenantId::new(), DeviceId::new(), now()).unwrap();
    let der = first(&issued.chain_pem);
    let (_, leaf) = x509_parser::certificate::X509Certificate::from_der(&der).unwrap();
    let uses = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(uses.client_auth && !uses.server_auth && !uses.any, "{uses:?}");
    assert!(!leaf.is_ca());
    let lasts = leaf.validity().not_after.timestamp() - now().as_second();
    assert!((86_390..=86_400).contains(&lasts), "a day, not {lasts} s");
    for pair in [authority.issuing(), authority.services()] {
        let der = first(&pair.certificate);
        let (_, own) = x509_parser::certificate::X509Certificate::from_der(&der).unwrap();
        let constraints = own.basic_constraints().unwrap().unwrap().value;
        assert_eq!((constraints.ca, constraints.path_len_constraint), (true, Some(0)));
    }
}

#[test]
fn a_certificate_names_one_device_of_ours_or_none() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let own = spiffe_uri(TenantId::new(), DeviceId::new());
    let names = |uris: &[&str]| {
        let mut params = CertificateParams::default();
        let uri = |uri: &&str| SanType::URI((*uri).try_into().unwrap());
        params.subject_alt_names = uris.iter().map(uri).collect();
        device_identity(params.self_signed(&key).unwrap().der()).is_ok()
    };
    assert!(names(&[&own]));
    assert!(!names(&[&own, &own]));
    assert!(!names(&[&own.replace("spiffe://openframe", "spiffe://elsewhere")]));
    assert!(!names(&[&own.replace("/d/", "/svc/")]));
    assert!(!names(&[]));
}

// B44.size
#[test]
fn a_request_has_a_longest_size() {
    let authority = create();
    let csr = DeviceKey::generate().unwrap().csr_pem("host-1").unwrap();
    let issue = |csr: &str| authority.issue_device(csr, TenantId::new(), DeviceId::new(), now());
    issue(&csr).unwrap();
    let padded = format!("{csr}{}", "\n".repeat(8 << 10));
    assert!(matches!(issue(&padded), Err(Error::BadRequest(_))));
}
