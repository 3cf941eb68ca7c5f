//! How mail leaves: over SMTP, to the one server that the settings name.
//!
//! Where TLS is wanted, nothing is said without it: a server that does not offer STARTTLS, or from whose
//! offer somebody on the way has taken it, gets no mail.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use openframe_fault::chain;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use uuid::Uuid;

use crate::config::{MailConfig, MailTls};
use crate::domain::Letter;

/// How long the server may take for one letter, all in all.
const PATIENCE: Duration = Duration::from_secs(15);

/// What takes letters.
#[async_trait]
pub(crate) trait Post: Send + Sync + 'static {
    /// Hands over a letter; `id` is the same whenever it is the same letter. When this fails, it is not
    /// known whether it was taken.
    async fn post(&self, id: Uuid, letter: &Letter, now: Timestamp) -> Result<(), String>;
}

/// What mail is sent by, if anything.
#[derive(Clone, Default)]
pub struct Mailer(pub(crate) Option<Arc<dyn Post>>);

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Mailer(configured)" } else { "Mailer(none)" })
    }
}

impl Mailer {
    /// Reads the settings: the server is checked against `roots_pem`, and shown `password`. Says what is
    /// wrong with them.
    pub fn of(config: &MailConfig, roots_pem: &[u8], password: &str) -> Result<Self, String> {
        if config.server.is_empty() {
            return Ok(Self::default());
        }
        let (host, port) = place(&config.server)
            .ok_or("`auth.mail.server` must be HOST:PORT, such as mail.example.org:465")?;
        let address: Address = config.from.parse().map_err(|_| {
            "`auth.mail.from` must be a mail address, such as openframe@example.org".to_owned()
        })?;
        if config.tls == MailTls::None && !is_inside(host) {
            return Err("`auth.mail.tls` may be `none` for a server of this machine or its own \
                 network only: who reads the mail on its way can use the links in it"
                .to_owned());
        }
        if config.user.is_empty() != password.is_empty() {
            return Err("`auth.mail.user` and `auth.mail.password_file` go together".to_owned());
        }
        if config.tls == MailTls::None && !config.user.is_empty() {
            return Err("`auth.mail.user` takes `auth.mail.tls`: the password would be readable \
                 on its way"
                .to_owned());
        }
        let tls = |make: fn(TlsParameters) -> Tls| encrypted(host, roots_pem).map(make);
        let tls = match config.tls {
            MailTls::Tls => tls(Tls::Wrapper)?,
            MailTls::Starttls => tls(Tls::Required)?,
            MailTls::None => Tls::None,
        };
        let hello = ClientId::Domain(address.domain().to_owned());
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .hello_name(hello)
            .timeout(Some(PATIENCE));
        if !config.user.is_empty() {
            server = server.credentials(Credentials::new(config.user.clone(), password.to_owned()));
        }
        let from = Mailbox::new(Some("OpenFrame".to_owned()), address);
        Ok(Self(Some(Arc::new(Smtp { server: server.build(), from }))))
    }
}

/// Host and port of `HOST:PORT`.
fn place(server: &str) -> Option<(&str, u16)> {
    let (host, port) = server.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty()).then_some((host, port))
}

/// Whether a host is this machine or one of its own network, as far as the name tells.
fn is_inside(host: &str) -> bool {
    use std::net::IpAddr;
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => v4.is_loopback() || v4.is_private(),
        Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local(),
        Err(_) => !host.contains('.'),
    }
}

/// TLS with a server of this name that one of the roots vouches for.
fn encrypted(host: &str, roots_pem: &[u8]) -> Result<TlsParameters, String> {
    let mut builder =
        TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::None);
    for root in CertificateDer::pem_slice_iter(roots_pem).flatten() {
        // A system's bundle may hold roots that are too old to be parsed: the others still count.
        if RootCertStore::empty().add(root.clone()).is_err() {
            continue;
        }
        let root = Certificate::from_der(root.to_vec()).map_err(|error| error.to_string())?;
        builder = builder.add_root_certificate(root);
    }
    builder.build().map_err(|error| format!("`auth.mail`: {}", chain(&error)))
}

/// A server.
struct Smtp {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

#[async_trait]
impl Post for Smtp {
    async fn post(&self, id: Uuid, letter: &Letter, now: Timestamp) -> Result<(), String> {
        let address = letter.to.parse::<Address>();
        let to = address.map_err(|_| "no mail can be sent to that address".to_owned())?;
        let domain = self.from.email.domain();
        let since_1970 = Duration::try_from(now.as_duration()).unwrap_or_default();
        let message = Message::builder()
            // So that a letter that comes twice can be told to be one.
            .message_id(Some(format!("<{id}@{domain}>")))
            .date(SystemTime::UNIX_EPOCH + since_1970)
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.clone())
            .header(ContentType::TEXT_PLAIN)
            .body(body(&letter.text))
            .map_err(|error| chain(&error))?;
        match tokio::time::timeout(PATIENCE, self.server.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
        }
    }
}

/// The text as it is, where it can be (RFC 5322, 2.1.1): links stay whole, also to who reads the source.
fn body(text: &str) -> Body {
    if !text.is_ascii() || text.lines().any(|line| line.len() > 998) {
        return Body::new(text.to_owned());
    }
    let lines = text.replace('\n', "\r\n").into_bytes();
    Body::dangerous_pre_encoded(lines, ContentTransferEncoding::SevenBit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(server: &str, tls: MailTls, (user, password): (&str, &str)) -> Result<Mailer, String> {
        let (server, from) = (server.to_owned(), "of@example.org".to_owned());
        let (user, password_file) = (user.to_owned(), std::path::PathBuf::new());
        Mailer::of(&MailConfig { server, from, tls, user, password_file }, b"", password)
    }

    #[test]
    fn what_is_wrong_in_the_settings_is_told() {
        openframe_pki::install_provider();
        let nobody = ("", "");
        assert!(read("", MailTls::Tls, nobody).unwrap().0.is_none());
        for server in ["mail.example.org:465", "[2001:db8::1]:465", "127.0.0.1:465"] {
            assert!(read(server, MailTls::Tls, ("me", "hush")).unwrap().0.is_some(), "{server}");
        }
        for inside in ["127.0.0.1:25", "10.0.0.1:25", "[::1]:25", "localhost:25", "postfix:25"] {
            assert!(read(inside, MailTls::None, nobody).unwrap().0.is_some(), "{inside}");
        }
        for (server, tls, who, told) in [
            ("mail.example.org", MailTls::Tls, nobody, "auth.mail.server"),
            ("mail.example.org:0", MailTls::Tls, nobody, "auth.mail.server"),
            ("mail.example.org:25", MailTls::None, nobody, "auth.mail.tls"),
            ("192.0.2.1:25", MailTls::None, nobody, "auth.mail.tls"),
            ("localhost:25", MailTls::None, ("me", "hush"), "auth.mail.user"),
            ("mail.example.org:465", MailTls::Starttls, ("me", ""), "auth.mail.password_file"),
        ] {
            let wrong = read(server, tls, who).unwrap_err();
            assert!(wrong.contains(told), "{server}: {wrong}");
        }
    }
}
