//! Services against each other, over real connections.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use http_body_util::BodyExt as _;
use openframe_clock::Clock;
use openframe_ids::TenantId;
use openframe_pki::{
    Authority, ServiceCertificate, ServiceKey, ServiceRoot, service_client, services_server,
};
use openframe_tokens::internal::{Minter, Verifier};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};

use super::*;
use crate::identity::{self, service_credential};
use crate::{Client, Known, Peer, Rule, Told, serve};

const RULES: &[Rule] = &[Rule { prefix: "/", services: &["gateway"] }];

/// An authority, and the certificate that the asking service shows.
struct Mesh {
    authority: Authority,
    own: Arc<ServiceCertificate>,
    metrics: Metrics,
    registry: Registry,
}

/// A replica, and what it refused.
struct Replica {
    address: String,
    certificate: Arc<ServiceCertificate>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Mesh {
    fn new(name: &str) -> Self {
        openframe_pki::install_provider();
        let (authority, _) = Authority::create(Clock::system().now()).unwrap();
        let own = issue(&authority, name);
        let mut registry = Registry::default();
        let metrics = Metrics::register("gateway", &mut registry);
        Self { authority, own, metrics, registry }
    }

    async fn replica(&self, name: &str) -> Replica {
        self.replica_on(&Handle::current(), name).await
    }

    async fn replica_on(&self, runtime: &Handle, name: &str) -> Replica {
        let certificate = issue(&self.authority, name);
        let router = Router::new().route("/", get(async || "here")).route("/never", get(never));
        let refused = Arc::<Mutex<Vec<String>>>::default();
        let told = Arc::clone(&refused);
        let tell = Arc::new(move |peer: &str, path: &str| {
            told.lock().unwrap().push(format!("{peer} {path}"));
        });
        let address = self.serving(runtime, &certificate, (router, tell)).await;
        Replica { address, certificate, refused }
    }

    /// A replica that answers what `router` says; gives its address.
    async fn answering(&self, router: Router) -> String {
        let certificate = issue(&self.authority, "devices");
        let tell = Arc::new(|_: &str, _: &str| {});
        self.serving(&Handle::current(), &certificate, (router, tell)).await
    }

    /// Serves on an address of its own, and gives it.
    async fn serving(
        &self,
        runtime: &Handle,
        certificate: &Arc<ServiceCertificate>,
        (router, told): (Router, Told),
    ) -> String {
        let tls = services_server(Arc::clone(certificate), self.authority.root_pem()).unwrap();
        let listener = runtime.spawn(TcpListener::bind("127.0.0.1:0")).await.unwrap().unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let known = Known::ByCertificate(Arc::new(tls));
        let service = (router, RULES, told);
        runtime.spawn(serve(listener, known, service, CancellationToken::new()));
        address
    }

    async fn find(&self, addresses: Vec<String>) -> Peer {
        let root = ServiceRoot::new(self.authority.root_pem()).unwrap();
        let tls = service_client(Some(Arc::clone(&self.own)), root, "devices").unwrap();
        let (tls, balanced, each) = (Some(tls), true, Vec::new());
        self.upstream(Upstream { name: "devices", addresses, each, tls, balanced }).await
    }

    async fn upstream(&self, upstream: Upstream<'_>) -> Peer {
        let (metrics, stop) = (self.metrics.clone(), CancellationToken::new());
        Peer::Service(Service::find(upstream, metrics, stop).await)
    }
}

fn issue(authority: &Authority, name: &str) -> Arc<ServiceCertificate> {
    let (key, issued) = new(authority, name);
    Arc::new(ServiceCertificate::new(&key, &issued).unwrap())
}

fn new(authority: &Authority, name: &str) -> (ServiceKey, openframe_pki::IssuedService) {
    let key = ServiceKey::generate().unwrap();
    let now = Clock::system().now();
    let issued = authority.issue_service(&key.csr_pem().unwrap(), name, now).unwrap();
    (key, issued)
}

/// Answers never, and says when it is given up.
async fn never() -> &'static str {
    struct GivenUp;
    impl Drop for GivenUp {
        fn drop(&mut self) {
            GIVEN_UP.add_permits(1);
        }
    }
    let _said = GivenUp;
    std::future::pending().await
}

static GIVEN_UP: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(0);

async fn ask(peer: &Peer) -> Result<String, Fault> {
    let answer = peer.call(Request::get("/").body(Body::empty()).unwrap()).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.map_err(down)?.to_bytes();
    Ok(format!("{status} {}", String::from_utf8_lossy(&body)))
}

