//! Requests that no honest client sends. The server answers or hangs up, and goes on serving.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use openframe_system::{Server, executable};

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

#[test]
fn an_agent_tells_nothing_to_a_server_with_another_key() {
    let (ours, other) = (Server::start().unwrap(), Server::start().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let token = runtime.block_on(ours.enrolment_token(1)).unwrap();
    let state = tempfile::tempdir().unwrap();
    let enrol = std::process::Command::new(executable("openframe-agent").unwrap())
        .args(["enrol", "--server", &other.agents_url, "--token", &token, "--state"])
        .arg(state.path())
        .output()
        .unwrap();
    assert!(!enrol.status.success());
    // The token is still good: it never reached a server.
    let agent = openframe_system::Agent::enrol(&ours.agents_url, &token);
    assert!(agent.is_ok(), "{agent:?}");
    let used_up = openframe_system::Agent::enrol(&ours.agents_url, &token);
    assert!(used_up.is_err());
}
