//! The audit trail on its way to a syslog server and to a webhook that are away now and then.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use openframe_auth_api::{AuditBatch, AuditEntry, AuditStream, SIGNATURE};
use openframe_pki::{Authority, DeviceKey, ServerIdentity};
use openframe_platform_api::Health;
use openframe_system::{Server, until};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::audit::fill;

/// The places of the entries that a destination got, as they came.
type Got = Arc<Mutex<Vec<u64>>>;

/// A syslog server. It takes what is sent until it is dropped.
struct Syslog {
    address: SocketAddr,
    got: Got,
    end: CancellationToken,
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Syslog {
    async fn start(address: &str, got: &Got, tls: Option<TlsAcceptor>) -> Self {
        let listener =
            until("the address to be free", || async { TcpListener::bind(address).await.ok() })
                .await;
        let (address, end) = (listener.local_addr().unwrap(), CancellationToken::new());
        let (kept, ended) = (Arc::clone(got), end.clone());
        tokio::spawn(end.clone().run_until_cancelled_owned(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (kept, tls) = (Arc::clone(&kept), tls.clone());
                tokio::spawn(ended.clone().run_until_cancelled_owned(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                take(stream, &kept).await;
                            }
                        }
                        None => take(stream, &kept).await,
                    }
                }));
            }
        }));
        Self { address, got: Arc::clone(got), end }
    }
}

/// Reads messages with their lengths before them, until the other end has gone.
async fn take(mut stream: impl AsyncRead + Unpin, got: &Got) {
    loop {
        let mut length = String::new();
        loop {
            let Ok(byte) = stream.read_u8().await else { return };
            if byte == b' ' {
                break;
            }
            length.push(char::from(byte));
        }
        let mut message = vec![0; length.parse().unwrap()];
        if stream.read_exact(&mut message).await.is_err() {
            return;
        }
        let message = String::from_utf8(message).unwrap();
        assert!(message.starts_with("<110>1 20") || message.starts_with("<108>1 20"), "{message}");
        let (_, json) = message.split_once("] ").unwrap();
        let entry: AuditEntry = serde_json::from_str(json).unwrap();
        let seq = entry.seq;
        assert!(message.contains("[audit@32473 tenant=\""), "{message}");
        assert!(message.contains(&format!("seq=\"{seq}\"")), "{message}");
        got.lock().unwrap().push(seq);
    }
}

/// Nothing is missing, and nothing came before what is before it; some came again.
fn check(got: &Got) -> u64 {
    let mut last = 0;
    for seq in got.lock().unwrap().iter().copied() {
        assert!(seq <= last + 1, "{seq} after {last}");
        last = last.max(seq);
    }
    last
}

/// Waits until a destination has everything that is on the trail now.
async fn has_all(server: &Server, got: &Got) {
    let auth = server.auth().unwrap();
    let end = until("the end of the trail", || async {
        auth.audit(None, 1).await.ok()?.items.first().map(|entry| entry.seq)
    })
    .await;
    until("everything to arrive", || async { (check(got) >= end).then_some(()) }).await;
}

async fn shown(server: &Server) -> Option<AuditStream> {
    server.auth().unwrap().audit_streams().await.ok()?.items.into_iter().next()
}

/// Waits until sending is seen to fail, everywhere; returns why.
async fn fails(server: &Server) -> String {
    let why = until("the failure to be shown", || async { shown(server).await?.error }).await;
    until("the failure to be part of the platform's health", || async {
        let health: Health = server.client().ok()?.get("/api/platform/v1/health").await.ok()?;
        let mut parts = health.replicas.iter().flat_map(|replica| &replica.parts);
        parts.find(|part| {
            let named = part.name.starts_with("auth.audit_stream.");
            named && part.ready && !part.detail.is_empty()
        })?;
        Some(())
    })
    .await;
    why
}

#[tokio::test]
async fn a_syslog_server_that_dies_misses_nothing() {
    let got = Got::default();
    let sink = Syslog::start("127.0.0.1:0", &got, None).await;
    let address = sink.address.to_string();
    let syslog = format!("auth.audit.stream.syslog={address}");
    let server = Server::start_with(&[&syslog, "auth.audit.stream.syslog_tls=false"]).unwrap();
    fill(&server, 250).await;
    has_all(&server, &sink.got).await;
    let mut sink = Some(sink);
    for _ in 0..2 {
        drop(sink.take());
        fill(&server, 20).await;
        fails(&server).await;
        assert!(shown(&server).await.unwrap().failing_since.is_some());
        sink = Some(Syslog::start(&address, &got, None).await);
        has_all(&server, &got).await;
        until("all to be well", || async { shown(&server).await?.error.is_none().then_some(()) })
            .await;
    }
    let end = check(&got);
    until("all of it to count as arrived", || async {
        (shown(&server).await?.arrived >= end).then_some(())
    })
    .await;
}

