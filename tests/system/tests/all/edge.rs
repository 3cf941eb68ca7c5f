//! The doors of a real server: slow clients, and the order in which it stops.

use std::sync::Arc;

use axum::body::Body;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request};
use openframe_auth_api::{AuthClient, NewEnrolmentToken};
use openframe_devices_api::{DeviceQuery, DevicesClient};
use openframe_mesh::{Client, Connector, Peer};
use openframe_system::{Agent, Server, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Connections of each kind of slowness: more than handshakes that any machine computes at once.
const EACH: usize = 100;

/// One listener as a client sees it.
struct Door {
    address: String,
    tls: Arc<rustls::ClientConfig>,
}

impl Door {
    fn new(url: &str, root: &str) -> Self {
        openframe_pki::install_provider();
        let port = url.rsplit(':').next().unwrap();
        let tls = Arc::new(openframe_pki::root_client(root).unwrap());
        Self { address: format!("127.0.0.1:{port}"), tls }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// Sends the beginning of a request after a whole handshake.
    async fn begin(&self, text: &str) -> TlsStream<TcpStream> {
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let name = "localhost".try_into().unwrap();
        let mut stream = connector.connect(name, self.connect().await).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream
    }

    /// Sends a whole request; returns the status line of its answer.
    async fn ask(&self, text: &str) -> String {
        let mut stream = self.begin(text).await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(answer).unwrap()
    }
}

/// Opens connections of every kind of slowness. They stay as long as what is returned.
async fn slow(door: &Door, post: &str) -> (Vec<TcpStream>, Vec<TlsStream<TcpStream>>) {
    let (mut sockets, mut sessions) = (Vec::new(), Vec::new());
    for _ in 0..EACH {
        sockets.push(door.connect().await);
        let mut half_hello = door.connect().await;
        // A record of 512 bytes that never comes.
        half_hello.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1]).await.unwrap();
        sockets.push(half_hello);
        sessions.push(door.begin("").await);
        sessions.push(door.begin(&format!("POST {post} HTTP/1.1\r\nhost: x\r\nx: ")).await);
        let body = format!(
            "POST {post} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: 1000\r\n\r\n{{"
        );
        sessions.push(door.begin(&body).await);
    }
    (sockets, sessions)
}

#[tokio::test]
async fn slow_clients_keep_nobody_out() {
    let server = Server::start_with(&["listen=https://127.0.0.1:0"]).unwrap();
    let root = std::fs::read_to_string(server.data().join("pki").join("root.pem")).unwrap();
    let (people, agents) = (Door::new(&server.url, &root), Door::new(&server.agents_url, &root));
    let kept = (slow(&people, "/api/auth/v1/login").await, slow(&agents, "/agent/v1/enrol").await);
    let me = format!(
        "GET /api/auth/v1/me HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        server.key
    );
    assert_eq!(people.ask(&me).await, "HTTP/1.1 200 OK\r\n");
    let no_token = "POST /agent/v1/enrol HTTP/1.1\r\nhost: localhost\r\n\
                 content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let refused = agents.ask(no_token).await;
    assert!(refused.starts_with("HTTP/1.1 4"), "{refused}");
    drop((enrol(&server, &root).await, kept));
}

/// Enrols an agent at a server that speaks TLS, and waits until it is online.
async fn enrol(server: &Server, root: &str) -> Agent {
    let connector = Box::new(Connector::new(openframe_pki::root_client(root).unwrap()));
    let peer = Peer::Remote { base: server.url.parse().unwrap(), connector };
    let key = HeaderValue::from_str(&format!("Bearer {}", server.key)).unwrap();
    let credential = move |headers: &mut HeaderMap| {
        headers.insert(AUTHORIZATION, key.clone());
    };
    let client = Client::new(peer, Arc::new(credential));
    let wanted = NewEnrolmentToken::default();
    let token = AuthClient::new(client.clone()).create_enrolment_token(&wanted).await.unwrap();
    let agent = Agent::enrol(&server.agents_url, &token.secret).unwrap();
    let filter = Some("presence:online".to_owned());
    let (devices, online) =
        (DevicesClient::new(client), DeviceQuery { filter, ..DeviceQuery::default() });
    until("a device that is online", || async {
        devices.devices(&online).await.ok()?.items.into_iter().next()
    })
    .await;
    agent
}

#[tokio::test]
async fn a_stop_fails_the_probe_first_and_lets_a_request_end() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let mut server = Server::start_with(&[&format!("admin_listen={admin}")]).unwrap();
    let tls = openframe_pki::public_client(b"").unwrap();
    let connector = Box::new(Connector::new(tls));
    let admin = Peer::Remote { base: admin.parse().unwrap(), connector };
    let ready = async || {
        let probe = Request::get("/readyz").body(Body::empty()).unwrap();
        admin.call(probe).await.ok().map(|answer| answer.status().as_u16())
    };
    until("a server that is ready", || async { ready().await.filter(|status| *status == 200) })
        .await;
    let address = server.url.trim_start_matches("http://").replace("localhost", "127.0.0.1");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/auth/v1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 2\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut heard = vec![0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut heard).await.unwrap();
    let pid = rustix::process::Pid::from_raw(server.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    until("a probe that fails", || async { ready().await.filter(|status| *status == 404) }).await;
    // The server waits for this.
    stream.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let status = server.process().wait().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn as_many_files_may_be_open_as_the_system_allows() {
    let mut server = Server::start().unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
}
