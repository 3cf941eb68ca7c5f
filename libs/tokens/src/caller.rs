//! Who is asking, as the gateway found it out.

use openframe_ids::{ApiKeyId, ClientId, DeviceId, SessionId, TenantId, UserId};
use serde::{Deserialize, Serialize};

use crate::{Permission, Role};

/// Who or what is asking.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Subject {
    /// A person, in one session.
    User {
        /// The person.
        user: UserId,
        /// The session that the request came in.
        session: SessionId,
        /// What the person's role is.
        role: Role,
    },
    /// An API key, on behalf of the person who made it.
    ApiKey {
        /// The key.
        key: ApiKeyId,
        /// Who made it.
        owner: UserId,
        /// The owner's role now: a key never outlives a demotion.
        role: Role,
        /// The permissions that the key was made with, in text form.
        scopes: Vec<String>,
    },
    /// A program with an access token (OAuth).
    App {
        /// The program.
        client: ClientId,
        /// For whom it acts; none: for itself.
        behalf: Option<Behalf>,
        /// What the token reaches, permissions in text form.
        scopes: Vec<String>,
    },
    /// A device, by its certificate. It may act on itself only.
    Device {
        /// The device.
        device: DeviceId,
    },
    /// One of the platform's own services.
    Service {
        /// `gateway`, `auth`, `devices` or `monitoring`.
        name: String,
    },
}

/// The person for whom a program acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Behalf {
    /// The person.
    pub user: UserId,
    /// The person's role now: a token never outlives a demotion.
    pub role: Role,
}

/// Who is asking, in which tenant, in which request. Made by the gateway only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Caller {
    /// The tenant that the request is about. Nothing of another tenant exists for it.
    pub tenant: TenantId,
    /// Who asks.
    pub subject: Subject,
}

impl Caller {
    /// Whether the caller may do what `permission` names. Devices and services hold no permission:
    /// what they may do is checked by [`Caller::device`] and [`Caller::is_service`].
    pub fn may(&self, permission: Permission) -> bool {
        match &self.subject {
            Subject::User { role, .. } => role.permits(permission),
            Subject::ApiKey { role, scopes, .. } => {
                role.permits(permission) && scopes.iter().any(|scope| scope == permission.as_str())
            }
            Subject::App { behalf, scopes, .. } => {
                behalf.is_none_or(|behalf| behalf.role.permits(permission))
                    && scopes.iter().any(|scope| scope == permission.as_str())
            }
            Subject::Device { .. } | Subject::Service { .. } => false,
        }
    }

    /// The person behind the request: the one signed in, the owner of the key, or the one for whom a
    /// program acts.
    pub fn user(&self) -> Option<UserId> {
        match &self.subject {
            Subject::App { behalf, .. } => behalf.map(|behalf| behalf.user),
            Subject::User { user, .. } | Subject::ApiKey { owner: user, .. } => Some(*user),
            Subject::Device { .. } | Subject::Service { .. } => None,
        }
    }

    /// The device that asks, if a device does.
    pub fn device(&self) -> Option<DeviceId> {
        match &self.subject {
            Subject::Device { device } => Some(*device),
            Subject::User { .. }
            | Subject::ApiKey { .. }
            | Subject::App { .. }
            | Subject::Service { .. } => None,
        }
    }

    /// Whether the service called `wanted` asks.
    pub fn is_service(&self, wanted: &str) -> bool {
        matches!(&self.subject, Subject::Service { name } if name == wanted)
    }

    /// What kind of caller it is, for logs and the audit trail.
    pub fn kind(&self) -> &'static str {
        match &self.subject {
            Subject::User { .. } => "user",
            Subject::ApiKey { .. } => "api_key",
            Subject::App { .. } => "client",
            Subject::Device { .. } => "device",
            Subject::Service { .. } => "service",
        }
    }

    /// The subject's own id as text: a user's, key's or device's id, a service's name, or a client's
    /// id with the person's for whom it acts.
    pub fn id(&self) -> String {
        match &self.subject {
            Subject::User { user, .. } => user.to_string(),
            Subject::ApiKey { key, .. } => key.to_string(),
            Subject::App { client, behalf: None, .. } => client.to_string(),
            Subject::App { client, behalf: Some(behalf), .. } => {
                format!("{client} for {}", behalf.user)
            }
            Subject::Device { device } => device.to_string(),
            Subject::Service { name } => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(role: Role, scopes: &[&str]) -> Caller {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let subject = Subject::ApiKey { key: ApiKeyId::new(), owner: UserId::new(), role, scopes };
        Caller { tenant: TenantId::new(), subject }
    }

    // ASVS 8.2.1
    // B34.scope
    #[test]
    fn a_key_may_do_what_both_its_scopes_and_its_owner_may() {
        let scoped = key(Role::Owner, &["devices:read"]);
        assert!(scoped.may(Permission::DevicesRead));
        assert!(!scoped.may(Permission::CommandsRun));
        let demoted = key(Role::ReadOnly, &["devices:read", "commands:run"]);
        assert!(!demoted.may(Permission::CommandsRun));
    }

    // ASVS 10.3.2
    #[test]
    fn a_program_may_do_what_its_scopes_and_its_person_may() {
        let app = |behalf, scope: &str| {
            let scopes = vec![scope.to_owned(), "openid".to_owned()];
            let subject = Subject::App { client: ClientId::new(), behalf, scopes };
            Caller { tenant: TenantId::new(), subject }
        };
        let of = |role| Some(Behalf { user: UserId::new(), role });
        assert!(app(of(Role::Owner), "commands:run").may(Permission::CommandsRun));
        assert!(!app(of(Role::ReadOnly), "commands:run").may(Permission::CommandsRun));
        assert!(!app(of(Role::Owner), "devices:read").may(Permission::CommandsRun));
        assert!(app(None, "commands:run").may(Permission::CommandsRun));
        assert!(!app(None, "devices:read").may(Permission::CommandsRun));
    }

    // B54.device, B55.read
    #[test]
    fn a_device_holds_no_permission() {
        let subject = Subject::Device { device: DeviceId::new() };
        let caller = Caller { tenant: TenantId::new(), subject };
        assert!(Permission::ALL.iter().all(|permission| !caller.may(*permission)));
    }
}
