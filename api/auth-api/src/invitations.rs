//! Bodies of invitations, and of mail addresses that are to be verified.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::User;

/// `POST /invitations`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// The person's mail address.
    pub email: String,
    /// `owner`, `technician`, `read_only` or `provisioner`: no more than one holds oneself.
    pub role: String,
}

/// The answer to `POST /invitations` and `POST /users/{id}/invitation`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Who is invited.
    pub user: User,
    /// Where the person chooses a name and a password, once. Shown this once, and only where the platform
    /// sends no mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it is good no more.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// `POST /invitation`: accepts an invitation.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationAccepted {
    /// The link's token, `of_in_…`.
    pub token: String,
    /// The person's name.
    pub name: String,
    /// 8 to 256 characters.
    pub password: String,
}

/// `POST /me/email`: asks for a link at a mail address, which becomes one's own by it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailAsked {
    /// The mail address.
    pub email: String,
}

/// `POST /email`: shows by a link that a mail address is read.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfirmed {
    /// The link's token, `of_el_…`.
    pub token: String,
}
