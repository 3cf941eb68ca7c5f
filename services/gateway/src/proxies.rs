//! Proxies in front of the platform: which are believed, and what they say of a client.

use std::net::IpAddr;

use http::HeaderMap;

use crate::Network;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Whether `address` is one of `proxies`.
pub(crate) fn is_proxy(proxies: &[Network], address: IpAddr) -> bool {
    proxies.iter().any(|network| network.contains(address))
}

/// The client that a request is from: the address at the other end of the socket, unless that is a
/// proxy. Then each proxy has written the address that it saw at the end of `X-Forwarded-For`; the
/// rightmost that is no proxy is the client, and what stands left of it anybody may have written.
pub(crate) fn client(proxies: &[Network], socket: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = socket;
    let values = headers.get_all(FORWARDED_FOR).into_iter();
    let lines: Vec<&str> = values.map(|value| value.to_str().unwrap_or_default()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !is_proxy(proxies, client) {
            break;
        }
        let Some(address) = address(hop.trim()) else { break };
        client = address;
    }
    client
}

/// Whether the client speaks TLS, as the nearest proxy says; `own` when there is none.
pub(crate) fn is_https(
    proxies: &[Network],
    socket: IpAddr,
    headers: &HeaderMap,
    own: bool,
) -> bool {
    if !is_proxy(proxies, socket) {
        return own;
    }
    let last = headers.get_all(FORWARDED_PROTO).into_iter().next_back();
    let said = last.and_then(|value| value.to_str().ok()?.rsplit(',').next());
    said.map_or(own, |scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

/// `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok();
    let address = address.or_else(|| Some(hop.parse::<std::net::SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.to_string().try_into().unwrap()).collect()
    }

    #[track_caller]
    fn check(socket: &str, forwarded: &[&str], want: &str) {
        let proxies = networks(&["10.0.0.0/8", "2001:db8::5"]);
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        let found = client(&proxies, socket.parse().unwrap(), &headers);
        assert_eq!(found.to_string(), want, "{socket} {forwarded:?}");
    }

    // B61.proxy
    #[test]
    fn the_client_is_the_rightmost_that_is_no_proxy() {
        check("192.0.2.1", &["198.51.100.1"], "192.0.2.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.9", "198.51.100.1,10.0.0.2"], "198.51.100.1");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
        check("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1");
        check("2001:db8::5", &["[2001:db8:1::9]:80"], "2001:db8:1::9");
        check("10.0.0.1", &["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2");
    }

    #[test]
    fn only_a_proxy_says_what_the_client_speaks() {
        let proxies = networks(&["10.0.0.1"]);
        let check = |socket: &str, proto: &str, own: bool, want: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_PROTO, HeaderValue::from_str(proto).unwrap());
            assert_eq!(is_https(&proxies, socket.parse().unwrap(), &headers, own), want);
        };
        check("192.0.2.1", "https", false, false);
        check("10.0.0.1", "https", false, true);
        check("10.0.0.1", "http", true, false);
        check("10.0.0.1", "http, HTTPS", false, true);
        assert!(is_https(&proxies, "10.0.0.1".parse().unwrap(), &HeaderMap::new(), true));
    }
}