/// What a server shows whose certificate `authority` has signed.
fn acceptor(authority: &Authority, now: Timestamp) -> TlsAcceptor {
    let key = DeviceKey::generate().unwrap();
    let csr = key.csr_pem("sink").unwrap();
    let chain = authority.issue_server(&csr, vec!["127.0.0.1".to_owned()], now).unwrap();
    let identity = ServerIdentity::new(&chain, &key).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

// ASVS 16.4.3
#[tokio::test]
async fn a_syslog_server_with_a_wrong_certificate_gets_nothing() {
    openframe_pki::install_provider();
    let now = openframe_clock::Clock::system().now();
    let (good, _) = Authority::create(now).unwrap();
    let (wrong, _) = Authority::create(now).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, good.root_pem()).unwrap();
    let got = Got::default();
    let sink = Syslog::start("127.0.0.1:0", &got, Some(acceptor(&wrong, now))).await;
    let address = sink.address.to_string();
    let settings = [
        format!("auth.audit.stream.syslog={address}"),
        format!("webhook_roots={}", roots.display()),
    ];
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let server = Server::start_with(&settings).unwrap();
    let why = fails(&server).await;
    assert!(why.contains("certificate"), "{why}");
    assert_eq!(check(&got), 0);
    drop(sink);
    let sink = Syslog::start(&address, &got, Some(acceptor(&good, now))).await;
    has_all(&server, &sink.got).await;
}

/// A webhook, and what it got.
#[derive(Clone)]
struct Hook {
    got: Got,
    key: Arc<hmac::Key>,
    /// What it answers now.
    answer: Arc<Mutex<StatusCode>>,
}

async fn posted(State(hook): State<Hook>, headers: HeaderMap, body: String) -> StatusCode {
    let said = headers.get(SIGNATURE).unwrap().to_str().unwrap();
    let (time, signature) = said.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let digits: Vec<u8> =
        signature.chars().map(|c| c.to_digit(16).unwrap().try_into().unwrap()).collect();
    let tag: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, it| byte << 4 | it)).collect();
    hmac::verify(&hook.key, format!("{time}.{body}").as_bytes(), &tag).unwrap();
    let batch: AuditBatch = serde_json::from_str(&body).unwrap();
    let seqs = batch.entries.iter().map(|entry| entry.seq);
    let (first, last) = (seqs.clone().next().unwrap(), seqs.clone().next_back().unwrap());
    let key = format!("{}-{first}-{last}", batch.tenant_id);
    assert_eq!(headers.get("idempotency-key").unwrap().to_str().unwrap(), key);
    let answer = *hook.answer.lock().unwrap();
    if answer.is_success() {
        hook.got.lock().unwrap().extend(seqs);
    }
    answer
}

// ASVS 16.4.3
/// It refuses for good, and then what sends dies: nothing is lost for either.
#[tokio::test]
async fn a_webhook_gets_every_entry_whoever_dies() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, text) = (folder.path().join("secret"), "a secret of many bytes");
    fs::write(&secret, format!("{text}\n")).unwrap();
    let hook = Hook {
        got: Got::default(),
        key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())),
        answer: Arc::new(Mutex::new(StatusCode::BAD_REQUEST)),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/a/secret/path", post(posted)).with_state(hook.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = [
        format!("auth.audit.stream.webhook=http://{address}/a/secret/path"),
        format!("auth.audit.stream.webhook_secret_file={}", secret.display()),
    ];
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let mut server = Server::start_with(&settings).unwrap();
    fill(&server, 250).await;
    let why = fails(&server).await;
    assert!(why.contains("400"), "{why}");
    let to = shown(&server).await.unwrap().to;
    assert!(to.contains("127.0.0.1") && !to.contains("secret"), "{to}");
    assert_eq!(check(&hook.got), 0);
    *hook.answer.lock().unwrap() = StatusCode::OK;
    has_all(&server, &hook.got).await;
    // Of the whole picture, these are the two of auth.
    for round in [6, 7] {
        server.crash_a_part(round).unwrap();
        fill(&server, 20).await;
        has_all(&server, &hook.got).await;
    }
}
