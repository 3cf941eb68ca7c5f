//! Devices that sign their requests, on a real socket: what counts, and what does not. The signer is written
//! here by hand, so that it shares no mistake with the one that reads.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openframe_clock::{Clock, Timestamp};
use openframe_ids::DeviceId;
use openframe_pki::{
    Authority, DeviceKey, DeviceRoot, ServerIdentity, agents_server, device_client, root_client,
};
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;

use super::*;

/// The agents' door of a gateway.
struct Door {
    world: World,
    authority: Authority,
    address: SocketAddr,
}

fn now() -> Timestamp {
    Clock::system().now()
}

fn der(chain_pem: &str) -> Vec<Vec<u8>> {
    let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes());
    chain.map(|it| it.unwrap().to_vec()).collect()
}

impl Door {
    async fn open(config: Config) -> Self {
        let world = World::start(config).await;
        let (authority, _) = Authority::create(now()).unwrap();
        let key = DeviceKey::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let chain = authority.issue_server(&key.csr_pem("x").unwrap(), names, now()).unwrap();
        let shown = ServerIdentity::new(&chain, &key).unwrap().certified().unwrap();
        let shown = Arc::new(SingleCertAndKey::from(shown));
        let tls = Arc::new(agents_server(shown, authority.root_pem()).unwrap());
        let root = DeviceRoot::new(authority.root_pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (edge, stop) = (world.edge.clone(), world.stop.clone());
        tokio::spawn(async move { edge.serve_agents(listener, (tls, root), stop).await });
        Self { world, authority, address }
    }

    /// A device of `tenant` with a certificate of `authority`, which counts.
    fn device(&self, authority: &Authority, tenant: TenantId, at: Timestamp) -> Renewal {
        let key = DeviceKey::generate().unwrap();
        let csr = key.csr_pem("x").unwrap();
        let issued = authority.issue_device(&csr, tenant, DeviceId::new(), at).unwrap();
        self.world.services.serials.lock().unwrap().insert(issued.serial);
        Renewal::of(key, issued.chain_pem)
    }

    fn good_device(&self) -> Renewal {
        self.device(&self.authority, self.world.services.tenant, now())
    }

    async fn ask(&self, tls: rustls::ClientConfig, text: &str) -> String {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(tls));
        let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        // The gateway may hang up before it has read all.
        stream.write_all(text.as_bytes()).await.ok();
        rest(&mut stream).await
    }

    /// What is answered to a request without a certificate in TLS.
    async fn send(&self, text: &str) -> String {
        self.ask(root_client(self.authority.root_pem()).unwrap(), text).await
    }

