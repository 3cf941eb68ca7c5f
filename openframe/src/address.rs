//! Listen addresses: URLs, so that it is said whether TLS is spoken there.

use std::net::{SocketAddr, ToSocketAddrs as _};

use openframe_fault::Fault;
use url::{Host, Url};

/// Where to listen, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    /// The socket.
    pub(crate) socket: SocketAddr,
    /// The host as written: a name that the certificate must have.
    pub(crate) host: String,
    /// Whether TLS is spoken.
    pub(crate) tls: bool,
}

impl ListenAddress {
    /// Reads `https://HOST:PORT`, or `http://HOST:PORT` on loopback; anywhere else only when
    /// `proxied`, since then nobody but the proxies that the settings name may connect.
    pub(crate) fn read(setting: &str, text: &str, proxied: bool) -> Result<Self, Fault> {
        let wrong = |what: String| Fault::invalid("bad_address", format!("`{setting}`: {what}"));
        let example = "write https://HOST:PORT, such as https://127.0.0.1:8443";
        let url: Url = text
            .parse()
            .map_err(|error| wrong(format!("{text:?} is no URL ({error}); {example}")))?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(wrong(format!("{other:?} is not served; {example}"))),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(wrong(format!("{text:?} names no host; {example}"))),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let socket = (host.as_str(), port)
            .to_socket_addrs()
            .ok()
            .and_then(|found| found.min_by_key(SocketAddr::is_ipv6))
            .ok_or_else(|| wrong(format!("the host {host:?} has no address")))?;
        if !tls && !socket.ip().is_loopback() && !proxied {
            let why = "http:// is served on loopback only, since nothing protects what is sent; \
                       behind a proxy, name it in `gateway.trusted_proxies`";
            return Err(wrong(why.to_owned()));
        }
        Ok(Self { socket, host, tls })
    }

    /// The address as others reach it, once the port is known.
    pub(crate) fn url(&self, bound: SocketAddr) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        // What a browser resolves to loopback gets the name that the certificate and cookies like.
        let host = if self.socket.ip().is_loopback() || self.socket.ip().is_unspecified() {
            "localhost".to_owned()
        } else if self.socket.is_ipv6() && self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!("{scheme}://{host}:{}", bound.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<(&str, bool), &str>) {
        match (ListenAddress::read("listen", text, false), want) {
            (Ok(address), Ok((socket, tls))) => {
                assert_eq!((address.socket.to_string().as_str(), address.tls), (socket, tls));
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, want) => panic!("{text}: got {got:?}, want {want:?}"),
        }
    }

    #[test]
    fn addresses_are_urls() {
        check("https://127.0.0.1:8443", Ok(("127.0.0.1:8443", true)));
        check("http://127.0.0.1:0", Ok(("127.0.0.1:0", false)));
        check("https://0.0.0.0:1", Ok(("0.0.0.0:1", true)));
        check("http://0.0.0.0:1", Err("loopback only"));
        check("ftp://127.0.0.1:1", Err("not served"));
        check("127.0.0.1:8443", Err("no URL"));
    }

    #[test]
    fn plain_http_is_served_to_named_proxies() {
        let address = ListenAddress::read("listen", "http://0.0.0.0:80", true).unwrap();
        assert!(!address.tls);
    }
}
