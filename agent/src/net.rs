//! Connections to the platform: TCP, TLS 1.3, and one JSON request over HTTP/1.1.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use crate::Error;
use crate::credentials::Credentials;
use crate::error::Cause;

/// Connecting takes so long at most, TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// A request takes so long at most, from connected to answered.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// An answer has so many bytes at most.
const ANSWER_LIMIT: usize = 1 << 20;

/// The platform's address, understood, and what is on the way there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    text: String,
    host: String,
    port: u16,
    proxy_ca: Option<PathBuf>,
}

impl Server {
    /// Reads an `https://` address.
    pub fn read(text: &str) -> Result<Self, Error> {
        let bad = || Error::BadServer(text.to_owned());
        let url = Url::parse(text).map_err(|_| bad())?;
        let host = url.host_str().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().ok_or_else(bad)?;
        if url.scheme() != "https" {
            return Err(bad());
        }
        Ok(Self { text: text.trim_end_matches('/').to_owned(), host, port, proxy_ca: None })
    }

    /// The same behind a proxy that ends TLS, if there is one: its certificate comes from the authorities
    /// in this file.
    #[must_use]
    pub fn behind(self, proxy_ca: Option<PathBuf>) -> Self {
        Self { proxy_ca, ..self }
    }

    /// TLS with the proxy that ends it; `None` when the platform itself does. Read anew each time: whose
    /// authorities these are replaces them.
    pub(crate) fn proxy_tls(&self) -> Result<Option<Arc<ClientConfig>>, Error> {
        let Some(path) = &self.proxy_ca else { return Ok(None) };
        let roots =
            std::fs::read(path).map_err(|cause| Error::State { path: path.clone(), cause })?;
        let tls = openframe_pki::public_client(&roots).map_err(|e| Error::Certificate(e.into()))?;
        Ok(Some(Arc::new(tls)))
    }

    /// The address as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Host and port, as an HTTP `Host` header has them.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) fn unreachable(&self, cause: impl Into<Cause>) -> Error {
        Error::Unreachable { server: self.text.clone(), cause: cause.into() }
    }
}

/// Connects and finishes the TLS handshake; nothing of ours was sent before the server proved
/// itself.
pub async fn connect(
    server: &Server,
    tls: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, Error> {
    let name = ServerName::try_from(server.host.clone())
        .map_err(|_| Error::BadServer(server.text.clone()))?;
    let connecting = async {
        let tcp = TcpStream::connect((server.host.as_str(), server.port)).await?;
        tcp.set_nodelay(true)?;
        TlsConnector::from(tls).connect(name, tcp).await
    };
    match tokio::time::timeout(CONNECT_LIMIT, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(cause)) => Err(handshake_error(server, cause)),
        Err(late) => Err(server.unreachable(late)),
    }
}

/// Tells a server that cannot prove itself from one that cannot be reached.
fn handshake_error(server: &Server, cause: std::io::Error) -> Error {
    let tls = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
        return Error::NotTheServer { server: server.text.clone(), cause: cause.into() };
    }
    server.unreachable(cause)
}

/// Posts `body` as JSON and reads the answer.
pub async fn post<'a, A: DeserializeOwned>(
    server: &Server,
    credentials: impl Into<Credentials<'a>>,
    path: &str,
    body: &impl Serialize,
) -> Result<A, Error> {
    let credentials = credentials.into();
    let stream = connect(server, credentials.tls()).await?;
    let bytes = serde_json::to_vec(body).map_err(|e| Error::BadAnswer(e.into()))?;
    let mut request = Request::post(path)
        .header(header::HOST, server.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("openframe-agent/", env!("CARGO_PKG_VERSION")))
        .body(())
        .map_err(|_| Error::BadServer(server.text.clone()))?;
    credentials.sign(&mut request, &bytes)?;
    let answering = exchange(stream, request.map(|()| Full::new(Bytes::from(bytes))));
    let answer = match tokio::time::timeout(REQUEST_LIMIT, answering).await {
        Ok(answer) => answer.map_err(|cause| server.unreachable(cause))?,
        Err(late) => return Err(server.unreachable(late)),
    };
    if !answer.status().is_success() {
        return Err(Error::refused(&answer));
    }
    serde_json::from_slice(answer.body()).map_err(|e| Error::BadAnswer(e.into()))
}

async fn exchange(
    stream: TlsStream<TcpStream>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, Cause> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let bytes = Limited::new(body, ANSWER_LIMIT).collect().await?.to_bytes();
        Ok(Response::from_parts(head, bytes))
    };
    let answer = answer.await;
    driver.abort();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_addresses_are_taken() {
        assert_eq!(Server::read("https://a.example/").unwrap().authority(), "a.example:443");
        assert_eq!(Server::read("https://[::1]:8443").unwrap().authority(), "[::1]:8443");
        for bad in ["http://a.example", "a.example", "", "https://"] {
            assert!(matches!(Server::read(bad), Err(Error::BadServer(_))), "{bad}");
        }
    }
}
