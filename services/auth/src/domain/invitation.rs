//! Links by which a person joins, and by which one shows to read the mail of an address.

use jiff::Timestamp;
use openframe_ids::UserId;
use openframe_tokens::opaque::SecretHash;

/// What lets an invited person choose a name and a password, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// Who is invited.
    pub user: UserId,
    /// Who has invited: whoever accepts gets no more than that person may give at that moment.
    pub inviter: UserId,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// Whether it went to the invited person's mail address, and to nobody else.
    pub mailed: bool,
    /// When it is good no more.
    pub expires: Timestamp,
}

/// What an invited person has chosen.
#[derive(Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The name, as [`super::name`] writes it.
    pub name: String,
    /// The hash of the password.
    pub password: Vec<u8>,
}

// It holds a hash of a password.
impl std::fmt::Debug for Accepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accepted(***)")
    }
}

/// What gives a person another mail address, or shows that the one of now is read, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailLink {
    /// Whose it is.
    pub user: UserId,
    /// The address that the link was sent to, as [`super::email`] writes it.
    pub email: String,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// When it is good no more.
    pub expires: Timestamp,
}