#[tokio::test]
async fn certificates_are_replaced_while_requests_go_on() {
    let mesh = Mesh::new("gateway");
    let replica = mesh.replica("devices").await;
    let peer = mesh.find(vec![replica.address.clone()]).await;
    for round in 0..100 {
        if round % 10 == 5 {
            for (certificate, name) in [(&mesh.own, "gateway"), (&replica.certificate, "devices")] {
                let (key, issued) = new(&mesh.authority, name);
                certificate.replace(&key, &issued).unwrap();
            }
            // A connection of its own, with the new certificates.
            let again = mesh.find(vec![replica.address.clone()]).await;
            assert_eq!(ask(&again).await.unwrap(), "200 here");
        }
        assert_eq!(ask(&peer).await.unwrap(), "200 here");
    }
}

// B63
#[tokio::test]
async fn another_services_certificate_is_refused_on_either_side() {
    let mesh = Mesh::new("monitoring");
    let replica = mesh.replica("devices").await;
    let peer = mesh.find(vec![replica.address.clone()]).await;
    let answer = ask(&peer).await.unwrap();
    assert!(answer.starts_with("403 ") && answer.contains("service_not_allowed"), "{answer}");
    assert_eq!(*replica.refused.lock().unwrap(), ["monitoring /"]);
    let mesh = Mesh::new("gateway");
    let false_one = mesh.replica("monitoring").await;
    let refused = ask(&mesh.find(vec![false_one.address.clone()]).await).await.unwrap_err();
    assert_eq!(refused.code(), "peer_down");
}

