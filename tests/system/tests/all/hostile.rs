//! Requests that no honest client sends. The server answers or hangs up, and goes on serving.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openframe_pki::{Authority, DeviceKey, ServerIdentity};
use openframe_system::{Server, until};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;

/// Sends raw bytes and returns the status line of the answer; empty when the server hung up.
fn send(server: &Server, bytes: &[u8]) -> String {
    let address = server.url.trim_start_matches("http://").replace("localhost", "127.0.0.1");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The server may hang up before it has read all.
    stream.write_all(bytes).ok();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).unwrap_or_default();
    let text = String::from_utf8_lossy(answer.get(..read).unwrap()).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn malformed_requests_are_refused_and_the_server_lives() {
    let server = Server::start().unwrap();
    let big = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(100_000));
    let deep = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a/".repeat(30_000));
    let smuggled = "POST /api/auth/v1/login HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\
                    transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n";
    let cases: [(&str, &[u8]); 7] = [
        ("no HTTP at all", b"\x16\x03\x01\x00\xff\xff\xff\xff\r\n\r\n"),
        ("a header over the limit", big.as_bytes()),
        ("a deep path", deep.as_bytes()),
        ("two lengths", smuggled.as_bytes()),
        ("a bad escape", b"GET /api/devices/v1/devices/%zz HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("a NUL", b"GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("no host", b"GET /api/auth/v1/me HTTP/1.1\r\n\r\n"),
    ];
    for (what, bytes) in cases {
        let answer = send(&server, bytes);
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{what}: {answer}");
        assert!(server.auth().unwrap().me().await.is_ok(), "after {what}");
    }
}

#[tokio::test]
async fn a_bomb_is_refused() {
    let server = Server::start().unwrap();
    let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; 512 << 20]).unwrap();
    let status = server.remote_write(bomb.into()).await.unwrap();
    assert!(status.is_client_error(), "{status}");
    assert!(server.auth().unwrap().me().await.is_ok());
}

/// A TLS server that asks for a client certificate and notes what it gets.
struct Impostor {
    authority: Authority,
    url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    certificates: usize,
    bytes: usize,
}

/// Takes any client certificate, and counts it.
#[derive(Debug)]
struct TakeAll(Arc<Mutex<Seen>>);

impl ClientCertVerifier for TakeAll {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0.lock().unwrap().certificates += 1;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

impl Impostor {
    #[expect(clippy::disallowed_methods, reason = "its certificate must be valid now")]
    async fn start() -> Self {
        openframe_pki::install_provider();
        let now = jiff::Timestamp::now();
        let (authority, _) = Authority::create(now).unwrap();
        let key = DeviceKey::generate().unwrap();
        let (csr, names) = (key.csr_pem("x").unwrap(), vec!["127.0.0.1".to_owned()]);
        let chain = authority.issue_server(&csr, names, now).unwrap();
        let shown = ServerIdentity::new(&chain, &key).unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_client_cert_verifier(Arc::new(TakeAll(Arc::clone(&seen))))
            .with_single_cert(shown.chain, shown.key)
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut bytes = vec![0; 4096];
                    let read = stream.read(&mut bytes).await.unwrap_or_default();
                    noted.lock().unwrap().bytes += read;
                }
                noted.lock().unwrap().connections += 1;
            }
        });
        Self { authority, url, seen }
    }

    /// What it got, once it was asked something.
    async fn was_told(&self) -> Seen {
        until("a connection to have ended", || async {
            let mut seen = self.seen.lock().unwrap();
            (seen.connections > 0).then(|| std::mem::take(&mut *seen))
        })
        .await
    }
}

// B43
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_tells_nothing_to_a_server_with_another_key() {
    let (ours, impostor) = (Server::start().unwrap(), Impostor::start().await);
    let token = ours.enrolment_token(1).await.unwrap();
    let refused = openframe_system::Agent::enrol(&impostor.url, &token);
    assert!(format!("{refused:?}").contains("not the one this device was told to trust"));
    let seen = impostor.was_told().await;
    assert_eq!((seen.bytes, seen.certificates), (0, 0), "{seen:?}");

    // Nor to one that has taken the address over later, by which it has a certificate to show.
    let mut agent = openframe_system::Agent::enrol(&ours.agents_url, &token).unwrap();
    ours.online().await.unwrap();
    agent.process().kill().unwrap();
    change_identity(&agent, "server", &impostor.url);
    agent.restart().unwrap();
    let seen = impostor.was_told().await;
    assert_eq!((seen.bytes, seen.certificates), (0, 0), "{seen:?}");

    // The same server does see both of an agent that trusts it: it is able to.
    agent.process().kill().unwrap();
    change_identity(&agent, "root_pem", impostor.authority.root_pem());
    impostor.seen.lock().unwrap().connections = 0;
    agent.restart().unwrap();
    let seen = impostor.was_told().await;
    assert!(seen.bytes > 0 && seen.certificates > 0, "{seen:?}");
}

fn change_identity(agent: &openframe_system::Agent, field: &str, value: &str) {
    let path = agent.state().join("identity.json");
    let mut identity: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    *identity.get_mut(field).unwrap() = value.into();
    std::fs::write(&path, identity.to_string()).unwrap();
}
