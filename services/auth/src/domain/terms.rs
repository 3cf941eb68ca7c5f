//! What a device must meet beside an enrolment token that is good.

use std::net::IpAddr;

use ipnet::IpNet;

/// Networks, or serial numbers, of one token at most.
const MOST_TERMS: usize = 1_000;
/// Characters of a serial number at most.
const MAX_SERIAL: usize = 64;
/// How lines begin that are kept.
const NETWORK: &str = "network";
const SERIAL: &str = "serial";
const APPROVAL: &str = "approval";

/// What is kept are no terms or claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is kept of an enrolment cannot be read")]
pub struct Damaged;

/// The terms of one enrolment token. By default there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Where devices must be when they enrol; anywhere if there is none.
    pub networks: Vec<IpNet>,
    /// The serial numbers they must have, in capitals; any if there is none. One that ends with `*` is
    /// the beginning of some.
    pub serials: Vec<String>,
    /// Whether each waits until somebody lets it in.
    pub approval: bool,
}

/// What a device says of itself, and from where. Nothing of it is proven but the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// What it calls itself.
    pub hostname: String,
    /// The serial number of the machine; empty when it says none.
    pub serial: String,
    /// The address it comes from.
    pub remote_address: String,
}

impl Claims {
    /// As they are kept: a line for each. None has a line's end in it.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}", self.hostname, self.serial, self.remote_address)
    }

    /// Reads them as they are kept.
    pub fn of_text(text: &str) -> Result<Self, Damaged> {
        let mut lines = text.split('\n').map(str::to_owned);
        let mut line = || lines.next().ok_or(Damaged);
        Ok(Self { hostname: line()?, serial: line()?, remote_address: line()? })
    }
}

/// What terms say of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It may come in.
    In,
    /// It may, once somebody has said so.
    Waits,
    /// It comes from elsewhere.
    OtherNetwork,
    /// It is another machine.
    OtherSerial,
}

impl Terms {
    /// Reads terms as people write them. What is wrong with them otherwise.
    pub fn read(networks: &[String], serials: &[String], approval: bool) -> Result<Self, String> {
        if networks.len() > MOST_TERMS || serials.len() > MOST_TERMS {
            return Err(format!("a token names at most {MOST_TERMS} networks and serial numbers"));
        }
        let network = |text: &String| {
            let text = text.trim();
            let host = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>().map(|it| it.trunc()).or_else(|_| host()).map_err(|_| {
                format!("{text:?} is no network; write it as 192.0.2.0/24 or 2001:db8::/32")
            })
        };
        let serial = |text: &String| {
            let text = text.trim().to_uppercase();
            let named = text.strip_suffix('*').unwrap_or(&text);
            let plain = !named.is_empty() && !named.contains(|c: char| c == '*' || c.is_control());
            if plain && text.chars().count() <= MAX_SERIAL {
                return Ok(text);
            }
            Err(format!(
                "a serial number has 1 to {MAX_SERIAL} characters; * stands at its end only"
            ))
        };
        Ok(Self {
            networks: networks.iter().map(network).collect::<Result<_, _>>()?,
            serials: serials.iter().map(serial).collect::<Result<_, _>>()?,
            approval,
        })
    }

    /// As they are kept: a line for each.
    pub fn to_text(&self) -> String {
        let networks = self.networks.iter().map(|it| format!("{NETWORK} {it}\n"));
        let serials = self.serials.iter().map(|it| format!("{SERIAL} {it}\n"));
        let approval = self.approval.then(|| format!("{APPROVAL}\n"));
        networks.chain(serials).chain(approval).collect()
    }

