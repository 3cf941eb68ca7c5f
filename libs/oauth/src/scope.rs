//! What a token reaches.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Code, Refusal};

/// Scopes at most.
const MOST: usize = 64;
/// The longest scope.
const LONGEST: usize = 64;

/// Who the person is: an ID token is wanted.
pub const OPENID: &str = "openid";
/// The person's name.
pub const PROFILE: &str = "profile";
/// The person's mail address.
pub const EMAIL: &str = "email";
/// A refresh token is wanted: access also when the person is away (OpenID Connect Core, section 11).
pub const OFFLINE_ACCESS: &str = "offline_access";
/// The scopes that are about the person. All others are permissions of the platform.
pub const PERSONAL: [&str; 4] = [OPENID, PROFILE, EMAIL, OFFLINE_ACCESS];

/// A set of scopes (RFC 6749, 3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scopes(BTreeSet<String>);

impl TryFrom<String> for Scopes {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::read(&text)
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.to_string()
    }
}

impl Scopes {
    /// Reads scopes with spaces between them.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let scopes: BTreeSet<String> =
            text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        let token = |scope: &String| {
            scope.len() <= LONGEST
                && scope
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
        };
        if scopes.len() > MOST || !scopes.iter().all(token) {
            return Err(Refusal::new(Code::InvalidScope, "scopes are words with spaces between"));
        }
        Ok(Self(scopes))
    }

    /// Whether this scope is among them.
    pub fn has(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Whether all of these are among `others`.
    pub fn within(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Those that are permissions of the platform.
    pub fn permissions(&self) -> Vec<String> {
        self.iter().filter(|scope| !PERSONAL.contains(scope)).map(str::to_owned).collect()
    }

    /// Those that are not about a person.
    #[must_use]
    pub fn without_personal(&self) -> Self {
        Self(self.permissions().into_iter().collect())
    }

    /// Those that are in both.
    #[must_use]
    pub fn shared_with(&self, others: &Self) -> Self {
        Self(self.0.intersection(&others.0).cloned().collect())
    }

    /// All of both.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self(self.0.union(&others.0).cloned().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set_of_words() {
        let scopes = Scopes::read("openid  devices:read openid").unwrap();
        assert_eq!(scopes.to_string(), "devices:read openid");
        assert_eq!(scopes.permissions(), ["devices:read"]);
        assert!(Scopes::read("").unwrap().is_empty());
        for bad in ["a\"b", "a\\b", "ä", "a\tb", &"x".repeat(65)] {
            assert_eq!(Scopes::read(bad).unwrap_err().code, Code::InvalidScope, "{bad}");
        }
        let many: Vec<String> = (0..65).map(|at| format!("s{at}")).collect();
        assert!(Scopes::read(&many.join(" ")).is_err());
    }
}
