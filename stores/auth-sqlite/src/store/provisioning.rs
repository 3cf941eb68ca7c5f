//! The promises to directories.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::domain::{
    Event, Group, KeptGrant, MOST_GROUPS, MOST_MEMBERS, Membership, Provisioned, User,
    ended_address,
};
use openframe_auth::store::{
    Answer, Change, Changed, Directory, GroupTo, PersonTo, Provided, Provisioning,
};
use openframe_ids::{GroupId, TenantId, UserId};
use openframe_tokens::{Effect, Role};
use uuid::Uuid;

use super::{SqlStore, all, change, commit_if};
use crate::engine::{Connection, failed, reading, writing};
use crate::queries::{self as sql, ms};

const PERSON: &str = "person";
const GROUP: &str = "group";

fn raw(by: Directory) -> (Uuid, Uuid) {
    (by.0.0, by.1.0)
}

fn bounds((skip, take): (usize, usize)) -> (i64, i64) {
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    (number(skip), number(take))
}

fn counted(n: i64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

async fn person(db: &mut Connection, by: Directory, id: UserId) -> Answer<Option<Provisioned>> {
    let row = sql::provisioned(db, raw(by), id.0).await.map_err(failed)?;
    row.map(Provisioned::try_from).transpose()
}

/// Has a directory call something so; `false` when it calls another one so.
async fn call(
    db: &mut Connection,
    by: Directory,
    (kind, id): (&str, Uuid),
    external: Option<&String>,
) -> Answer<bool> {
    let Some(external) = external else {
        sql::uncall(db, by.1.0, (kind, id)).await.map_err(failed)?;
        return Ok(true);
    };
    let called = sql::called(db, raw(by), (kind, external)).await.map_err(failed)?;
    if called.is_some_and(|other| other != id) {
        return Ok(false);
    }
    sql::call(db, raw(by), (kind, id), external).await.map_err(failed)?;
    Ok(true)
}

/// Whether a person holds a role that is none of these.
async fn is_above(
    db: &mut Connection,
    user: &User,
    roles: &[Role],
    now: Timestamp,
) -> Answer<bool> {
    let rows = sql::grants_of(db, (user.tenant.0, user.id.0), ms(now)).await.map_err(failed)?;
    let grants: Vec<KeptGrant> = all(rows)?;
    let mut allowed = grants.iter().map(|it| it.grant).filter(|it| it.effect == Effect::Allow);
    Ok(!roles.contains(&user.role) || allowed.any(|it| !roles.contains(&it.role)))
}

/// Forgets what directories keep of a person.
pub(super) async fn forget(db: &mut Connection, user: UserId) -> Answer<()> {
    sql::leave_groups(db, user.0).await.map_err(failed)?;
    sql::forget_calls(db, user.0).await.map_err(failed)?;
    Ok(())
}

/// Has people come and go; `None` when it was done.
async fn move_members(
    db: &mut Connection,
    (tenant, id): (TenantId, GroupId),
    to: &Membership,
) -> Answer<Option<Provided>> {
    let ids = |people: &BTreeSet<UserId>| people.iter().map(|id| id.0).collect::<Vec<_>>();
    sql::leave_group(db, id.0, &ids(&to.leaves)).await.map_err(failed)?;
    let all_there = sql::join_group(db, (tenant.0, id.0), &ids(&to.joins)).await;
    if !all_there.map_err(failed)? {
        return Ok(Some(Provided::NoMember));
    }
    let members = counted(sql::count_members(db, id.0).await.map_err(failed)?);
    Ok((members > MOST_MEMBERS).then_some(Provided::TooMany))
}

#[async_trait]
impl Provisioning for SqlStore {
    async fn person(&self, by: Directory, id: UserId) -> Answer<Option<Provisioned>> {
        person(&mut *reading(&self.0).await?, by, id).await
    }

    async fn person_called(&self, by: Directory, external: &str) -> Answer<Option<Provisioned>> {
        let mut db = reading(&self.0).await?;
        let called = sql::called(&mut db, raw(by), (PERSON, external)).await.map_err(failed)?;
        let Some(id) = called else { return Ok(None) };
        person(&mut db, by, UserId(id)).await
    }

    async fn people(&self, by: Directory, skip_take: (usize, usize)) -> Answer<Vec<Provisioned>> {
        let mut db = reading(&self.0).await?;
        let rows = sql::all_provisioned(&mut db, raw(by), bounds(skip_take)).await;
        all(rows.map_err(failed)?)
    }

    async fn count_people(&self, tenant: TenantId) -> Answer<usize> {
        let mut db = reading(&self.0).await?;
        Ok(counted(sql::count_provisioned(&mut db, tenant.0).await.map_err(failed)?))
    }

    async fn add_person(
        &self,
        by: Directory,
        new: &Provisioned,
        event: &Event,
    ) -> Answer<Provided> {
        let (mut tx, user) = (writing(&self.0).await?, &new.user);
        let added = sql::add_user(&mut tx, user).await.map_err(failed)?;
        if added == 0 {
            return Ok(Provided::EmailTaken);
        }
        if !call(&mut tx, by, (PERSON, user.id.0), new.external_id.as_ref()).await? {
            return Ok(Provided::ExternalIdTaken);
        }
        commit_if(tx, added, by.0, event).await?;
        Ok(Provided::Done)
    }

    async fn change_person(
        &self,
        (by, id): (Directory, UserId),
        to: &PersonTo,
        roles: &[Role],
        event: &Event,
    ) -> Answer<Provided> {
        let mut tx = writing(&self.0).await?;
        let Some(Provisioned { user, .. }) = person(&mut tx, by, id).await? else {
            return Ok(Provided::Missing);
        };
        if is_above(&mut tx, &user, roles, event.at).await? {
            return Ok(Provided::Above);
        }
        if let Some(external) = &to.external_id
            && !call(&mut tx, by, (PERSON, id.0), external.as_ref()).await?
        {
            return Ok(Provided::ExternalIdTaken);
        }
        match change(&mut tx, (by.0, id), &to.change, event.at).await? {
            Changed::Done(_) => {}
            Changed::Missing => return Ok(Provided::Missing),
            Changed::EmailTaken => return Ok(Provided::EmailTaken),
            Changed::LastOwner | Changed::Denied => return Ok(Provided::Above),
        }
        commit_if(tx, 1, by.0, event).await?;
        Ok(Provided::Done)
    }

    async fn end_person(
        &self,
        (by, id): (Directory, UserId),
        roles: &[Role],
        event: &Event,
    ) -> Answer<Provided> {
        let mut tx = writing(&self.0).await?;
        let Some(Provisioned { user, .. }) = person(&mut tx, by, id).await? else {
            return Ok(Provided::Missing);
        };
        if is_above(&mut tx, &user, roles, event.at).await? {
            return Ok(Provided::Above);
        }
        let (email, role) = (Some(ended_address(id)), Some(Role::None));
        let to = Change { email, role, disabled: Some(true), ..Change::default() };
        change(&mut tx, (by.0, id), &to, event.at).await?;
        forget(&mut tx, id).await?;
        sql::remove_grants_of(&mut tx, id.0).await.map_err(failed)?;
        let whose = (by.0.0, id.0);
        let ended = sql::end_person(&mut tx, whose, ms(event.at)).await.map_err(failed)?;
        commit_if(tx, ended, by.0, event).await?;
        Ok(Provided::Done)
    }

    async fn group(&self, by: Directory, id: GroupId) -> Answer<Option<Group>> {
        let mut db = reading(&self.0).await?;
        let row = sql::group(&mut db, raw(by), id.0).await.map_err(failed)?;
        row.map(Group::try_from).transpose()
    }

    async fn group_called(&self, by: Directory, external: &str) -> Answer<Option<Group>> {
        let mut db = reading(&self.0).await?;
        let called = sql::called(&mut db, raw(by), (GROUP, external)).await.map_err(failed)?;
        let Some(id) = called else { return Ok(None) };
        let row = sql::group(&mut db, raw(by), id).await.map_err(failed)?;
        row.map(Group::try_from).transpose()
    }

    async fn groups(&self, by: Directory, skip_take: (usize, usize)) -> Answer<Vec<Group>> {
        let mut db = reading(&self.0).await?;
        all(sql::groups(&mut db, raw(by), bounds(skip_take)).await.map_err(failed)?)
    }

    async fn count_groups(&self, tenant: TenantId) -> Answer<usize> {
        let mut db = reading(&self.0).await?;
        Ok(counted(sql::count_groups(&mut db, tenant.0).await.map_err(failed)?))
    }

    async fn group_sizes(&self, tenant: TenantId) -> Answer<BTreeMap<GroupId, usize>> {
        let mut db = reading(&self.0).await?;
        let sizes = sql::group_sizes(&mut db, tenant.0).await.map_err(failed)?;
        Ok(sizes.into_iter().map(|it| (GroupId(it.id), counted(it.size))).collect())
    }

    async fn members(&self, tenant: TenantId, id: GroupId) -> Answer<BTreeSet<UserId>> {
        let mut db = reading(&self.0).await?;
        let members = sql::members(&mut db, tenant.0, id.0).await.map_err(failed)?;
        Ok(members.into_iter().map(UserId).collect())
    }

    async fn add_group(
        &self,
        by: Directory,
        group: &Group,
        members: &BTreeSet<UserId>,
        event: &Event,
    ) -> Answer<Provided> {
        let (mut tx, tenant) = (writing(&self.0).await?, by.0);
        if counted(sql::count_groups(&mut tx, tenant.0).await.map_err(failed)?) >= MOST_GROUPS {
            return Ok(Provided::TooMany);
        }
        let added = sql::add_group(&mut tx, group).await.map_err(failed)?;
        if !call(&mut tx, by, (GROUP, group.id.0), group.external_id.as_ref()).await? {
            return Ok(Provided::ExternalIdTaken);
        }
        let joins = Membership { joins: members.clone(), ..Membership::default() };
        if let Some(refused) = move_members(&mut tx, (tenant, group.id), &joins).await? {
            return Ok(refused);
        }
        commit_if(tx, added, tenant, event).await?;
        Ok(Provided::Done)
    }

    async fn change_group(
        &self,
        by: Directory,
        id: GroupId,
        to: &GroupTo,
        event: &Event,
    ) -> Answer<Provided> {
        let (mut tx, whose) = (writing(&self.0).await?, (by.0.0, id.0));
        let named = (to.name.as_deref(), ms(event.at));
        let changed = sql::change_group(&mut tx, whose, named).await.map_err(failed)?;
        if changed == 0 {
            return Ok(Provided::Missing);
        }
        if let Some(external) = &to.external_id
            && !call(&mut tx, by, (GROUP, id.0), external.as_ref()).await?
        {
            return Ok(Provided::ExternalIdTaken);
        }
        if let Some(refused) = move_members(&mut tx, (by.0, id), &to.members).await? {
            return Ok(refused);
        }
        commit_if(tx, changed, by.0, event).await?;
        Ok(Provided::Done)
    }

    async fn remove_group(&self, tenant: TenantId, id: GroupId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let by = (tenant.0, Uuid::nil());
        if sql::group(&mut tx, by, id.0).await.map_err(failed)?.is_none() {
            return Ok(false);
        }
        sql::empty_group(&mut tx, id.0).await.map_err(failed)?;
        sql::forget_calls(&mut tx, id.0).await.map_err(failed)?;
        let removed = sql::remove_group(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, removed, tenant, event).await
    }
}
