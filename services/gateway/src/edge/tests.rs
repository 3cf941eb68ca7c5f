//! The edge on a real socket: what it refuses, what it passes on, and what it ends.

mod signed;
mod world;

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use world::{World, read_to, rest, until};

/// Asks and compares the status of the answer.
async fn check(world: &World, want: u16, (head, body): (&str, &str)) -> String {
    let answer = world.ask(head, body).await;
    let short: String = head.chars().take(200).collect();
    assert!(answer.starts_with(&format!("HTTP/1.1 {want} ")), "{short}: {answer}");
    answer
}

fn proxied(proxies: &[&str]) -> Config {
    let trusted_proxies = proxies.iter().map(|text| text.to_string().try_into().unwrap()).collect();
    Config { trusted_proxies, ..Config::default() }
}

#[tokio::test]
async fn heads_and_bodies_have_limits() {
    let world = World::start(Config::default()).await;
    let long = format!("GET / HTTP/1.1\nhost: x\nx: {}", "a".repeat(33 << 10));
    check(&world, 431, (&long, "")).await;
    let many = format!("GET / HTTP/1.1\nhost: x{}", "\nx: 1".repeat(100));
    check(&world, 431, (&many, "")).await;
    let big = "POST /api/auth/v1/login HTTP/1.1\nhost: x\ncontent-length: 65537";
    check(&world, 413, (big, "")).await;
    let big = "POST /api/devices/v1/seen HTTP/1.1\nhost: x\nauthorization: Bearer k\n\
               content-length: 1048577";
    check(&world, 413, (big, "")).await;
    let packed = "POST /api/devices/v1/seen HTTP/1.1\nhost: x\nauthorization: bearer k\n\
                  content-encoding: gzip\ncontent-length: 1";
    check(&world, 415, (packed, "x")).await;
    let fits = "POST /api/devices/v1/seen HTTP/1.1\nhost: x\nauthorization: bearer k\n\
                content-length: 4";
    assert!(check(&world, 200, (fits, "1234")).await.ends_with("from 127.0.0.1, 4 bytes"));
    world.counted("openframe_gateway_refused_connections_total{reason=\"head_too_large\"} 2").await;
}

// B62.target
#[tokio::test]
async fn doubtful_heads_are_refused() {
    let world = World::start(Config::default()).await;
    check(&world, 400, ("GET /api/auth/v1/me HTTP/1.1", "")).await;
    check(&world, 400, ("GET /api/auth/v1/me HTTP/1.1\nhost: a\nhost: b", "")).await;
    check(&world, 400, ("GET http://a/api/auth/v1/me HTTP/1.1\nhost: b", "")).await;
    check(&world, 400, ("GET /api/auth/v1/%zz HTTP/1.1\nhost: a", "")).await;
}

