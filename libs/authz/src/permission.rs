//! What can be permitted, and which role permits what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One thing that may be allowed. The text form, `subject:verb`, is also an API key's scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// See devices, their inventory and their commands.
    DevicesRead,
    /// Rename, tag and retire devices.
    DevicesWrite,
    /// Run commands on devices.
    CommandsRun,
    /// Read telemetry, rules and alerts.
    TelemetryRead,
    /// Send telemetry that is not a device's own (`remote_write`).
    TelemetryWrite,
    /// Make and change alert rules and notification channels.
    AlertsWrite,
    /// Make, change and disable users, see and end other people's sessions, and say which programs may
    /// ask people for access.
    UsersManage,
    /// Make and revoke one's own API keys.
    KeysManage,
    /// Make and revoke enrolment tokens.
    EnrolmentManage,
    /// Read the audit trail.
    AuditRead,
    /// See the platform's own health.
    PlatformRead,
    /// Make, change and end people for a directory, no owners among them, and their groups (SCIM).
    PeopleProvision,
}

impl Permission {
    /// Every permission, in the order in which documents list them.
    pub const ALL: [Self; 12] = [
        Self::DevicesRead,
        Self::DevicesWrite,
        Self::CommandsRun,
        Self::TelemetryRead,
        Self::TelemetryWrite,
        Self::AlertsWrite,
        Self::UsersManage,
        Self::KeysManage,
        Self::EnrolmentManage,
        Self::AuditRead,
        Self::PlatformRead,
        Self::PeopleProvision,
    ];

    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DevicesRead => "devices:read",
            Self::DevicesWrite => "devices:write",
            Self::CommandsRun => "commands:run",
            Self::TelemetryRead => "telemetry:read",
            Self::TelemetryWrite => "telemetry:write",
            Self::AlertsWrite => "alerts:write",
            Self::UsersManage => "users:manage",
            Self::KeysManage => "keys:manage",
            Self::EnrolmentManage => "enrolment:manage",
            Self::AuditRead => "audit:read",
            Self::PlatformRead => "platform:read",
            Self::PeopleProvision => "people:provision",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no permission or role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of the known names")]
pub struct UnknownName(pub String);

impl FromStr for Permission {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|permission| permission.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// A set of permissions with a name. Each role holds all that the next holds, and more; but
/// [`Role::Provisioner`], which stands beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Works on devices and alerts; does not manage people.
    Technician,
    /// Looks, and changes nothing.
    ReadOnly,
    /// A directory's hand (SCIM): makes, changes and ends people, and nothing else.
    Provisioner,
    /// Nothing: such a person has what grants at places give.
    None,
}

impl Role {
    /// Every role, the one that permits most first.
    pub const ALL: [Self; 5] =
        [Self::Owner, Self::Technician, Self::ReadOnly, Self::Provisioner, Self::None];

    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Technician => "technician",
            Self::ReadOnly => "read_only",
            Self::Provisioner => "provisioner",
            Self::None => "none",
        }
    }

    /// Whether this role permits `permission`.
    pub fn permits(self, permission: Permission) -> bool {
        match permission {
            Permission::DevicesRead | Permission::TelemetryRead | Permission::PlatformRead => {
                matches!(self, Self::Owner | Self::Technician | Self::ReadOnly)
            }
            Permission::DevicesWrite
            | Permission::CommandsRun
            | Permission::TelemetryWrite
            | Permission::AlertsWrite
            | Permission::KeysManage
            | Permission::EnrolmentManage => matches!(self, Self::Owner | Self::Technician),
            Permission::UsersManage | Permission::AuditRead => self == Self::Owner,
            Permission::PeopleProvision => matches!(self, Self::Owner | Self::Provisioner),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_holds_all_that_the_next_holds() {
        for permission in Permission::ALL {
            assert!(Role::Owner.permits(permission));
            if Role::ReadOnly.permits(permission) {
                assert!(Role::Technician.permits(permission));
            }
            assert!(!Role::None.permits(permission));
            // A directory's key opens nothing else, and nobody but an owner can give its role.
            let provisions = permission == Permission::PeopleProvision;
            assert_eq!(Role::Provisioner.permits(permission), provisions);
            assert!(!(provisions && Role::Technician.permits(permission)));
        }
    }

    // ASVS 8.1.1
    #[test]
    fn the_guide_says_which_role_permits_what() {
        let page = include_str!("../../../docs/guide/permissions.md");
        let rows = page.lines().filter(|line| line.starts_with("| `") && line.contains(':'));
        let told: Vec<Vec<&str>> = rows
            .map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>())
            .filter(|cells| cells.len() == 6)
            .map(|cells| [&cells[..1], &cells[2..]].concat())
            .collect();
        let holds = Permission::ALL.map(|permission| {
            let of = |role: Role| if role.permits(permission) { "yes" } else { "no" };
            [Role::Owner, Role::Technician, Role::ReadOnly, Role::Provisioner].map(of)
        });
        let names = Permission::ALL.map(|permission| format!("`{permission}`"));
        let wanted: Vec<Vec<&str>> = names
            .iter()
            .zip(&holds)
            .map(|(name, holds)| [&[name.as_str()], &holds[..]].concat())
            .collect();
        assert_eq!(told, wanted);
        let head = page.lines().find(|line| line.starts_with("| permission |")).unwrap();
        assert!(head.ends_with("| owner | technician | read_only | provisioner |"), "{head}");
    }

    #[test]
    fn names_read_back() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(permission));
        }
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().is_err());
    }
}
