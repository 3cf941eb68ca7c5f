//! Services against each other.

use super::*;
use crate::authority::tests::{handshake, now};
use crate::{DeviceKey, service_client, services_server};

fn service(authority: &Authority, name: &str, at: Timestamp) -> Arc<ServiceCertificate> {
    let key = ServiceKey::generate().unwrap();
    let issued = authority.issue_service(&key.csr_pem().unwrap(), name, at).unwrap();
    Arc::new(ServiceCertificate::new(&key, &issued).unwrap())
}

fn meet(
    authority: &Authority,
    client: Arc<ServiceCertificate>,
    server: Arc<ServiceCertificate>,
    wanted: &str,
) -> Result<String, rustls::Error> {
    let root = ServiceRoot::new(authority.root_pem()).unwrap();
    let client = service_client(Some(client), root, wanted).unwrap();
    let server = services_server(server, authority.root_pem()).unwrap();
    let shown = handshake(client, server, "10.0.0.1")?.expect("it shows a certificate");
    Ok(service_name(&shown).unwrap())
}

// B63
#[test]
fn services_know_each_other_by_name() {
    let (ours, _) = Authority::create(now()).unwrap();
    let (theirs, _) = Authority::create(now()).unwrap();
    let of = |name| service(&ours, name, now());
    assert_eq!(meet(&ours, of("gateway"), of("auth"), "auth").unwrap(), "gateway");
    meet(&ours, of("gateway"), of("devices"), "auth").unwrap_err();
    meet(&ours, of("gateway"), service(&theirs, "auth", now()), "auth").unwrap_err();
    meet(&ours, service(&theirs, "gateway", now()), of("auth"), "auth").unwrap_err();
    let old = service(&ours, "auth", now() - SERVICE_LIFETIME - SignedDuration::from_secs(1));
    meet(&ours, of("gateway"), old, "auth").unwrap_err();
}

#[test]
fn a_replaced_certificate_is_shown_from_then_on() {
    let (authority, _) = Authority::create(now()).unwrap();
    let certificate = service(&authority, "auth", now() - SERVICE_LIFETIME / 2);
    assert!(certificate.is_old(now()));
    let first = certificate.shown().chain[0].clone();
    let key = ServiceKey::generate().unwrap();
    let issued = authority.issue_service(&key.csr_pem().unwrap(), "auth", now()).unwrap();
    certificate.replace(&key, &issued).unwrap();
    assert!(!certificate.is_old(now()));
    assert_ne!(certificate.shown().chain[0], first);
}

#[test]
fn a_chain_names_its_service_and_key_while_it_is_good() {
    let (authority, _) = Authority::create(now()).unwrap();
    let root = ServiceRoot::new(authority.root_pem()).unwrap();
    let shown = service(&authority, "devices", now()).shown();
    let known = root.verify(&shown.chain, now()).unwrap();
    assert_eq!((known.name.as_str(), known.key.len()), ("devices", 32));
    assert!(root.verify(&shown.chain, now() + SERVICE_LIFETIME * 2).is_err());
    assert!(root.verify(&shown.chain[..1], now()).is_err());
    assert!(root.verify(&[], now()).is_err());
    let device = DeviceKey::generate().unwrap().csr_pem("x").unwrap();
    assert!(matches!(authority.issue_service(&device, "x", now()), Err(Error::BadRequest(_))));
}
