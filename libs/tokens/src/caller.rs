//! Who is asking, as the gateway found it out.

use jiff::Timestamp;
use openframe_authz::{Access, Grants, Permission, Place, Reach, Role};
use openframe_ids::{ApiKeyId, ClientId, DeviceId, SessionId, TenantId, UserId};
use serde::{Deserialize, Serialize};

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
        /// What the person's role is in the whole tenant.
        role: Role,
        /// What the person was granted at places.
        #[serde(default, skip_serializing_if = "Grants::is_empty")]
        grants: Grants,
    },
    /// An API key, on behalf of the person who made it.
    ApiKey {
        /// The key.
        key: ApiKeyId,
        /// Who made it.
        owner: UserId,
        /// The owner's role now: a key never outlives a demotion.
        role: Role,
        /// The owner's grants now.
        #[serde(default, skip_serializing_if = "Grants::is_empty")]
        grants: Grants,
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Behalf {
    /// The person.
    pub user: UserId,
    /// The person's role now: a token never outlives a demotion.
    pub role: Role,
    /// The person's grants now.
    #[serde(default, skip_serializing_if = "Grants::is_empty")]
    pub grants: Grants,
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
    /// Whether the caller may do what `permission` names in the whole tenant, without any place that is
    /// left out: what knows of no places asks this. Devices and services hold no permission: what they
    /// may do is checked by [`Caller::device`] and [`Caller::is_service`].
    pub fn may(&self, permission: Permission) -> bool {
        self.reach(permission) == Reach::Everywhere
    }

    /// Whether the caller may do what `permission` names at `place`.
    pub fn may_at(&self, permission: Permission, place: &Place) -> bool {
        self.scoped(permission)
            && match self.held() {
                Held::Person(access) => access.permits(permission, place),
                Held::Scopes => true,
                Held::Nothing => false,
            }
    }

    /// Where the caller may do what `permission` names.
    pub fn reach(&self, permission: Permission) -> Reach {
        if !self.scoped(permission) {
            return Reach::Nowhere;
        }
        match self.held() {
            Held::Person(access) => access.reach(permission),
            Held::Scopes => Reach::Everywhere,
            Held::Nothing => Reach::Nowhere,
        }
    }

    /// The same without grants whose time is over at `now`.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        match &mut self.subject {
            Subject::User { grants, .. }
            | Subject::ApiKey { grants, .. }
            | Subject::App { behalf: Some(Behalf { grants, .. }), .. } => *grants = grants.at(now),
            Subject::App { behalf: None, .. }
            | Subject::Device { .. }
            | Subject::Service { .. } => {}
        }
        self
    }

    /// What the caller holds, scopes aside.
    fn held(&self) -> Held<'_> {
        match &self.subject {
            Subject::User { role, grants, .. }
            | Subject::ApiKey { role, grants, .. }
            | Subject::App { behalf: Some(Behalf { role, grants, .. }), .. } => {
                Held::Person(Access { role: *role, grants })
            }
            Subject::App { behalf: None, .. } => Held::Scopes,
            Subject::Device { .. } | Subject::Service { .. } => Held::Nothing,
        }
    }

    /// Whether the scopes of a key or a program let `permission` through; nothing holds a person back.
    fn scoped(&self, permission: Permission) -> bool {
        match &self.subject {
            Subject::ApiKey { scopes, .. } | Subject::App { scopes, .. } => {
                scopes.iter().any(|scope| scope == permission.as_str())
            }
            Subject::User { .. } | Subject::Device { .. } | Subject::Service { .. } => true,
        }
    }

    /// The person behind the request: the one signed in, the owner of the key, or the one for whom a
    /// program acts.
    pub fn user(&self) -> Option<UserId> {
        match &self.subject {
            Subject::App { behalf, .. } => behalf.as_ref().map(|behalf| behalf.user),
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

/// What a caller holds, scopes aside.
enum Held<'a> {
    /// What a person holds.
    Person(Access<'a>),
    /// Whatever the scopes say.
    Scopes,
    Nothing,
}

#[cfg(test)]
mod tests {
    use openframe_authz::{Effect, Grant};
    use openframe_ids::PlaceId;

    use super::*;

    fn key_of(role: Role, grants: Grants, scopes: &[&str]) -> Caller {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (key, owner) = (ApiKeyId::new(), UserId::new());
        let subject = Subject::ApiKey { key, owner, role, grants, scopes };
        Caller { tenant: TenantId::new(), subject }
    }

    fn key(role: Role, scopes: &[&str]) -> Caller {
        key_of(role, Grants::default(), scopes)
    }

    fn granted(place: Place, effect: Effect, until: Option<Timestamp>) -> Grants {
        let grant = Grant { role: Role::Technician, place, effect, until };
        Grants::try_from(vec![grant]).unwrap()
    }

    // ASVS 8.2.2
    #[test]
    fn whoever_is_let_in_at_a_place_is_not_let_in_everywhere() {
        let [place, sibling] = [1, 2].map(|_| Place::ROOT.child(PlaceId::new()).unwrap());
        let all = ["devices:read", "commands:run"];
        let scoped = key_of(Role::None, granted(place, Effect::Allow, None), &all);
        assert!(scoped.may_at(Permission::DevicesRead, &place));
        for elsewhere in [sibling, Place::ROOT] {
            assert!(!scoped.may_at(Permission::DevicesRead, &elsewhere));
        }
        assert!(!scoped.may(Permission::DevicesRead));
        assert!(!scoped.may_at(Permission::DevicesWrite, &place), "its scopes hold it back");
        let denied = key_of(Role::Technician, granted(place, Effect::Deny, None), &all);
        assert!(denied.may_at(Permission::DevicesRead, &Place::ROOT));
        assert!(!denied.may_at(Permission::DevicesRead, &place));
        assert!(!denied.may(Permission::DevicesRead), "not all of the tenant is left");
    }

    #[test]
    fn a_grant_whose_time_is_over_is_dropped() {
        let (end, place) = (Timestamp::UNIX_EPOCH, Place::ROOT);
        let caller =
            key_of(Role::None, granted(place, Effect::Allow, Some(end)), &["devices:read"]);
        let before = Timestamp::from_second(-1).unwrap();
        assert!(caller.clone().at(before).may(Permission::DevicesRead));
        assert!(!caller.at(end).may(Permission::DevicesRead));
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
        let of = |role| Some(Behalf { user: UserId::new(), role, grants: Grants::default() });
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
