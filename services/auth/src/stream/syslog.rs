//! Entries as syslog messages (RFC 5424), each with its length before it (RFC 6587), over TCP or TLS
//! (RFC 5425).
//!
//! Syslog has no answer. What was sent counts as arrived once the other machine's kernel has had it for
//! a while and the connection still holds: a server that ends closes its connections, and one that is
//! cut off does not acknowledge. Whatever is younger is sent again on the next connection.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use openframe_ids::TenantId;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Sink;
use crate::app::{hex, told};
use crate::domain::Entry;

/// How long connecting, and sending a batch, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the other machine may leave what was sent without acknowledgement.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// How long a connection must hold after something was sent for that to count as arrived: longer than
/// [`UNACKNOWLEDGED`], after which it would have broken.
const SETTLED: Duration = Duration::from_secs(15);
/// "Log audit" (RFC 5424, table 1).
const FACILITY: u8 = 13;
/// The longest message id.
const MSGID_MAX: usize = 32;

trait Line: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Line for T {}

/// A syslog server.
pub(super) struct Syslog {
    address: String,
    host: ServerName<'static>,
    tls: Option<TlsConnector>,
    line: Option<Box<dyn Line>>,
    /// Places that were sent over this connection, and when.
    sent: VecDeque<(u64, Instant)>,
    arrived: Option<u64>,
}

impl Syslog {
    /// A server at HOST:PORT.
    pub(super) fn new(address: &str, tls: Option<rustls::ClientConfig>) -> Result<Self, String> {
        let wrong = || "`auth.audit.stream.syslog` must be HOST:PORT".to_owned();
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        port.parse::<u16>().map_err(|_| wrong())?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            address: address.to_owned(),
            host: ServerName::try_from(host.to_owned()).map_err(|_| wrong())?,
            tls: tls.map(|tls| TlsConnector::from(Arc::new(tls))),
            line: None,
            sent: VecDeque::new(),
            arrived: None,
        })
    }

    async fn connect(&self) -> io::Result<Box<dyn Line>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let ms = u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(&stream, ms)?;
        Ok(match &self.tls {
            Some(tls) => Box::new(tls.connect(self.host.clone(), stream).await?),
            None => Box::new(stream),
        })
    }

    /// Takes the connection, or makes one.
    async fn open(&mut self) -> Result<Box<dyn Line>, String> {
        if let Some(line) = self.line.take() {
            return Ok(line);
        }
        match timeout(PATIENCE, self.connect()).await {
            Ok(connected) => connected.map_err(|error| self.broken(error)),
            Err(_) => Err(self.broken("the server does not take the connection")),
        }
    }

    /// Forgets the connection, and what was sent over it.
    fn broken<E: std::fmt::Display>(&mut self, error: E) -> String {
        self.line = None;
        self.sent.clear();
        error.to_string()
    }
}

#[async_trait]
impl Sink for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn to(&self) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "tcp" };
        format!("{scheme}://{}", self.address)
    }

    async fn send(&mut self, tenant: TenantId, entries: &[Entry]) -> Result<(), String> {
        let Some(last) = entries.last() else { return Ok(()) };
        let mut frames = Vec::new();
        for one in entries {
            let message = message(tenant, one).map_err(|error| self.broken(error))?;
            frames.extend_from_slice(format!("{} ", message.len()).as_bytes());
            frames.extend_from_slice(message.as_bytes());
        }
        let mut line = self.open().await?;
        let writing = async {
            line.write_all(&frames).await?;
            line.flush().await
        };
        match timeout(PATIENCE, writing).await {
            Ok(written) => written.map_err(|error| self.broken(error))?,
            Err(_) => return Err(self.broken("the server does not take what is sent")),
        }
        self.line = Some(line);
        self.sent.push_back((last.seq, openframe_clock::monotonic()));
        Ok(())
    }

    async fn arrived(&mut self) -> Result<Option<u64>, String> {
        // Also when there is nothing to send: that it is away is known before it matters.
        let mut line = self.open().await?;
        // It never says anything, but that it is gone.
        let mut said = [0; 512];
        match timeout(Duration::ZERO, line.read(&mut said)).await {
            Ok(Ok(0)) => return Err(self.broken("the server has closed the connection")),
            Ok(Err(error)) => return Err(self.broken(error)),
            Ok(Ok(_)) | Err(_) => self.line = Some(line),
        }
        let now = openframe_clock::monotonic();
        while let Some((seq, at)) = self.sent.front()
            && now.duration_since(*at) >= SETTLED
        {
            self.arrived = Some(*seq);
            self.sent.pop_front();
        }
        Ok(self.arrived)
    }
}

/// One entry: what it is found by as structured data, and all of it as JSON.
fn message(tenant: TenantId, one: &Entry) -> Result<String, serde_json::Error> {
    let severity = match one.event.outcome.as_str() {
        "refused" => 4,
        "failed" => 3,
        _ => 6,
    };
    let kept = |c: &char| c.is_ascii_graphic();
    let mut id: String = one.event.action.chars().filter(kept).take(MSGID_MAX).collect();
    if id.is_empty() {
        "-".clone_into(&mut id);
    }
    let (priority, at, seq) = (FACILITY * 8 + severity, one.event.at, one.seq);
    let hash = hex(&one.hash);
    // 32473 is the number for examples and private use (RFC 5612).
    let mut text = format!(
        "<{priority}>1 {at} - openframe - {id} \
         [audit@32473 tenant=\"{tenant}\" seq=\"{seq}\" hash=\"{hash}\"] "
    );
    // Writing to a text does not fail.
    write!(text, "{}", serde_json::to_string(&told(one.clone()))?).ok();
    Ok(text)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::Event;

    #[test]
    fn a_message_is_one_of_rfc_5424() {
        let text = |text: &str| text.to_owned();
        let event = Event {
            at: Timestamp::from_millisecond(1_800_000_000_123).unwrap(),
            actor_kind: text("nobody"),
            actor: text("a\"]\n<1>"),
            action: text("session.create and \u{e4} long one that is cut off"),
            target: text(""),
            outcome: text("refused"),
            detail: text(""),
            remote_address: text("192.0.2.1"),
            request_id: text(""),
        };
        let tenant = TenantId::new();
        let one = Entry { seq: 7, event, hash: [0xab; 32] };
        let message = message(tenant, &one).unwrap();
        let head = format!(
            "<108>1 2027-01-15T08:00:00.123Z - openframe - session.createandlongonethatiscu \
             [audit@32473 tenant=\"{tenant}\" seq=\"7\" hash=\"{}\"] {{",
            "ab".repeat(32)
        );
        assert!(message.starts_with(&head), "{message}");
        assert!(!message.contains('\n'));
        let (_, json) = message.split_once("] ").unwrap();
        let entry: openframe_auth_api::AuditEntry = serde_json::from_str(json).unwrap();
        assert_eq!((entry.seq, entry.actor.as_str()), (7, "a\"]\n<1>"));
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["logs.example.org:6514", "192.0.2.1:514", "[2001:db8::1]:514"] {
            assert!(Syslog::new(good, None).is_ok(), "{good}");
        }
        for bad in ["logs.example.org", "logs:x", ":514", "a b:514"] {
            assert!(Syslog::new(bad, None).is_err(), "{bad}");
        }
    }
}