    /// Reads them as they are kept. A line that is not understood may be one that keeps devices out.
    pub fn of_text(text: &str) -> Result<Self, Damaged> {
        let mut terms = Self::default();
        for line in text.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                (NETWORK, it) => terms.networks.push(it.parse().map_err(|_| Damaged)?),
                (SERIAL, it) => terms.serials.push(it.to_owned()),
                (APPROVAL, "") => terms.approval = true,
                _ => return Err(Damaged),
            }
        }
        Ok(terms)
    }

    /// Whether a device may come in by them.
    pub fn judge(&self, claims: &Claims) -> Judged {
        let address = claims.remote_address.parse::<IpAddr>().map(|it| it.to_canonical());
        let from = |network: &IpNet| address.as_ref().is_ok_and(|it| network.contains(it));
        if !self.networks.is_empty() && !self.networks.iter().any(from) {
            return Judged::OtherNetwork;
        }
        let own = claims.serial.trim().to_uppercase();
        let is = |serial: &String| match serial.strip_suffix('*') {
            Some(beginning) => own.starts_with(beginning),
            None => own == *serial,
        };
        if !self.serials.is_empty() && !self.serials.iter().any(is) {
            return Judged::OtherSerial;
        }
        if self.approval { Judged::Waits } else { Judged::In }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(networks: &[&str], serials: &[&str]) -> Result<Terms, String> {
        let texts = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        Terms::read(&texts(networks), &texts(serials), false)
    }

    fn claims(address: &str, serial: &str) -> Claims {
        let (remote_address, serial) = (address.to_owned(), serial.to_owned());
        Claims { hostname: "host".to_owned(), serial, remote_address }
    }

    // B42.network, B42.serial
    #[test]
    fn a_device_is_where_and_what_its_token_says() {
        use Judged::{In, OtherNetwork, OtherSerial};
        let office = ["192.0.2.0/24", "2001:db8::/32"];
        for (networks, serials, address, serial, wanted) in [
            (&[][..], &[][..], "198.51.100.1", "", In),
            (&[], &[], "", "", In),
            (&office, &[], "192.0.2.200", "", In),
            (&office, &[], "::ffff:192.0.2.200", "", In),
            (&office, &[], "2001:db8:1::1", "", In),
            (&office, &[], "192.0.3.1", "", OtherNetwork),
            (&office, &[], "2001:db9::1", "", OtherNetwork),
            (&office, &[], "", "", OtherNetwork),
            (&office, &[], "192.0.2.200:80", "", OtherNetwork),
            (&["192.0.2.7/24"], &[], "192.0.2.200", "", In),
            (&["192.0.2.7"], &[], "192.0.2.8", "", OtherNetwork),
            (&[], &["pf-12*", "X1"], "", "PF-1234", In),
            (&[], &["PF-12*", "X1"], "", " x1 ", In),
            (&[], &["PF-12*", "X1"], "", "X12", OtherSerial),
            (&[], &["PF-12*", "X1"], "", "APF-1234", OtherSerial),
            (&[], &["PF-12*", "X1"], "", "", OtherSerial),
            (&office, &["X1"], "198.51.100.1", "X1", OtherNetwork),
            (&office, &["X1"], "192.0.2.1", "X2", OtherSerial),
        ] {
            let terms = terms(networks, serials).unwrap();
            let (waits, claims) =
                (Terms { approval: true, ..terms.clone() }, claims(address, serial));
            let what = format!("{networks:?} {serials:?} {claims:?}");
            assert_eq!(terms.judge(&claims), wanted, "{what}");
            let later = if wanted == In { Judged::Waits } else { wanted };
            assert_eq!(waits.judge(&claims), later, "approval makes up for nothing: {what}");
        }
    }

    #[test]
    fn terms_are_read_and_kept() {
        for (networks, serials) in [
            (&["192.0.2.0/33"][..], &[][..]),
            (&["office"], &[]),
            (&[""], &[]),
            (&[], &[""]),
            (&[], &["*"]),
            (&[], &["a*b"]),
            (&[], &["a\nb"]),
        ] {
            terms(networks, serials).unwrap_err();
        }
        let many = vec!["x"; MOST_TERMS + 1];
        terms(&[], &many).unwrap_err();
        terms(&[], &["x".repeat(MAX_SERIAL + 1).as_str()]).unwrap_err();
        let kept = Terms { approval: true, ..terms(&["192.0.2.7/24"], &["x*"]).unwrap() };
        let text = kept.to_text();
        assert_eq!(text, "network 192.0.2.0/24\nserial X*\napproval\n");
        assert_eq!(Terms::of_text(&text).unwrap(), kept);
        assert_eq!(Terms::of_text("").unwrap(), Terms::default());
        for damaged in ["network x", "approval 1", "hours 8-17", "{}"] {
            assert_eq!(Terms::of_text(damaged), Err(Damaged), "{damaged}");
        }
        let claims = claims("192.0.2.1", "");
        assert_eq!(Claims::of_text(&claims.to_text()), Ok(claims));
        assert_eq!(Claims::of_text("host\nserial"), Err(Damaged));
    }
}
