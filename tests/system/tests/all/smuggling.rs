//! Requests that two parties could read differently, where one is in front of the other: the gateway reads
//! them in one way and takes nothing that follows, or refuses them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use openframe_system::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

/// What somebody tries to bring in behind another request: open to anybody, so that it would be answered.
const BEHIND: &str = "GET /api/auth/v1/setup HTTP/1.1\r\nhost: x\r\n\r\n";
/// Frames of HTTP/2 (RFC 9113, 6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
/// Flags of a frame that is a whole request.
const END_STREAM_AND_HEADERS: u8 = 5;

fn connect(url: &str) -> TcpStream {
    let address = url.rsplit('/').next().unwrap().replace("localhost", "127.0.0.1");
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// The statuses of all answers to what is sent on one connection, until the server has closed it.
fn statuses(server: &Server, text: &str) -> Vec<u16> {
    let mut stream = connect(&server.url);
    stream.write_all(text.as_bytes()).unwrap();
    let mut said = Vec::new();
    // A server that hangs up on what it has not read resets the connection.
    let ended = stream.read_to_end(&mut said);
    let open = ended.as_ref().is_err_and(|it| it.kind() != std::io::ErrorKind::ConnectionReset);
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!open, "the connection stays open: {ended:?} after {said}");
    let answers = said.split("HTTP/1.1 ").skip(1);
    answers.map(|answer| answer.split(' ').next().unwrap().parse().unwrap()).collect()
}

/// A sign-in with these lines in its head, and what comes behind.
fn sign_in(head: &[&str], body: &str) -> String {
    let head = head.join("\r\n");
    format!(
        "POST /api/auth/v1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         connection: keep-alive\r\n{head}\r\n\r\n{body}{BEHIND}"
    )
}

// B62.cl-te, B62.te-cl
#[tokio::test]
async fn a_body_with_two_lengths_is_the_last_that_a_connection_brings() {
    let server = Server::start().unwrap();
    let (chunked, some) = ("transfer-encoding: chunked", "2\r\n{}\r\n0\r\n\r\n");
    for (head, body) in [
        (&["content-length: 100", chunked][..], some),
        (&["content-length: 0", chunked], some),
        (&[chunked, "content-length: 4"], some),
        (&[chunked, "content-length: 100"], "0\r\n\r\n"),
        (&["content-length: 5", chunked, "content-length: 6"], some),
    ] {
        let got = statuses(&server, &sign_in(head, body));
        assert!(matches!(got.as_slice(), [400..500]), "{head:?}: {got:?}");
    }
    // Whoever sends one length may go on.
    let plain = sign_in(&["content-length: 2"], "{}").replace(BEHIND, "");
    let last = BEHIND.replace("host: x", "host: x\r\nconnection: close");
    let got = statuses(&server, &format!("{plain}{last}"));
    assert!(matches!(got.as_slice(), [400..500, 200]), "{got:?}");
}

// B62.lengths, B62.encodings, B62.fold
#[tokio::test]
async fn a_head_that_two_would_read_differently_is_refused_with_all_that_follows() {
    let server = Server::start().unwrap();
    for head in [
        &["content-length: 2", "content-length: 30"][..],
        &["content-length: 2, 30"],
        &["content-length: +2"],
        &["content-length: -1"],
        &["content-length: 0x2"],
        &["content-length: 2 2"],
        &["content-length: 99999999999999999999"],
        &["content-length : 2"],
        &["transfer-encoding: xchunked"],
        &["transfer-encoding: chunked, identity"],
        &["transfer-encoding: identity"],
        &["transfer-encoding : chunked"],
        &["transfer-encoding: \u{b}chunked"],
        &["x: a", " content-length: 2"],
        &["x: a", "\ttransfer-encoding: chunked"],
        &["transfer-encoding:", " chunked"],
        &["x: a\rcontent-length: 2"],
        &["x: a\0", "content-length: 2"],
        &["content length: 2"],
    ] {
        let got = statuses(&server, &sign_in(head, "{}"));
        assert!(matches!(got.as_slice(), [] | [400..500]), "{head:?}: {got:?}");
    }
    let old = sign_in(&["transfer-encoding: chunked"], "0\r\n\r\n").replace("/1.1", "/1.0");
    let got = statuses(&server, &old);
    assert!(matches!(got.as_slice(), [] | [400..500]), "{got:?}");
    assert!(server.auth().unwrap().me().await.is_ok(), "the server goes on");
}

/// One frame of stream `stream`.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let [_, length @ ..] = length;
    [&length[..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Headers as literals that nobody remembers (RFC 7541, 6.2.2).
fn literals(headers: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    headers.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// What kind of frame answers a request of HTTP/2 whose head is this.
async fn answer_to(server: &Server, headers: &[(&str, &str)]) -> u8 {
    let root = std::fs::read_to_string(server.data().join("pki").join("root.pem")).unwrap();
    let mut tls = openframe_pki::root_client(&root).unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let port = server.url.rsplit(':').next().unwrap();
    let stream = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap();
    let request = frame(HEADERS, END_STREAM_AND_HEADERS, 1, &literals(headers));
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    stream.write_all(&[preface, &frame(SETTINGS, 0, 0, &[]), &request].concat()).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let [a, b, c, kind, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
        if [HEADERS, RST_STREAM, GOAWAY].contains(&kind) {
            return kind;
        }
    }
}

// B62.h2
#[tokio::test]
async fn nothing_of_http_1_comes_in_by_http_2() {
    let server = Server::start_with(&["listen=https://127.0.0.1:0"]).unwrap();
    let good = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "x"),
        (":path", "/api/auth/v1/setup"),
    ];
    assert_eq!(answer_to(&server, &good).await, HEADERS);
    for bad in [
        ("connection", "close"),
        ("connection", "x-user-id"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "chunked"),
        ("content-length", "5"),
        ("X-Upper", "a"),
        ("x", "a\r\ntransfer-encoding: chunked"),
        ("x", "a\nb"),
        ("x: a\r\nhost", "b"),
        (":path", "/other"),
    ] {
        let answered = answer_to(&server, &[&good[..], &[bad]].concat()).await;
        assert!([RST_STREAM, GOAWAY].contains(&answered), "{bad:?}: a frame of kind {answered}");
    }
    let mut split = good;
    split[3] = (":path", "/ HTTP/1.1\r\nhost: x\r\n\r\nGET /x");
    assert_ne!(answer_to(&server, &split).await, HEADERS);
}