    async fn accepts(&self, renewal: &Renewal) {
        let answer = self.send(&renewal.text()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    async fn refuses(&self, text: &str, code: &str) {
        let answer = self.send(text).await;
        let refused = answer.starts_with("HTTP/1.1 401 ");
        assert!(
            refused && answer.contains(&format!("\"code\":\"{code}\"")),
            "{code}: {text}\n{answer}"
        );
    }
}

/// A request to renew, as it is sent, and as it was signed.
struct Renewal {
    key: DeviceKey,
    chain_pem: String,
    /// What is signed of the four derived components.
    signed: [&'static str; 4],
    /// What is sent in their place.
    path: &'static str,
    body: &'static str,
    digest: String,
    chain: Vec<Vec<u8>>,
    created: i64,
    nonce: String,
    keyid: String,
    alg: &'static str,
    tag: &'static str,
}

fn digest(body: &str) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

impl Renewal {
    fn of(key: DeviceKey, chain_pem: String) -> Self {
        let chain = der(&chain_pem);
        Self {
            key,
            chain_pem,
            signed: ["POST", "localhost", "/agent/v1/renew", "?"],
            path: "/agent/v1/renew",
            body: "{}",
            digest: digest("{}"),
            created: now().as_second(),
            nonce: URL_SAFE_NO_PAD.encode(openframe_ids::random::<16>()),
            keyid: URL_SAFE_NO_PAD.encode(Sha256::digest(&chain[0])),
            alg: "ecdsa-p256-sha256",
            tag: "openframe-agent",
            chain,
        }
    }

    /// The value of `Signature-Input` and of `Signature`, without a label.
    fn signature(&self) -> (String, String) {
        let Self { created, nonce, keyid, alg, tag, digest, .. } = self;
        let input = format!(
            "(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\");created={created};\
             nonce=\"{nonce}\";keyid=\"{keyid}\";alg=\"{alg}\";tag=\"{tag}\""
        );
        let [method, authority, path, query] = self.signed;
        let base = format!(
            "\"@method\": {method}\n\"@authority\": {authority}\n\"@path\": {path}\n\
             \"@query\": {query}\n\"content-digest\": {digest}\n\"@signature-params\": {input}"
        );
        let signature = STANDARD.encode(self.key.sign(base.as_bytes()).unwrap());
        (input, format!(":{signature}:"))
    }

    fn text(&self) -> String {
        let (input, signature) = self.signature();
        let chain: Vec<String> =
            self.chain.iter().map(|it| format!(":{}:", STANDARD.encode(it))).collect();
        format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-digest: {}\r\nx-openframe-certificate: {}\r\nsignature-input: a={input}\r\n\
             signature: a={signature}\r\n\r\n{}",
            self.path,
            self.body.len(),
            self.digest,
            chain.join(", "),
            self.body
        )
    }
}

/// The code of a refusal, and what is done to deserve it.
type Case = (&'static str, fn(&mut Renewal));

// B52.covered, B52.digest, B52.skew, B52.tag, B52.algorithm
#[tokio::test]
async fn a_signature_is_of_one_request_of_this_minute() {
    let door = Door::open(Config::default()).await;
    let cases: [Case; 16] = [
        ("bad_signature", |it| it.signed[0] = "PUT"),
        ("bad_signature", |it| it.signed[1] = "elsewhere"),
        ("bad_signature", |it| it.signed[2] = "/agent/v1/link"),
        ("bad_signature", |it| it.signed[3] = "?x=1"),
        ("bad_signature", |it| it.path = "/agent/v1/renew?x=1"),
        ("bad_signature", |it| it.body = "[]"),
        ("bad_signature", |it| it.body = ""),
        ("bad_signature", |it| it.digest = digest("[]")),
        ("bad_signature", |it| it.digest = it.digest.replace("sha-256", "sha-512")),
        ("clock_off", |it| it.created -= 120),
        ("clock_off", |it| it.created += 120),
        ("bad_signature", |it| it.tag = "openframe"),
        ("bad_signature", |it| it.alg = "hmac-sha256"),
        ("bad_signature", |it| it.alg = "ed25519"),
        ("bad_signature", |it| it.alg = ""),
        ("bad_signature", |it| it.nonce = "short".to_owned()),
    ];
    for (code, alter) in cases {
        let mut renewal = door.good_device();
        alter(&mut renewal);
        door.refuses(&renewal.text(), code).await;
    }
    door.accepts(&door.good_device()).await;
    let without = door.good_device();
    let line = format!("content-digest: {}\r\n", without.digest);
    door.refuses(&without.text().replace(&line, ""), "bad_signature").await;
}

// B52.key
#[tokio::test]
async fn a_signature_is_by_the_key_of_a_certificate_that_counts() {
    let door = Door::open(Config::default()).await;
    let tenant = door.world.services.tenant;
    let (stranger, _) = Authority::create(now()).unwrap();
    let hours = openframe_clock::SignedDuration::from_hours;
    let mut alone = door.good_device();
    alone.chain.truncate(1);
    let other = || door.good_device();
    for (code, renewal) in [
        ("not_a_device", door.device(&stranger, tenant, now())),
        ("not_a_device", door.device(&door.authority, TenantId::new(), now())),
        ("not_a_device", door.device(&door.authority, tenant, now() - hours(25))),
        ("not_a_device", door.device(&door.authority, tenant, now() + hours(25))),
        ("not_a_device", alone),
        ("bad_signature", Renewal { chain: other().chain, ..door.good_device() }),
        ("bad_signature", Renewal { keyid: other().keyid, ..door.good_device() }),
        ("bad_signature", Renewal { keyid: String::new(), ..door.good_device() }),
        ("bad_signature", Renewal { key: other().key, ..door.good_device() }),
    ] {
        door.refuses(&renewal.text(), code).await;
    }
    // A device that is revoked is out, whatever it signs.
    let renewal = door.good_device();
    door.world.services.serials.lock().unwrap().clear();
    door.refuses(&renewal.text(), "bad_device").await;
}

// B52.replay
#[tokio::test]
async fn a_signed_request_is_good_once() {
    let door = Door::open(Config::default()).await;
    let renewal = door.good_device();
    let text = renewal.text();
    assert!(door.send(&text).await.starts_with("HTTP/1.1 200 "));
    door.refuses(&text, "nonce_seen").await;
    // Nor is another with the same nonce.
    let other = Renewal { body: "[]", digest: digest("[]"), ..renewal };
    door.refuses(&other.text(), "nonce_seen").await;
    let nonce = URL_SAFE_NO_PAD.encode(openframe_ids::random::<16>());
    door.accepts(&Renewal { nonce, ..other }).await;
}

// B52.several
#[tokio::test]
async fn there_is_one_signature_in_headers_of_their_size() {
    let door = Door::open(Config::default()).await;
    let renewal = door.good_device();
    let (text, (input, signature)) = (renewal.text(), renewal.signature());
    let two = format!("signature-input: b={input}, a=");
    door.refuses(&text.replace("signature-input: a=", &two), "bad_signature").await;
    let two = format!("\r\nsignature: b={signature}, a=");
    door.refuses(&text.replace("\r\nsignature: a=", &two), "bad_signature").await;
    let two = format!("signature-input: a={input}\r\nsignature-input: a=");
    door.refuses(&text.replace("signature-input: a=", &two), "bad_signature").await;
    let long = format!("tag=\"openframe-agent\";x=\"{}\"", "x".repeat(4 << 10));
    door.refuses(&text.replace("tag=\"openframe-agent\"", &long), "bad_signature").await;
    let long = format!("tag=\"openframe-agent\";x=\"{}\"", "x".repeat(64 << 10));
    let answer = door.send(&text.replace("tag=\"openframe-agent\"", &long)).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    for name in ["signature-input", "signature", "x-openframe-certificate"] {
        let without = text.replace(&format!("\r\n{name}: "), "\r\nx-other: ");
        let code = if name == "signature-input" { "not_a_device" } else { "bad_signature" };
        door.refuses(&without, code).await;
    }
    door.accepts(&renewal).await;
}

#[tokio::test]
async fn where_signatures_do_not_count_only_tls_does() {
    let door = Door::open(Config { signed_requests: false, ..Config::default() }).await;
    let renewal = door.good_device();
    door.refuses(&renewal.text(), "not_a_device").await;
    let root = door.authority.root_pem();
    let tls = device_client(root, &renewal.chain_pem, &renewal.key.to_pem()).unwrap();
    // In TLS nothing needs to be signed.
    let plain = "POST /agent/v1/renew HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                 content-length: 2\r\n\r\n{}";
    let answer = door.ask(tls, plain).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
