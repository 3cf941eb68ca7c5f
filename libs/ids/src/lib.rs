//! Names for things: time-ordered ids (UUID version 7, RFC 9562) and unguessable bytes.
//!
//! One type per thing that has an id, so that a device's id cannot be passed for a tenant's.

use std::fmt;
use std::str::FromStr;

use rand::TryRngCore as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `N` bytes from the operating system's random source. For secrets: ids are guessable.
///
/// # Panics
/// When the operating system has no random source: nothing safe can be done then.
#[expect(clippy::expect_used, reason = "without randomness no secret can be made")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[derive(utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, later in order than those made before it.
            #[expect(clippy::new_without_default, reason = "each call gives another value")]
            #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// A tenant: one company, or one customer of a service provider.
    TenantId;
    /// A person who signs in.
    UserId;
    /// One sign-in of one person in one browser.
    SessionId;
    /// A sign-in that is half done: the password was right, the second factor is to come.
    SignInId;
    /// A passkey of a person.
    PasskeyId;
    /// Another provider that people may sign in at.
    IdentityProviderId;
    /// An API key.
    ApiKeyId;
    /// A program that was registered to ask for access (OAuth).
    ClientId;
    /// A request for access that a program has pushed ahead of the browser.
    PushedId;
    /// All tokens that come of one permission given to one client.
    FamilyId;
    /// An enrolment token.
    EnrolmentTokenId;
    /// A part of a tenant: an organisation, a site or a group.
    PlaceId;
    /// A role that a person was granted at a place.
    GrantId;
    /// A set of people.
    GroupId;
    /// A device that was enrolled; its name for life.
    DeviceId;
    /// One command to one device.
    CommandId;
    /// An alert rule.
    RuleId;
    /// A way to notify somebody.
    ChannelId;
    /// One request through the gateway.
    RequestId;
    /// One connection of one agent.
    LinkId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_by_the_time_they_were_made() {
        let ids: Vec<DeviceId> = (0..1000).map(|_| DeviceId::new()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn an_id_reads_back_as_written() {
        let id = TenantId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
