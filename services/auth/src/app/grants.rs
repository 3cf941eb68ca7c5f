//! What people are granted at places, and why somebody can do something or cannot.

use jiff::Timestamp;
use openframe_ids::{GrantId, PlaceId, TenantId, UserId};
use openframe_tokens::{Access, Caller, Effect, Grant, Grants, Permission, Place, Reach, Role};

use super::{Asked, Auth, need_whole};
use crate::Error;
use crate::domain::{KeptGrant, User};
use crate::store::Granted;

/// A grant to give.
#[derive(Debug, Clone, Copy)]
pub struct NewGrant {
    /// What it is about.
    pub role: Role,
    /// Where; without a place in the whole tenant.
    pub place: Option<PlaceId>,
    /// Whether it gives or takes.
    pub effect: Effect,
    /// From when on it does not count, if ever.
    pub until: Option<Timestamp>,
}

/// Whether somebody may do something, and what says so.
#[derive(Debug, PartialEq, Eq)]
pub struct Why {
    /// Whether it is permitted.
    pub allowed: bool,
    /// Whether sign-in is refused, so that nothing is.
    pub disabled: bool,
    /// The role in the whole tenant, where it permits this.
    pub role: Option<Role>,
    /// The grants that decide: those that deny it, and where none does those that allow it.
    pub grants: Vec<KeptGrant>,
}

impl Auth {
    /// What a person is granted.
    pub async fn grants(&self, asked: &Asked, user: UserId) -> Result<Vec<KeptGrant>, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        let tenant = asked.caller.tenant;
        self.person(tenant, user).await?;
        Ok(self.store.grants.of(tenant, user, self.now()).await?)
    }

    /// Grants something to a person. Counts from the next request of that person on.
    pub async fn add_grant(
        &self,
        asked: &Asked,
        user: UserId,
        new: NewGrant,
    ) -> Result<KeptGrant, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        let (tenant, created) = (asked.caller.tenant, self.now());
        let place = self.place(tenant, new.place).await?;
        let NewGrant { role, effect, until, .. } = new;
        check((role, effect), &place)?;
        if until.is_some_and(|until| until <= created) {
            return Err(Error::Invalid("a grant ends after it is given".to_owned()));
        }
        need_held(&asked.caller, role, &place)?;
        let grant = Grant { role, place, effect, until };
        let grant = KeptGrant { id: GrantId::new(), tenant, user, grant, created };
        let mut event = self.event(asked, "grant.add", user);
        let end = until.map(|until| format!(" until {until}")).unwrap_or_default();
        event.detail = format!("{} {role} at {}{end}", effect.as_str(), written(&place));
        match self.store.grants.add(&grant, &event).await? {
            Granted::Done => Ok(grant),
            Granted::NoPerson => Err(Error::Missing("person")),
            Granted::NoPlace => Err(Error::Missing("place")),
            Granted::TooMany => Err(Error::TooManyGrants),
            Granted::Owner => Err(Error::OwnerDenied),
        }
    }

    /// Takes a grant back. Counts from the next request of that person on. Who takes a denial back gives
    /// what it denied.
    pub async fn remove_grant(
        &self,
        asked: &Asked,
        user: UserId,
        id: GrantId,
    ) -> Result<(), Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        let tenant = asked.caller.tenant;
        let kept = self.store.grants.of(tenant, user, self.now()).await?;
        let kept = kept.into_iter().find(|it| it.id == id).ok_or(Error::Missing("grant"))?;
        need_held(&asked.caller, kept.grant.role, &kept.grant.place)?;
        let mut event = self.event(asked, "grant.remove", user);
        let Grant { role, place, effect, .. } = kept.grant;
        event.detail = format!("{} {role} at {}", effect.as_str(), written(&place));
        let done = self.store.grants.remove((tenant, user), id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("grant")) }
    }

    /// Whether a person may do what a permission names at a place, or without one in the whole tenant.
    pub async fn why(
        &self,
        asked: &Asked,
        user: Option<UserId>,
        (what, place): (&str, Option<PlaceId>),
    ) -> Result<Why, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        let user = user.ok_or_else(|| Error::Invalid("say whose access: user".to_owned()))?;
        let unknown = |_| Error::Invalid(format!("{what:?} is no permission"));
        let permission: Permission = what.parse().map_err(unknown)?;
        let tenant = asked.caller.tenant;
        let person = self.person(tenant, user).await?;
        let place = self.place(tenant, place).await?;
        let kept = self.store.grants.of(tenant, user, self.now()).await?;
        let held = held(&kept)?;
        let access = Access { role: person.role, grants: &held };
        let allowed = if place.is_root() {
            access.reach(permission).covers(&place)
        } else {
            access.permits(permission, &place)
        };
        let decides = |effect| {
            let about = |it: &&KeptGrant| {
                let below = effect == Effect::Deny && place.is_root();
                let here = below || it.grant.place.contains(&place);
                it.grant.effect == effect && it.grant.role.permits(permission) && here
            };
            kept.iter().filter(about).cloned().collect::<Vec<_>>()
        };
        let denying = decides(Effect::Deny);
        let grants = if denying.is_empty() { decides(Effect::Allow) } else { denying };
        let role = Some(person.role).filter(|role| role.permits(permission));
        let disabled = person.disabled;
        Ok(Why { allowed: allowed && !disabled, disabled, role, grants })
    }

    /// What the person who asks is granted.
    pub async fn own_grants(&self, asked: &Asked) -> Result<Vec<KeptGrant>, Error> {
        let user = asked.caller.user().ok_or(Error::NotSignedIn)?;
        Ok(self.store.grants.of(asked.caller.tenant, user, self.now()).await?)
    }

    /// What a person is granted now, as it goes with the person's requests.
    pub(super) async fn granted(&self, tenant: TenantId, user: UserId) -> Result<Grants, Error> {
        held(&self.store.grants.of(tenant, user, self.now()).await?)
    }

    /// Refuses whoever would act on somebody who holds more: by a password of theirs, for example.
    pub(super) async fn need_not_below(&self, asked: &Asked, user: UserId) -> Result<(), Error> {
        let tenant = asked.caller.tenant;
        // Whoever is not there is refused by what was asked.
        let Some(person) = self.store.people.get(tenant, user).await? else { return Ok(()) };
        need_held(&asked.caller, person.role, &Place::ROOT)?;
        for grant in self.granted(tenant, user).await?.iter() {
            if grant.effect == Effect::Allow {
                need_held(&asked.caller, grant.role, &grant.place)?;
            }
        }
        Ok(())
    }

    async fn person(&self, tenant: TenantId, user: UserId) -> Result<User, Error> {
        self.store.people.get(tenant, user).await?.ok_or(Error::Missing("person"))
    }
}

