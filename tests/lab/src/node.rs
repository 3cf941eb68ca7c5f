//! The nodes of the lab and their names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use anyhow::bail;

/// A process of the lab that can be killed and started. Numbers begin at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// A Cassandra node, 1 to 3.
    Cassandra(u8),
    /// The witness that decides which PostgreSQL node is the primary.
    Etcd,
    /// A PostgreSQL node with the Patroni that looks after it, 1 or 2.
    Postgres(u8),
    /// A Redis server, 1 to 3.
    Redis(u8),
    /// A Redis Sentinel, 1 to 3.
    Sentinel(u8),
}

impl Node {
    /// Every node, in the order in which they start.
    pub const ALL: [Self; 12] = [
        Self::Cassandra(1),
        Self::Cassandra(2),
        Self::Cassandra(3),
        Self::Etcd,
        Self::Postgres(1),
        Self::Postgres(2),
        Self::Redis(1),
        Self::Redis(2),
        Self::Redis(3),
        Self::Sentinel(1),
        Self::Sentinel(2),
        Self::Sentinel(3),
    ];

    /// The address it listens on: each has its own, so that each has its standard port.
    pub fn address(self) -> IpAddr {
        let [net, host] = match self {
            Self::Cassandra(n) => [90, n],
            Self::Etcd => [54, 9],
            Self::Postgres(n) => [54, n],
            Self::Redis(n) | Self::Sentinel(n) => [63, n],
        };
        IpAddr::V4(Ipv4Addr::new(127, 0, net, host))
    }

    /// The port that clients use.
    pub fn port(self) -> u16 {
        match self {
            Self::Cassandra(_) => 9042,
            Self::Etcd => 2379,
            Self::Postgres(_) => 5432,
            Self::Redis(_) => 6379,
            Self::Sentinel(_) => 26379,
        }
    }

    /// `ADDRESS:PORT`, as clients are told it.
    pub fn endpoint(self) -> String {
        format!("{}:{}", self.address(), self.port())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cassandra(n) => write!(f, "cassandra{n}"),
            Self::Etcd => f.write_str("etcd"),
            Self::Postgres(n) => write!(f, "postgres{n}"),
            Self::Redis(n) => write!(f, "redis{n}"),
            Self::Sentinel(n) => write!(f, "sentinel{n}"),
        }
    }
}

impl FromStr for Node {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        if let Some(node) = Self::ALL.into_iter().find(|node| node.to_string() == name) {
            return Ok(node);
        }
        let names: Vec<String> = Self::ALL.iter().map(Self::to_string).collect();
        bail!("there is no node {name:?}; the nodes are {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_found_by_its_name_and_nothing_else_is() {
        for node in Node::ALL {
            assert_eq!(node.to_string().parse::<Node>().unwrap(), node);
        }
        let refused = "cassandra4".parse::<Node>().unwrap_err().to_string();
        assert!(refused.contains("the nodes are cassandra1,"), "{refused}");
    }

    #[test]
    fn no_two_nodes_share_an_endpoint() {
        let mut endpoints: Vec<String> = Node::ALL.iter().map(|node| node.endpoint()).collect();
        endpoints.sort();
        endpoints.dedup();
        assert_eq!(endpoints.len(), Node::ALL.len());
    }
}
