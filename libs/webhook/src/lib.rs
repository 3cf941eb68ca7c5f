//! Asking servers that people have named: which addresses may be asked, and what an answer means.
//!
//! [`Webhooks`] posts over HTTPS (or HTTP on loopback) to whatever address [`address`] lets through, or
//! fetches a short document from there. It connects to no address at which clouds hand out credentials,
//! whatever a name says at that moment, and follows no redirects.

mod fetch;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use url::{Host, Url};

pub use fetch::{Fetch, Fetched};

/// Bytes of an address at most.
const MAX_ADDRESS: usize = 2_000;
/// How long one delivery may take, the look-up of the name included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why something was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It may be taken later.
    Temporary(String),
    /// It never will.
    Final(String),
}

/// Whether `text` may be posted to: `https`, or `http` on loopback; no user name in it. `name` is what
/// the caller knows it as.
pub fn address(name: &str, text: &str) -> Result<Url, String> {
    let wrong = format!("`{name}` must be https://HOST/PATH, or http:// on loopback");
    if text.len() > MAX_ADDRESS {
        return Err(format!("`{name}` must have at most {MAX_ADDRESS} bytes"));
    }
    let url = Url::parse(text).map_err(|error| format!("{wrong}: {error}"))?;
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(wrong),
    };
    if !(url.scheme() == "https" || (url.scheme() == "http" && loopback)) {
        return Err(wrong);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("`{name}` must have no user name or password"));
    }
    Ok(url)
}

/// An address without what may be a secret in it.
pub fn host_only(text: &str) -> String {
    let url = Url::parse(text).ok();
    let host = url.as_ref().and_then(|url| Some((url.scheme(), url.host_str()?)));
    host.map_or_else(String::new, |(scheme, host)| format!("{scheme}://{host}/…"))
}

/// Whether nothing that wants messages lives there. At link-local addresses, and at one of Amazon's
/// own, clouds hand out credentials; private networks are allowed, as that is where chat servers
/// live.
fn forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            let metadata = ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
            let local = ip.is_multicast() || ip.is_unspecified() || ip.is_unicast_link_local();
            metadata || local || inner(ip).is_some_and(|ip| forbidden(IpAddr::V4(ip)))
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64 (RFC 6052, and the
/// local range of RFC 8215), 6to4.
fn inner(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let low = || {
        let [.., a, b, c, d] = ip.octets();
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, ..] => Some(low()),
        [0, 0, 0, 0, 0, 0, high, last] if high != 0 || last > 1 => Some(low()),
        [0x2002, high, last, ..] => {
            let [[a, b], [c, d]] = [high, last].map(u16::to_be_bytes);
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// Looks names up, and leaves out addresses that are not allowed: what is connected to is what was
/// checked.
#[derive(Debug, Clone, Copy)]
struct Allowed;

impl tower::Service<Name> for Allowed {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| !forbidden(address.ip())).collect();
            if allowed.is_empty() {
                return Err(io::Error::other(NotAllowed));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the host is at an address that is not allowed")]
struct NotAllowed;

/// An address that may be asked.
fn reachable(text: &str) -> Result<Url, Refusal> {
    let url = address("url", text).map_err(Refusal::Final)?;
    let literal = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) | None => None,
    };
    // Nothing is looked up for these.
    if literal.is_some_and(forbidden) {
        return Err(Refusal::Final(NotAllowed.to_string()));
    }
    Ok(url)
}

/// What is posted: a JSON document, unless its headers say otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// Where to; see [`address`].
    pub url: &'a str,
    /// By which the receiver tells repeats.
    pub key: &'a str,
    /// The document.
    pub body: &'a str,
    /// Headers beside the usual ones, or in their place: a form says so.
    pub headers: &'a [(HeaderName, String)],
}

/// Posts to webhooks. Cheap to clone: clones share the connections.
#[derive(Clone)]
pub struct Webhooks(Client<HttpsConnector<HttpConnector<Allowed>>, Body>);

impl Webhooks {
    /// Trusts the servers that `tls` trusts.
    pub fn new(tls: rustls::ClientConfig) -> Self {
        let mut connector = HttpConnector::new_with_resolver(Allowed);
        connector.enforce_http(false);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(connector);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Posts a document; the receiver has taken it when this succeeds.
    pub async fn post(&self, post: Post<'_>) -> Result<(), Refusal> {
        let url = reachable(post.url)?;
        let mut request = Request::post(url.as_str())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header::USER_AGENT, HeaderValue::from_static("openframe"))
            .header("idempotency-key", post.key)
            .body(Body::from(post.body.to_owned()))
            .map_err(|error| Refusal::Final(error.to_string()))?;
        for (name, value) in post.headers {
            let value = HeaderValue::from_str(value);
            let value = value.map_err(|error| Refusal::Final(error.to_string()))?;
            request.headers_mut().insert(name, value);
        }
        let answer = tokio::time::timeout(DEADLINE, self.send(request)).await;
        answer.unwrap_or_else(|_| {
            let seconds = DEADLINE.as_secs();
            Err(Refusal::Temporary(format!("the receiver did not answer within {seconds} s")))
        })
    }

    async fn send(&self, request: Request<Body>) -> Result<(), Refusal> {
        // Redirects are not followed: they would lead around the check of the address.
        let answer = self.0.request(request).await;
        let status = answer.map_err(|error| Refusal::Temporary(reason(&error)))?.status();
        let why = format!("the receiver answered {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => Err(Refusal::Temporary(why)),
            0..=199 | 300..=407 | 409..=424 | 426..=428 | 430..=499 | 600..=u16::MAX => {
                Err(Refusal::Final(why))
            }
        }
    }
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Webhooks")
    }
}

