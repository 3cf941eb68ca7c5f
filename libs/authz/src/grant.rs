//! What a person is granted.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Permission, Place, Reach, Role};

/// Grants of one person at most: they travel with every request.
pub const MOST_GRANTS: usize = 64;

/// Whether a grant gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// What the role permits is permitted.
    Allow,
    /// What the role permits is refused, whatever else allows it.
    Deny,
}

impl Effect {
    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A role that is allowed or denied at a place and in all that lies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grant {
    /// What it is about.
    pub role: Role,
    /// Where.
    pub place: Place,
    /// Whether it gives or takes.
    pub effect: Effect,
    /// From when on it does not count, if ever.
    pub until: Option<Timestamp>,
}

impl Grant {
    /// Whether it counts at `now`.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether it is about `permission` at `place`.
    pub fn is_about(&self, permission: Permission, place: &Place) -> bool {
        self.role.permits(permission) && self.place.contains(place)
    }
}

/// The grants of one person, no more than [`MOST_GRANTS`]. None at all are no access, never all of it.
/// Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Grants(Arc<[Grant]>);

/// What is not written as grants are, or too many of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("those are no grants of one person")]
pub struct NotGrants;

impl TryFrom<Vec<Grant>> for Grants {
    type Error = NotGrants;

    fn try_from(grants: Vec<Grant>) -> Result<Self, NotGrants> {
        if grants.len() > MOST_GRANTS { Err(NotGrants) } else { Ok(Self(grants.into())) }
    }
}

impl Grants {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that count at `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        if self.0.iter().all(|grant| grant.is_in_force(now)) {
            return self.clone();
        }
        Self(self.0.iter().filter(|grant| grant.is_in_force(now)).copied().collect())
    }
}

/// What a person holds: a role in the whole tenant, and grants at places. Grants whose time is over do
/// not count: see [`Grants::at`].
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The role in the whole tenant.
    pub role: Role,
    /// The grants.
    pub grants: &'a Grants,
}

impl<'a> Access<'a> {
    /// Every grant, the role among them, that is about `permission`.
    fn about(self, permission: Permission) -> impl Iterator<Item = Grant> + use<'a> {
        let (place, effect) = (Place::ROOT, Effect::Allow);
        let whole = Grant { role: self.role, place, effect, until: None };
        let all = std::iter::once(whole).chain(self.grants.iter().copied());
        all.filter(move |grant| grant.role.permits(permission))
    }

    /// Whether `permission` holds at `place`.
    pub fn permits(self, permission: Permission, place: &Place) -> bool {
        let mut allowed = false;
        for grant in self.about(permission).filter(|grant| grant.place.contains(place)) {
            match grant.effect {
                Effect::Allow => allowed = true,
                Effect::Deny => return false,
            }
        }
        allowed
    }

    /// Where `permission` holds.
    pub fn reach(self, permission: Permission) -> Reach {
        let (mut allowed, mut denied) = (Vec::new(), Vec::new());
        for grant in self.about(permission) {
            match grant.effect {
                Effect::Allow => allowed.push(grant.place),
                Effect::Deny => denied.push(grant.place),
            }
        }
        Reach::of(allowed, &denied)
    }
}

/// Short, since it travels with every request: `t+` and the place, for example, is a technician there,
/// with `~` and the end in milliseconds behind it.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::Allow => '+',
            Effect::Deny => '-',
        };
        let place = URL_SAFE_NO_PAD.encode(self.place.to_bytes());
        write!(f, "{}{effect}{place}", letter(self.role))?;
        match self.until {
            Some(until) => write!(f, "~{}", until.as_millisecond()),
            None => Ok(()),
        }
    }
}

fn letter(role: Role) -> char {
    match role {
        Role::Owner => 'o',
        Role::Technician => 't',
        Role::ReadOnly => 'r',
        Role::Provisioner => 'p',
        Role::None => 'n',
    }
}

fn read(text: &str) -> Option<Grant> {
    let mut letters = text.chars();
    let first = letters.next()?;
    let role = Role::ALL.into_iter().find(|role| letter(*role) == first)?;
    let effect = match letters.next()? {
        '+' => Effect::Allow,
        '-' => Effect::Deny,
        _ => return None,
    };
    let rest = letters.as_str();
    let (place, until) = rest.split_once('~').map_or((rest, None), |(it, end)| (it, Some(end)));
    let place = Place::of_bytes(&URL_SAFE_NO_PAD.decode(place).ok()?).ok()?;
    let end = |text: &str| Timestamp::from_millisecond(text.parse().ok()?).ok();
    let until = match until {
        Some(text) => Some(end(text)?),
        None => None,
    };
    Some(Grant { role, place, effect, until })
}

impl Serialize for Grants {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let grants: Vec<String> = self.0.iter().map(Grant::to_string).collect();
        serializer.serialize_str(&grants.join(" "))
    }
}

impl<'de> Deserialize<'de> for Grants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // One that cannot be read may be a denial: then nothing of it is believed.
        let grants = text.split_terminator(' ').map(|grant| read(grant).ok_or(NotGrants));
        let grants: Vec<Grant> = grants.collect::<Result<_, _>>().map_err(de::Error::custom)?;
        Self::try_from(grants).map_err(de::Error::custom)
    }
}
