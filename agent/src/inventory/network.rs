//! Interfaces, addresses, name servers, routes.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use procfs::net::TcpState;
use serde_json::{Value, json};

use super::machine::names;
use super::{small, text};

/// Interfaces and addresses listed at most.
const MANY: usize = 256;

pub(super) fn section() -> Value {
    let interfaces = names("/sys/class/net").into_iter().filter(|name| name != "lo").take(MANY);
    let interface = |name: String| {
        let of = |file: &str| small(&format!("/sys/class/net/{name}/{file}"));
        json!({
            "name": name,
            "mac": of("address"),
            "mtu": of("mtu").parse::<u32>().ok(),
            "state": of("operstate"),
        })
    };
    let resolv = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = resolv.lines().filter_map(|line| line.strip_prefix("nameserver "));
    json!({
        "interfaces": interfaces.map(interface).collect::<Vec<_>>(),
        "addresses": addresses(),
        "routes": routes(&fs::read_to_string("/proc/net/route").unwrap_or_default()),
        "listening": listening(),
        "name_servers": servers.take(16).map(|it| text(it.as_bytes())).collect::<Vec<_>>(),
    })
}

/// The routes of IPv4: network, gateway, interface (`/proc/net/route`, numbers as the machine has
/// them in memory).
fn routes(table: &str) -> Vec<Value> {
    let address = |field: &str| {
        u32::from_str_radix(field, 16).map(|bits| Ipv4Addr::from(bits.to_ne_bytes()).to_string())
    };
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (interface, mask) = (fields.first()?, u32::from_str_radix(fields.get(7)?, 16).ok()?);
        let network = address(fields.get(1)?).ok()?;
        Some(json!({
            "network": format!("{network}/{}", mask.count_ones()),
            "gateway": address(fields.get(2)?).ok()?,
            "interface": text(interface.as_bytes()),
        }))
    };
    table.lines().skip(1).filter_map(route).take(MANY).collect()
}

/// TCP ports that somebody listens on, each once.
fn listening() -> Vec<Value> {
    let four = procfs::net::tcp().unwrap_or_default();
    let six = procfs::net::tcp6().unwrap_or_default();
    let open = four.into_iter().chain(six).filter(|it| it.state == TcpState::Listen);
    let sockets: BTreeSet<_> = open.map(|it| it.local_address).collect();
    let one = |socket: SocketAddr| json!({ "protocol": "tcp", "address": socket.ip().to_string(), "port": socket.port() });
    sockets.into_iter().take(MANY).map(one).collect()
}

/// The addresses of this machine, without those that mean nothing outside.
pub fn addresses() -> Vec<String> {
    let mut all = four(&fs::read_to_string("/proc/net/fib_trie").unwrap_or_default());
    all.extend(six(&fs::read_to_string("/proc/net/if_inet6").unwrap_or_default()));
    all.sort_unstable();
    all.dedup();
    all.truncate(MANY);
    all
}

/// The local addresses of the kernel's routing trie: a line with the address, then what it is.
fn four(trie: &str) -> Vec<String> {
    let (mut all, mut last) = (Vec::new(), "");
    for line in trie.lines() {
        if let Some((_, address)) = line.split_once("|-- ") {
            last = address.trim();
        } else if line.contains("/32 host LOCAL") && !last.starts_with("127.") {
            all.push(last.to_owned());
        }
    }
    all
}

fn six(table: &str) -> Vec<String> {
    let address = |line: &str| {
        let bits = u128::from_str_radix(line.split_whitespace().next()?, 16).ok()?;
        let address = Ipv6Addr::from_bits(bits);
        let meaningless = address.is_loopback() || address.is_unicast_link_local();
        (!meaningless).then(|| address.to_string())
    };
    table.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_kernels_tables() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.7\n        /32 host LOCAL\n     |-- \
            10.0.0.255\n        /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        assert_eq!(four(trie), ["10.0.0.7"]);
        let table = "fe800000000000000000000000000001 02 40 20 80 eth0\n\
            20010db8000000000000000000000007 02 40 00 80 eth0\nnonsense\n";
        assert_eq!(six(table), ["2001:db8::7"]);
    }

    #[test]
    fn routes_are_read_and_nonsense_left_out() {
        let zero = 0;
        let gateway = u32::from_ne_bytes([10, 0, 0, 1]);
        let table = format!(
            "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
             eth0 {zero:08X} {gateway:08X} 0003 0 0 0 {zero:08X} 0 0 0\nnonsense\neth0 x y\n"
        );
        let want = json!([{ "network": "0.0.0.0/0", "gateway": "10.0.0.1", "interface": "eth0" }]);
        assert_eq!(json!(routes(&table)), want);
    }
}
