//! Proxies in front of the platform: which are believed, and what they say of a client.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// An address, or a network in CIDR notation: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address or network; write 192.0.2.7 or 10.0.0.0/8")]
pub struct BadNetwork(String);

impl Network {
    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same(own.to_bits().into(), other.to_bits().into(), u32::from(self.bits) + 96)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                same(own.to_bits(), other.to_bits(), self.bits.into())
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Whether the first `bits` of two numbers of 128 are the same.
fn same(one: u128, other: u128, bits: u32) -> bool {
    (one ^ other).checked_shr(128 - bits).unwrap_or_default() == 0
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), str::parse).map_err(|_| bad())?;
        if bits > all {
            return Err(bad());
        }
        Ok(Self { address, bits })
    }
}

impl TryFrom<String> for Network {
    type Error = BadNetwork;

    fn try_from(text: String) -> Result<Self, BadNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

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
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[track_caller]
    fn contains(network: &str, address: &str, want: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.contains(address.parse().unwrap()), want, "{network} {address}");
    }

    #[test]
    fn a_network_has_its_addresses_and_no_other() {
        contains("10.0.0.0/8", "10.255.0.1", true);
        contains("10.0.0.0/8", "::ffff:10.255.0.1", true);
        contains("10.0.0.0/8", "11.0.0.1", false);
        contains("192.0.2.7", "192.0.2.7", true);
        contains("192.0.2.7", "192.0.2.6", false);
        contains("0.0.0.0/0", "192.0.2.7", true);
        contains("0.0.0.0/0", "2001:db8::1", false);
        contains("2001:db8::/32", "2001:db8:ffff::1", true);
        contains("2001:db8::/32", "2001:db9::1", false);
        contains("::/0", "2001:db9::1", true);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
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
