//! Interfaces, addresses, name servers, routes.

use std::fs;
use std::net::Ipv6Addr;

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
        "name_servers": servers.take(16).map(|it| text(it.as_bytes())).collect::<Vec<_>>(),
    })
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
}