/// The last of the causes, which says most.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for good in ["https://chat.example/x?y=1", "http://127.0.0.1:9/x", "http://[::1]/x"] {
            assert!(address("url", good).is_ok(), "{good}");
        }
        for bad in [
            "http://chat.example/x",
            "ftp://127.0.0.1/",
            "https://",
            "https://me:pw@chat.example/",
            "not an address",
            "http://127.0.0.1.example/",
        ] {
            assert!(address("url", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_is_sent_to_the_cloud_s_credentials() {
        for ip in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
            "fe80::1",
            "::",
            "0.0.0.0",
            "224.0.0.1",
        ] {
            assert!(forbidden(ip.parse().unwrap()), "{ip}");
        }
        for ip in
            ["10.0.0.1", "192.168.1.1", "127.0.0.1", "1.1.1.1", "2001:db8::1", "::1", "fd00::1"]
        {
            assert!(!forbidden(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_secret() {
        for (url, want) in [
            ("https://chat.example/hooks/T0/secret?x=y", "https://chat.example/…"),
            ("http://127.0.0.1:9/x", "http://127.0.0.1/…"),
            ("nonsense", ""),
        ] {
            assert_eq!(host_only(url), want);
        }
    }

    #[tokio::test]
    async fn what_is_connected_to_was_checked() {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let trust = rustls::RootCertStore::empty();
        let tls =
            rustls::ClientConfig::builder().with_root_certificates(trust).with_no_client_auth();
        let sender = Webhooks::new(tls);
        let refused = sender
            .post(Post {
                url: "https://[64:ff9b::a9fe:a9fe]/",
                key: "key",
                body: "{}",
                headers: &[],
            })
            .await
            .unwrap_err();
        assert_eq!(refused, Refusal::Final(NotAllowed.to_string()));
        let mut allowed = Allowed;
        let found = tower::Service::call(&mut allowed, "localhost".parse().unwrap());
        assert!(found.await.unwrap().all(|address| address.ip().is_loopback()));
        let name = "169.254.169.254".parse().unwrap();
        assert!(tower::Service::call(&mut allowed, name).await.is_err());
    }
}