// B62.cl-te, B62.te-cl
#[tokio::test]
async fn nothing_is_taken_behind_a_body_in_chunks() {
    let world = World::start(Config::default()).await;
    for lengths in [
        "content-length: 90\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "transfer-encoding: chunked",
    ] {
        let mut stream = world.connect().await;
        let asked = format!(
            "POST /api/devices/v1/seen HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n{lengths}\r\n\r\n\
             4\r\n1234\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n"
        );
        stream.write_all(asked.as_bytes()).await.unwrap();
        let said = rest(&mut stream).await;
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{lengths}: {said}");
        assert!(
            said.contains("connection: close") && said.ends_with("4 bytes"),
            "{lengths}: {said}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_ends() {
    let world = World::start(Config { header_timeout_s: 1, ..Config::default() }).await;
    assert_eq!(rest(&mut world.connect().await).await, "");
    let mut half = world.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    rest(&mut half).await;
    world.counted("openframe_gateway_refused_connections_total{reason=\"too_slow\"} 2").await;
}

#[tokio::test]
async fn one_address_may_have_so_many_connections() {
    let world = World::start(Config { connections_per_address: 2, ..Config::default() }).await;
    let get = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = world.connect().await;
        stream.write_all(get).await.unwrap();
        read_to(&mut stream, "<!doctype html>").await;
        kept.push(stream);
    }
    let mut third = world.connect().await;
    third.write_all(get).await.ok();
    assert_eq!(rest(&mut third).await, "");
    world.counted("openframe_gateway_refused_connections_total{reason=\"address_full\"} 1").await;
    kept.clear();
    while !world.ask("GET / HTTP/1.1\nhost: x", "").await.starts_with("HTTP/1.1 200") {}
}

#[tokio::test]
async fn another_table_holds_for_requests_that_begin_later() {
    let world = World::start(Config::default()).await;
    let slow = "POST /api/devices/v1/slow HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n";
    let mut stream = world.connect().await;
    stream.write_all(slow.as_bytes()).await.unwrap();
    world.services.began.notified().await;
    world.edge.routes().store(Arc::new(Routes::new(Vec::new())));
    world.services.go.notify_one();
    let first = read_to(&mut stream, "\r\n\r\n").await;
    assert!(first.starts_with("HTTP/1.1 204"), "{first}");
    // The same connection, the new table.
    stream.write_all(slow.as_bytes()).await.unwrap();
    let second = read_to(&mut stream, "\r\n\r\n").await;
    assert!(second.starts_with("HTTP/1.1 404"), "{second}");
}

/// A sign-in as a browser sends it through a proxy that ends TLS.
const THROUGH_A_PROXY: &str = "POST /api/auth/v1/login HTTP/1.1\nhost: of.example\n\
    origin: https://of.example\nx-forwarded-proto: https\n\
    x-forwarded-for: 203.0.113.9, 198.51.100.7\ncontent-length: 2";

// B20.hsts
#[tokio::test]
async fn a_named_proxy_speaks_for_its_clients() {
    let world = World::start(proxied(&["127.0.0.1"])).await;
    let answer = check(&world, 200, (THROUGH_A_PROXY, "{}")).await;
    assert!(answer.ends_with("from 198.51.100.7, 2 bytes"), "{answer}");
    assert!(answer.contains("strict-transport-security: "), "{answer}");
    let foreign = THROUGH_A_PROXY.replace("origin: https://of", "origin: https://evil");
    check(&world, 403, (&foreign, "{}")).await;
    let change = "POST /api/devices/v1/seen HTTP/1.1\nhost: of.example\n\
                  origin: https://of.example\nx-forwarded-proto: https\ncookie: __Host-of_sid=s\n\
                  x-csrf-token: t\ncontent-length: 0";
    check(&world, 200, (change, "")).await;
    check(&world, 403, (&change.replace("token: t", "token: u"), "")).await;
    let local = THROUGH_A_PROXY.replace("of.example", "localhost:8443");
    assert!(!check(&world, 200, (&local, "{}")).await.contains("strict-transport"));
}

// B61.proxy
#[tokio::test]
async fn a_proxy_that_is_not_named_is_a_client_like_any() {
    let world = World::start(proxied(&["192.0.2.1"])).await;
    check(&world, 403, (THROUGH_A_PROXY, "{}")).await;
    let plain = THROUGH_A_PROXY.replace("origin: https", "origin: http");
    let answer = check(&world, 200, (&plain, "{}")).await;
    assert!(answer.ends_with("from 127.0.0.1, 2 bytes"), "{answer}");
}

#[tokio::test]
async fn in_the_clear_only_named_proxies_may_connect() {
    let world = World::on("0.0.0.0:0", proxied(&["192.0.2.1"]), false).await;
    assert_eq!(world.ask("GET / HTTP/1.1\nhost: x", "").await, "");
    world.counted("openframe_gateway_refused_connections_total{reason=\"stranger\"} 1").await;
    let world = World::on("0.0.0.0:0", proxied(&["127.0.0.0/8"]), false).await;
    check(&world, 200, ("GET / HTTP/1.1\nhost: x", "")).await;
}

#[tokio::test]
async fn a_change_is_done_although_nobody_waits_for_it() {
    let world = World::start(Config::default()).await;
    let slow = "POST /api/devices/v1/slow HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n";
    let mut stream = world.connect().await;
    stream.write_all(slow.as_bytes()).await.unwrap();
    world.services.began.notified().await;
    drop(stream);
    let line = "openframe_gateway_requests_total{route=\"/api/devices/v1/\",status=\"aborted\"} 1";
    world.counted(line).await;
    world.services.go.notify_one();
    world.edge.finish().await;
    assert_eq!(world.services.done.load(Ordering::Acquire), 1);
}

// B45.tenant, B46.expired
#[tokio::test]
async fn a_certificate_of_another_tenant_or_time_counts_for_nobody() {
    let world = World::start(Config::default()).await;
    let good = DeviceIdentity {
        tenant: world.services.tenant,
        device: openframe_ids::DeviceId::new(),
        serial: "01".to_owned(),
        not_after: openframe_clock::Timestamp::MAX,
    };
    let over = openframe_clock::Timestamp::UNIX_EPOCH;
    for (device, known) in [
        (DeviceIdentity { tenant: TenantId::new(), ..good.clone() }, false),
        (DeviceIdentity { not_after: over, ..good.clone() }, false),
        (good, true),
    ] {
        let refused = world.edge.shared.agents.check(&device).await.unwrap_err();
        // Of the others the auth service is asked, which here knows no device.
        assert_eq!(refused.code() != "not_a_device", known, "{device:?}: {refused}");
    }
}

async fn open_stream(world: &World) -> TcpStream {
    let mut stream = world.connect().await;
    let get = "GET /api/devices/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n";
    stream.write_all(get.as_bytes()).await.unwrap();
    read_to(&mut stream, "data: 1\n\n\r\n").await;
    stream
}

// ASVS 7.4.1
// B34.revoked
#[tokio::test]
async fn an_event_stream_ends_with_its_key() {
    // Hours pass until it is asked by itself: it hears of the end.
    let world = World::start(Config { caller_check_s: 10_000, ..Config::default() }).await;
    let mut stream = open_stream(&world).await;
    world.services.revoked.store(true, Ordering::Release);
    assert_eq!(read_to(&mut stream, "0\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn an_event_stream_ends_when_its_caller_may_do_less() {
    let world = World::start(Config { caller_check_s: 1, ..Config::default() }).await;
    let mut stream = open_stream(&world).await;
    world.services.demoted.store(true, Ordering::Release);
    assert_eq!(read_to(&mut stream, "0\r\n\r\n").await, "0\r\n\r\n");
}

// ASVS 16.5.2
#[tokio::test]
async fn whoever_was_known_goes_on_while_the_auth_service_is_away() {
    let world = World::start(Config { identity_cache_ms: 1, ..Config::default() }).await;
    let ask = async |key: &str| {
        // What was just heard is believed without asking.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let head = format!(
            "POST /api/devices/v1/seen HTTP/1.1\nhost: x\nauthorization: Bearer {key}\ncontent-length: 0"
        );
        let answer = world.ask(&head, "").await;
        answer.get(..12).unwrap_or_default().to_owned()
    };
    assert_eq!(ask("k").await, "HTTP/1.1 200");
    world.services.away.store(true, Ordering::Release);
    assert_eq!(ask("k").await, "HTTP/1.1 200");
    assert_eq!(ask("stranger").await, "HTTP/1.1 503");
    world.services.away.store(false, Ordering::Release);
    world.services.revoked.store(true, Ordering::Release);
    assert_eq!(ask("k").await, "HTTP/1.1 401");
    world.services.away.store(true, Ordering::Release);
    assert_ne!(ask("k").await, "HTTP/1.1 200", "who was refused is believed no more");
}

#[tokio::test]
async fn a_drain_ends_event_streams_and_a_stop_waits_for_requests() {
    let world = World::start(Config::default()).await;
    let mut stream = open_stream(&world).await;
    world.edge.drain(Duration::from_secs(10)).await;
    assert_eq!(read_to(&mut stream, "0\r\n\r\n").await, "0\r\n\r\n");
    let mut slow = world.connect().await;
    let head = "POST /api/devices/v1/seen HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
                content-length: 2\r\nexpect: 100-continue\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    read_to(&mut slow, "100 Continue\r\n\r\n").await;
    world.stop.cancel();
    until("the end of new connections", || std::net::TcpStream::connect(world.address).is_err())
        .await;
    slow.write_all(b"ok").await.unwrap();
    assert!(rest(&mut slow).await.ends_with("2 bytes"));
}

/// The public table with one more route, which may be upgraded.
fn with_tunnel() -> Arc<Routes> {
    Arc::new(Routes::new(vec![Route {
        path: "/api/devices/v1/",
        whole: false,
        method: None,
        target: Target::Devices,
        access: Access::Known,
        size: Size::Usual,
        upgrade: true,
    }]))
}

const TUNNEL: &str = "GET /api/devices/v1/tunnel HTTP/1.1\r\nhost: x\r\ncookie: __Host-of_sid=s\r\n\
                      connection: keep-alive, Upgrade\r\nupgrade: shout\r\n";

async fn open_tunnel(world: &World) -> TcpStream {
    let mut stream = world.connect().await;
    stream.write_all(format!("{TUNNEL}\r\n").as_bytes()).await.unwrap();
    let head = read_to(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: shout"), "{head}");
    stream.write_all(b"hello").await.unwrap();
    let mut said = [0; 5];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HELLO");
    world.counted("openframe_gateway_tunnels 1").await;
    stream
}

async fn a_tunnel_works(remote: bool) {
    let config = Config { caller_check_s: 1, ..Config::default() };
    let world = World::on("127.0.0.1:0", config, remote).await;
    world.edge.routes().store(with_tunnel());
    drop(open_tunnel(&world).await);
    world.counted("openframe_gateway_tunnels 0").await;
    let mut stream = open_tunnel(&world).await;
    world.services.revoked.store(true, Ordering::Release);
    assert_eq!(rest(&mut stream).await, "");
    world.counted("openframe_gateway_tunnels 0").await;
}

#[tokio::test]
async fn an_upgraded_connection_reaches_a_service_in_this_process() {
    a_tunnel_works(false).await;
}

#[tokio::test]
async fn an_upgraded_connection_reaches_a_service_elsewhere() {
    a_tunnel_works(true).await;
}

#[tokio::test]
async fn a_tunnel_is_refused_to_pages_of_others_and_ends_with_the_gateway() {
    let world = World::start(Config::default()).await;
    let ask = async |head: String| {
        let mut stream = world.connect().await;
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        read_to(&mut stream, "\r\n\r\n").await
    };
    // No route of the product may be upgraded.
    assert!(ask(TUNNEL.to_owned()).await.starts_with("HTTP/1.1 426 "));
    world.edge.routes().store(with_tunnel());
    let foreign = format!("{TUNNEL}origin: https://evil.example\r\n");
    assert!(ask(foreign).await.starts_with("HTTP/1.1 403 "));
    let nobody = TUNNEL.replace("sid=s", "sid=x");
    assert!(ask(nobody).await.starts_with("HTTP/1.1 401 "));
    let mut stream = open_tunnel(&world).await;
    world.edge.drain(Duration::from_secs(10)).await;
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_tunnel_without_a_byte_is_closed() {
    let world = World::start(Config { tunnel_idle_s: 1, ..Config::default() }).await;
    world.edge.routes().store(with_tunnel());
    assert_eq!(rest(&mut open_tunnel(&world).await).await, "");
}

/// A log that can be read back.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line: &serde_json::Value| line["target"] == "access").collect()
    }
}

// ASVS 16.2.1
#[tokio::test]
async fn each_request_has_one_line_in_the_access_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let world = World::start(Config::default()).await;
    let head = "POST /api/devices/v1/seen?secret=1 HTTP/1.1\nhost: x\nauthorization: Bearer k\n\
                content-length: 2";
    let answer = check(&world, 200, (head, "ok")).await;
    check(&world, 401, ("GET /api/auth/v1/me HTTP/1.1\nhost: x", "")).await;
    until("two lines", || log.lines().len() == 2).await;
    let (lines, text) = (log.lines(), String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    assert!(!text.contains("secret=1") && !text.contains("Bearer"), "{text}");
    let line = &lines[0];
    let want = [
        ("level", "INFO"),
        ("method", "POST"),
        ("path", "/api/devices/v1/seen"),
        ("route", "/api/devices/v1/"),
        ("remote", "127.0.0.1"),
        ("caller.kind", "api_key"),
    ];
    for (name, value) in want {
        assert_eq!(line[name], value, "{name}");
    }
    assert_eq!((&line["status"], &line["bytes"]), (&200.into(), &23.into()));
    assert!(line["caller.id"].is_string() && line["duration_ms"].is_u64(), "{line}");
    let id = line["request.id"].as_str().unwrap();
    assert!(answer.contains(&format!("x-request-id: {id}\r\n")), "{answer}");
    assert_eq!((&lines[1]["status"], &lines[1]["caller.kind"]), (&401.into(), &().into()));
}
