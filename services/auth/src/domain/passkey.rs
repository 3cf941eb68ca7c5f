//! Passkeys, as they are kept.

use jiff::Timestamp;
use openframe_ids::{PasskeyId, TenantId, UserId};

/// How many passkeys one person has at most.
pub const PASSKEYS_MAX: usize = 10;

/// A passkey of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// The id.
    pub id: PasskeyId,
    /// The person's tenant.
    pub tenant: TenantId,
    /// Whose it is.
    pub user: UserId,
    /// What its person calls it.
    pub name: String,
    /// What its authenticator calls it, and browsers say.
    pub credential: Vec<u8>,
    /// What checks its signatures; no secret.
    pub key: String,
    /// How often it had signed when it was last used; 0 if its authenticator does not count.
    pub counter: u32,
    /// When it was registered.
    pub created: Timestamp,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
}