/// Refuses whoever gives what they do not hold themselves: each permission of the role, at the place and
/// in all that lies in it.
pub(super) fn need_held(caller: &Caller, role: Role, place: &Place) -> Result<(), Error> {
    let missing = not_held(|permission| caller.reach(permission), role, place);
    missing.map_or(Ok(()), |permission| Err(Error::NotHeld(permission.as_str())))
}

/// What of a role somebody does not hold at a place and in all that lies in it.
pub(super) fn not_held(
    reach: impl Fn(Permission) -> Reach,
    role: Role,
    place: &Place,
) -> Option<Permission> {
    let mut given = Permission::ALL.into_iter().filter(|permission| role.permits(*permission));
    given.find(|permission| !reach(*permission).covers(place))
}

/// What somebody holds by these grants.
pub(crate) fn held(kept: &[KeptGrant]) -> Result<Grants, Error> {
    let grants: Vec<Grant> = kept.iter().map(|it| it.grant).collect();
    Grants::try_from(grants).map_err(|error| Error::Damaged(error.into()))
}

fn check((role, effect): (Role, Effect), place: &Place) -> Result<(), Error> {
    if role == Role::None {
        return Err(Error::Invalid("a grant is about a role that permits something".to_owned()));
    }
    if effect == Effect::Deny && place.is_root() {
        let text = "a denial is about a place; whoever shall do nothing anywhere has the role none";
        return Err(Error::Invalid(text.to_owned()));
    }
    Ok(())
}

fn written(place: &Place) -> String {
    if place.is_root() { "the whole tenant".to_owned() } else { place.to_string() }
}
