//! Which headers cross the door: none that names a caller, an address or a request comes in.

use http::header::{
    CONNECTION, CONTENT_ENCODING, EXPECT, FORWARDED, HOST, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Request, Version};
use openframe_fault::Fault;

/// Where services read a client's address.
const REMOTE_ADDRESS: [&str; 2] = ["x-forwarded-for", "x-openframe-remote-address"];
/// Headers of one hop (RFC 9110, section 7.6.1).
const HOP: [HeaderName; 8] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
];
/// Beginnings of names that only a proxy of ours may set.
const TRUSTED: [&str; 7] =
    ["x-user-", "x-forwarded-", "x-openframe-", "x-real-", "l5d-", "x-request-id", "client-cert"];

/// Removes what must not come in, and tells the services the client's address.
pub(crate) fn clean(headers: &mut HeaderMap, remote: &str) {
    remove_hop(headers);
    let forged = |name: &&HeaderName| {
        let name = name.as_str();
        TRUSTED.iter().any(|start| name.starts_with(start)) || name == "keep-alive"
    };
    let names: Vec<HeaderName> = headers.keys().filter(forged).cloned().collect();
    for name in names {
        headers.remove(name);
    }
    headers.remove(FORWARDED);
    if let Ok(value) = HeaderValue::from_str(remote) {
        for name in REMOTE_ADDRESS {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
}

/// Removes what belongs to one connection only, and what its `Connection` header names.
pub(crate) fn remove_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    // Naming `host` there would take away what the request is about.
    for name in named.iter().filter(|name| **name != HOST).chain(&HOP) {
        headers.remove(name);
    }
}

/// Refuses a request that two parties could read differently.
pub(crate) fn check<B>(request: &mut Request<B>) -> Result<(), Fault> {
    let old = request.version() < Version::HTTP_2;
    let authority = request.uri().authority().map(ToString::to_string);
    match authority {
        Some(_) if old => {
            return Err(Fault::invalid("absolute_form", "send the path only, and Host"));
        }
        Some(authority) => {
            let host = HeaderValue::from_str(&authority)
                .map_err(|error| Fault::invalid("bad_host", "Host is wrong").because(error))?;
            request.headers_mut().insert(HOST, host);
        }
        None => {}
    }
    if request.headers().get_all(HOST).iter().count() != 1 {
        return Err(Fault::invalid("bad_host", "send exactly one Host"));
    }
    check_path(request.uri().path())
}

fn check_path(path: &str) -> Result<(), Fault> {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        if byte == b'%' && !(hex(bytes.next()) && hex(bytes.next())) {
            return Err(Fault::invalid(
                "bad_path",
                "a % in the path must be followed by two hex digits",
            ));
        }
    }
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if path.split('/').any(dots) {
        return Err(Fault::invalid("bad_path", "the path must not hold . or .. segments"));
    }
    Ok(())
}

/// Whether a request's body is compressed.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity")
}

/// The host that a request names, without its port.
pub(crate) fn host<B>(request: &Request<B>) -> String {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(http::uri::Authority::as_str).or(named);
    let authority: Option<http::uri::Authority> = authority.and_then(|text| text.parse().ok());
    authority.map(|authority| authority.host().to_ascii_lowercase()).unwrap_or_default()
}

/// Whether a host is this machine itself. A browser told to insist on TLS there would do so for
/// every other program that serves on it.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<std::net::IpAddr> = bare.parse().ok();
    let name = host.trim_end_matches('.');
    name == "localhost"
        || name.ends_with(".localhost")
        || address.is_some_and(|address| address.to_canonical().is_loopback())
}

/// Headers that every answer gets. `insist` says that the browser shall use TLS for this host only.
pub(crate) fn secure(headers: &mut HeaderMap, api: bool, insist: bool) {
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // A page with a form says otherwise: without a referrer browsers do not say where a form is from.
    let value = HeaderValue::from_static("no-referrer");
    headers.entry(http::header::REFERRER_POLICY).or_insert(value);
    if insist {
        let value = HeaderValue::from_static("max-age=31536000");
        headers.insert(http::header::STRICT_TRANSPORT_SECURITY, value);
    }
    if api {
        let value = HeaderValue::from_static("no-store");
        headers.entry(http::header::CACHE_CONTROL).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // B53.client, B61.user, B61.certificate, B61.address, B61.token
    #[test]
    fn forged_headers_do_not_come_in() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-user-id",
            "x-forwarded-for",
            "x-forwarded-client-cert",
            "x-real-ip",
            "forwarded",
            "client-cert",
            "l5d-client-id",
            "x-request-id",
            "x-openframe-authorization",
            "x-openframe-caller",
            "te",
            "upgrade",
            "x-hop",
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("forged"));
        }
        headers.insert("connection", HeaderValue::from_static("x-hop, host"));
        headers.insert("host", HeaderValue::from_static("h"));
        clean(&mut headers, "192.0.2.1");
        let mut left: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        left.sort_unstable();
        let address = b"192.0.2.1".as_slice();
        let want = [("host", b"h".as_slice()), ("x-forwarded-for", address)];
        assert_eq!(left, [&want[..], &[("x-openframe-remote-address", address)]].concat());
    }

    #[test]
    fn this_machine_is_known_by_each_of_its_names() {
        let of = |uri: &str, header: Option<&str>| {
            let mut request = Request::builder().uri(uri);
            if let Some(header) = header {
                request = request.header(HOST, header);
            }
            host(&request.body(()).unwrap())
        };
        for own in ["localhost:8443", "LOCALHOST", "a.localhost.", "127.0.0.1:1", "[::1]:8443"] {
            assert!(is_loopback(&of("/", Some(own))), "{own}");
        }
        for other in ["example.com:8443", "192.0.2.1", "localhost.example.com", "[2001:db8::1]"] {
            assert!(!is_loopback(&of("/", Some(other))), "{other}");
        }
        assert_eq!(of("https://example.com:1/", None), "example.com");
        assert_eq!(of("/", None), "");
    }

    // B62.target
    #[test]
    fn doubtful_paths_are_refused() {
        for path in ["/a/%", "/a/%2", "/a/%zz", "/a/../b", "/a/%2E%2e/b", "/."] {
            assert!(check_path(path).is_err(), "{path}");
        }
        for path in ["/", "/a%20b", "/a/..b", "/a/b.js"] {
            assert!(check_path(path).is_ok(), "{path}");
        }
    }
}
