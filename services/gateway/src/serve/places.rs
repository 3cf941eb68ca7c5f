//! How many connections there may be: in all, and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places of one listener.
#[derive(Debug)]
pub(crate) struct Places {
    all: usize,
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    each: HashMap<IpAddr, usize>,
}

/// A place that is taken until this is dropped. An upgraded connection keeps it.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// All places are taken.
    All,
    /// This address has taken all it may.
    Address,
}

impl Places {
    /// `all` places, of which one address may take `each`.
    pub(crate) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, taken: Mutex::default() })
    }

    /// Takes a place for a client at `address`; `None` stands for a proxy, which speaks for many.
    pub(crate) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Full> {
        let address = address.map(network);
        let mut taken = self.lock();
        if taken.all >= self.all {
            return Err(Full::All);
        }
        if let Some(address) = address {
            let of_one = taken.each.entry(address).or_default();
            if *of_one >= self.each {
                return Err(Full::Address);
            }
            *of_one += 1;
        }
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), address })
    }

    // Poisoned counts are still whole: nothing panics between two of their changes.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all = taken.all.saturating_sub(1);
        let Some(address) = self.address else { return };
        let left = taken.each.get(&address).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            taken.each.remove(&address);
        } else {
            taken.each.insert(address, left);
        }
    }
}

/// One subscriber has all addresses of an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(places: &Arc<Places>, address: &str) -> Result<Place, Full> {
        places.take(Some(address.parse().unwrap()))
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let places = Places::new(4, 2);
        let first = take(&places, "192.0.2.1").unwrap();
        let _second = take(&places, "::ffff:192.0.2.1").unwrap();
        assert_eq!(take(&places, "192.0.2.1").err(), Some(Full::Address));
        let _other = take(&places, "192.0.2.2").unwrap();
        let _proxy = places.take(None).unwrap();
        assert_eq!(take(&places, "192.0.2.3").err(), Some(Full::All));
        drop(first);
        assert!(take(&places, "192.0.2.1").is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let places = Places::new(9, 1);
        let _first = take(&places, "2001:db8::1").unwrap();
        assert_eq!(take(&places, "2001:db8::ffff:2").err(), Some(Full::Address));
        assert!(take(&places, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn nothing_is_kept_of_those_who_left() {
        let places = Places::new(9, 9);
        drop(take(&places, "192.0.2.1"));
        assert!(places.lock().each.is_empty());
    }
}