// B63
#[tokio::test]
async fn who_shows_no_certificate_is_nobody() {
    let mesh = Mesh::new("gateway");
    let replica = mesh.replica("devices").await;
    let root = ServiceRoot::new(mesh.authority.root_pem()).unwrap();
    let tls = Some(service_client(None, root, "devices").unwrap());
    let addresses = vec![replica.address.clone()];
    let upstream = Upstream { name: "devices", addresses, each: Vec::new(), tls, balanced: true };
    let answer = ask(&mesh.upstream(upstream).await).await.unwrap();
    assert!(answer.starts_with("403 ") && answer.contains("service_not_allowed"), "{answer}");
    assert_eq!(*replica.refused.lock().unwrap(), [" /"]);
    // Nor is anything said in the clear.
    let mut stream = TcpStream::connect(&replica.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.ok();
    assert!(!said.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn a_replica_that_dies_or_never_answers_is_not_noticed() {
    let mesh = Mesh::new("gateway");
    // With all of its sockets, as a process dies.
    let mut life = Some(Runtime::new().unwrap());
    let dying = mesh.replica_on(life.as_ref().unwrap().handle(), "devices").await;
    let staying = mesh.replica("devices").await;
    // It accepts, and that is all.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [&dying.address, &staying.address, &silent.local_addr().unwrap().to_string()];
    let peer = mesh.find(addresses.map(String::clone).to_vec()).await;
    for round in 0..200 {
        if round == 50 {
            life.take().unwrap().shutdown_background();
        }
        assert_eq!(ask(&peer).await.unwrap(), "200 here", "round {round}");
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &mesh.registry).unwrap();
    let counted =
        "openframe_mesh_requests_total{from=\"gateway\",to=\"devices\",status=\"2xx\"} 200";
    assert!(text.contains(counted), "{text}");
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_given_up() {
    let mesh = Mesh::new("gateway");
    let replica = mesh.replica("devices").await;
    let peer = mesh.find(vec![replica.address.clone()]).await;
    let request = Request::get("/never").body(Body::empty()).unwrap();
    // As within a request whose caller waits for so long.
    let call = crate::deadline::within(Some(Duration::from_millis(100)), peer.call(request));
    if let Some(answer) = call.await {
        assert_eq!(answer.unwrap_err().code(), "peer_too_slow");
    }
    GIVEN_UP.acquire().await.unwrap().forget();
}

// B63
/// As where a mesh around the processes encrypts, chooses and tries again.
#[tokio::test]
async fn without_tls_a_service_is_known_by_its_tokens() {
    let mesh = Mesh::new("gateway");
    let root = ServiceRoot::new(mesh.authority.root_pem()).unwrap();
    let (refused, clock) = (Arc::<Mutex<Vec<String>>>::default(), Clock::system());
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap().to_string());
        let verifier = Verifier::trusting(root.clone(), "devices");
        let router = Router::new().route("/", get(async || "here"));
        let router = identity::require(router, verifier.clone(), clock.clone());
        let told = Arc::clone(&refused);
        let tell =
            Arc::new(move |peer: &str, _: &str| told.lock().unwrap().push(peer.to_owned())) as _;
        let known = Known::ByToken(verifier, clock.clone());
        tokio::spawn(serve(listener, known, (router, RULES, tell), CancellationToken::new()));
    }
    let each = addresses.clone();
    addresses.truncate(1);
    let (tls, balanced) = (None, false);
    let upstream = Upstream { name: "devices", addresses, each, tls, balanced };
    let peer = mesh.upstream(upstream).await;
    let signed = |name: &'static str| {
        let minter = Minter::of(issue(&mesh.authority, name));
        let names = (name, "devices");
        let credential = service_credential(minter, clock.clone(), names, TenantId::new());
        Client::new(peer.clone(), credential)
    };
    let each = signed("gateway").each();
    assert_eq!(each.len(), 2);
    for client in each.into_iter().map(|(_, client)| client).chain([signed("gateway")]) {
        let here = client.post_bytes("/", "text/plain", "".into()).await.unwrap_err();
        assert_eq!(here.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(ask(&peer).await.unwrap().split(' ').next(), Some("403"), "without a token");
    let another = signed("monitoring").get::<String>("/").await.unwrap_err();
    assert_eq!(another.code(), "service_not_allowed");
    assert_eq!(*refused.lock().unwrap(), ["", "monitoring"]);
}

#[tokio::test]
async fn nothing_is_tried_again_where_somebody_else_does() {
    let mesh = Mesh::new("gateway");
    let asked = Arc::<AtomicUsize>::default();
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let counted = Arc::clone(&asked);
        let answer = move || async move {
            counted.fetch_add(1, Ordering::SeqCst);
            StatusCode::SERVICE_UNAVAILABLE
        };
        addresses.push(mesh.answering(Router::new().route("/", get(answer))).await);
    }
    for (balanced, wanted) in [(true, 2), (false, 1)] {
        let root = ServiceRoot::new(mesh.authority.root_pem()).unwrap();
        let tls = Some(service_client(Some(Arc::clone(&mesh.own)), root, "devices").unwrap());
        let (addresses, each) = (addresses.clone(), Vec::new());
        let upstream = Upstream { name: "devices", addresses, each, tls, balanced };
        assert!(ask(&mesh.upstream(upstream).await).await.unwrap().starts_with("503 "));
        assert_eq!(asked.swap(0, Ordering::SeqCst), wanted, "{balanced}");
    }
}

/// Requests of several callers at once: the slow one of three gets few of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_ten_times_slower_is_asked_seldom() {
    const REQUESTS: usize = 600;
    let mesh = Mesh::new("gateway");
    let mut addresses = Vec::new();
    let asked =
        [1, 1, 10].map(|times| (Duration::from_millis(3 * times), Arc::<AtomicUsize>::default()));
    for (delay, count) in &asked {
        let (delay, count) = (*delay, Arc::clone(count));
        let answer = move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(delay).await;
        };
        addresses.push(mesh.answering(Router::new().route("/", get(answer))).await);
    }
    let peer = mesh.find(addresses).await;
    let callers = (0..8).map(|_| {
        let peer = peer.clone();
        tokio::spawn(async move {
            for _ in 0..REQUESTS / 8 {
                ask(&peer).await.unwrap();
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let [quick, other, slow] = asked.map(|(_, count)| count.load(Ordering::SeqCst));
    assert_eq!(quick + other + slow, REQUESTS);
    assert!(slow < REQUESTS / 10, "{quick} {other} {slow}");
}

/// One replica accepts connections and says nothing, as a process does that hangs: while the other one
/// answers, no request waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_connection_while_another_replica_answers() {
    let mesh = Mesh::new("gateway");
    let answering = mesh.replica("devices").await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [answering.address.clone(), silent.local_addr().unwrap().to_string()];
    let peer = mesh.find(addresses.to_vec()).await;
    // Nobody is known to answer yet: this one may wait.
    assert_eq!(ask(&peer).await.unwrap(), "200 here");
    let Peer::Service(service) = &peer else { panic!("it is a service") };
    for _ in 0..100 {
        let first = service.order().into_iter().next().unwrap();
        assert_eq!(first.address.to_string(), answering.address);
        assert_eq!(ask(&peer).await.unwrap(), "200 here");
    }
    // It is tried beside.
    silent.accept().await.unwrap();
}
