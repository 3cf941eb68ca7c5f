//! Where a browser is sent back to.

use std::fmt;

use url::{Host, Url};

/// The longest address, in bytes.
const LONGEST: usize = 2048;

/// An address that a client has registered. It is compared letter by letter (RFC 9700, 4.1.3), but for
/// the port of a loopback address, which a program on the person's own machine learns only when it
/// runs (RFC 8252, 7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri(String);

/// Why an address cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRedirectUri(&'static str);

impl RedirectUri {
    /// An address that a client registers: `https`, `http` on a loopback address, or a scheme of the
    /// program's own, named by a domain turned round (RFC 8252, 7.1).
    pub fn register(text: &str) -> Result<Self, BadRedirectUri> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"*\\\"<>^`{|}".contains(&byte);
        if text.len() > LONGEST || !text.bytes().all(plain) {
            return Err(BadRedirectUri("the address is too long, or has characters that none has"));
        }
        let url = Url::parse(text).map_err(|_| BadRedirectUri("this is no absolute address"))?;
        if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(BadRedirectUri("no fragment (#) and no name (@) may be in the address"));
        }
        // What a browser would change on its way is not what was registered.
        if url.as_str() != text && url.as_str().strip_suffix('/') != Some(text) {
            return Err(BadRedirectUri("the address is not written as browsers write it"));
        }
        match url.scheme() {
            "https" => Ok(Self(text.to_owned())),
            "http" if is_loopback(&url) => Ok(Self(text.to_owned())),
            "http" => Err(BadRedirectUri("http goes only to 127.0.0.1 and [::1]; use https")),
            own if own.contains('.') && url.host_str().is_none() => Ok(Self(text.to_owned())),
            _ => Err(BadRedirectUri("use https, or a scheme like com.example.app")),
        }
    }

    /// An address as it was kept after [`RedirectUri::register`].
    pub fn kept(text: String) -> Self {
        Self(text)
    }

    /// Whether a request may name `asked`.
    pub fn allows(&self, asked: &str) -> bool {
        if self.0 == asked {
            return true;
        }
        matches!((loopback(&self.0), loopback(asked)), (Some(own), Some(asked)) if own == asked)
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

/// A loopback address in two parts, without the port between them.
fn loopback(text: &str) -> Option<(&str, &str)> {
    let host =
        ["http://127.0.0.1", "http://[::1]"].into_iter().find(|host| text.starts_with(host))?;
    let rest = text.strip_prefix(host)?;
    let Some(port) = rest.strip_prefix(':') else {
        return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest));
    };
    let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
    let (port, rest) = port.split_at_checked(end)?;
    let whole = rest.is_empty() || rest.starts_with(['/', '?']);
    (whole && port.parse::<u16>().is_ok()).then_some((host, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(registered: &str, asked: &str, want: bool) {
        assert_eq!(RedirectUri::register(registered).unwrap().allows(asked), want, "{asked}");
    }

    // ASVS 10.4.1
    // B04.prefix, B04.suffix, B04.case, B04.query, B04.dots, B04.fragment, B04.userinfo, B04.idn, B04.port
    #[test]
    fn nothing_but_the_same_letters_will_do() {
        let own = "https://app.example.org/cb?x=1";
        check(own, own, true);
        for other in [
            "https://app.example.org/cb",
            "https://app.example.org/cb?x=1&y=2",
            "https://app.example.org/cb?x=1#f",
            "https://app.example.org/cb/",
            "https://app.example.org/CB?x=1",
            "https://APP.example.org/cb?x=1",
            "https://app.example.org:443/cb?x=1",
            "https://app.example.org/a/../cb?x=1",
            "https://app.example.org/c%62?x=1",
            "https://u@app.example.org/cb?x=1",
            "https://app.example.org.evil.example/cb?x=1",
            "https://evil.example/https://app.example.org/cb?x=1",
            "https://evil.example/cb?x=1",
            // An "a" of another script, the same as it is written in the name system, and wide letters.
            "https://\u{430}pp.example.org/cb?x=1",
            "https://xn--pp-6kc.example.org/cb?x=1",
            "https://\u{ff41}pp.example.org/cb?x=1",
            "https://app.example.org\u{3002}/cb?x=1",
            "https://app.example.org:444/cb?x=1",
            "http://app.example.org/cb?x=1",
            "https://app.example.org/cb?x=1 ",
            "",
        ] {
            check(own, other, false);
        }
    }

    // B04.loopback
    #[test]
    fn a_loopback_address_may_have_any_port() {
        check("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", true);
        check("http://127.0.0.1:1/cb", "http://127.0.0.1/cb", true);
        check("http://[::1]:1/cb", "http://[::1]:65535/cb", true);
        for other in [
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:1x/cb",
            "http://127.0.0.1:1/CB",
            "http://127.0.0.1:1@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.2:1/cb",
            "https://127.0.0.1:1/cb",
            "http://[::1]:1/cb",
        ] {
            check("http://127.0.0.1/cb", other, false);
        }
    }

    #[test]
    fn what_cannot_be_compared_safely_cannot_be_registered() {
        for bad in [
            "",
            "/cb",
            "https://*.example.org/cb",
            "https://app.example.org/*",
            "https://app.example.org/cb#f",
            "https://u:p@app.example.org/cb",
            "https://app.example.org/a/../cb",
            "https://APP.example.org/cb",
            "https://bücher.example/cb",
            "http://app.example.org/cb",
            "http://localhost/cb",
            "http://127.0.0.1.nip.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "myapp:/cb",
        ] {
            assert!(RedirectUri::register(bad).is_err(), "{bad}");
        }
        for good in [
            "https://app.example.org",
            "http://127.0.0.1/cb",
            "com.example.app:/oauth",
            "http://[::1]/",
        ] {
            assert!(RedirectUri::register(good).is_ok(), "{good}");
        }
    }
}
