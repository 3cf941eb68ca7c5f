//! The promises about places and grants.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::domain::{Event, KeptGrant, MOST_PLACES, NamedPlace, User};
use openframe_auth::store::{Answer, Granted, Grants, Placed, Places};
use openframe_ids::{DeviceId, GrantId, PlaceId, TenantId, UserId};
use openframe_tokens::{Effect, MOST_GRANTS, Place, Role};
use uuid::Uuid;

use super::{SqlStore, all, commit, commit_if};
use crate::engine::{Connection, failed, reading, writing};
use crate::queries::{self as sql, ms};
use crate::rows;

async fn known(db: &mut Connection, tenant: TenantId, id: PlaceId) -> Answer<Option<NamedPlace>> {
    let row = sql::place(db, tenant.0, id.0).await.map_err(failed)?;
    row.map(NamedPlace::try_from).transpose()
}

/// Whether the place is there; the whole tenant always is.
async fn is_there(db: &mut Connection, tenant: TenantId, place: &Place) -> Answer<bool> {
    let Some(id) = place.id() else { return Ok(true) };
    Ok(known(db, tenant, id).await?.is_some_and(|known| known.place == *place))
}

/// Whether the person is denied something.
pub(super) async fn is_denied(
    db: &mut Connection,
    (tenant, user): (TenantId, UserId),
    now: Timestamp,
) -> Answer<bool> {
    let rows = sql::grants_of(db, (tenant.0, user.0), ms(now)).await.map_err(failed)?;
    let grants: Vec<KeptGrant> = all(rows)?;
    Ok(grants.iter().any(|it| it.grant.effect == Effect::Deny))
}

/// What follows after all that begins with these bytes, if anything can.
fn successor(bytes: &[u8]) -> Option<Vec<u8>> {
    let last = bytes.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = bytes.get(..=last)?.to_vec();
    *after.last_mut()? += 1;
    Some(after)
}

#[async_trait]
impl Places for SqlStore {
    async fn add(&self, place: &NamedPlace, event: &Event) -> Answer<Placed> {
        let (Some(id), Some(parent)) = (place.place.id(), place.place.parent()) else {
            return Ok(Placed::Missing);
        };
        let (mut tx, tenant) = (writing(&self.0).await?, place.tenant);
        if !is_there(&mut tx, tenant, &parent).await? {
            return Ok(Placed::Missing);
        }
        let (above, name) = (parent.to_bytes(), place.name.as_str());
        let whose = (tenant.0, id.0);
        if sql::count_namesakes(&mut tx, whose, (&above, name)).await.map_err(failed)? > 0 {
            return Ok(Placed::NameTaken);
        }
        let there = sql::count_places(&mut tx, tenant.0).await.map_err(failed)?;
        if usize::try_from(there).unwrap_or(0) >= MOST_PLACES {
            return Ok(Placed::TooMany);
        }
        let added = sql::add_place(&mut tx, place, (id.0, &above)).await.map_err(failed)?;
        let done = commit_if(tx, added, tenant, event).await?;
        Ok(if done { Placed::Done } else { Placed::NameTaken })
    }

    async fn get(&self, tenant: TenantId, id: PlaceId) -> Answer<Option<NamedPlace>> {
        known(&mut *reading(&self.0).await?, tenant, id).await
    }

    async fn list(&self, tenant: TenantId) -> Answer<Vec<NamedPlace>> {
        let mut db = reading(&self.0).await?;
        all(sql::places(&mut db, tenant.0).await.map_err(failed)?)
    }

    async fn rename(
        &self,
        tenant: TenantId,
        id: PlaceId,
        name: &str,
        event: &Event,
    ) -> Answer<Placed> {
        let (mut tx, whose) = (writing(&self.0).await?, (tenant.0, id.0));
        let parent = known(&mut tx, tenant, id).await?.and_then(|known| known.place.parent());
        let Some(parent) = parent else { return Ok(Placed::Missing) };
        let above = parent.to_bytes();
        if sql::count_namesakes(&mut tx, whose, (&above, name)).await.map_err(failed)? > 0 {
            return Ok(Placed::NameTaken);
        }
        let renamed = sql::rename_place(&mut tx, whose, name).await.map_err(failed)?;
        commit_if(tx, renamed, tenant, event).await?;
        Ok(Placed::Done)
    }

    async fn remove(&self, tenant: TenantId, id: PlaceId, event: &Event) -> Answer<Placed> {
        let mut tx = writing(&self.0).await?;
        let Some(known) = known(&mut tx, tenant, id).await? else { return Ok(Placed::Missing) };
        let (place, now) = (known.place.to_bytes(), ms(event.at));
        if sql::count_in_place(&mut tx, tenant.0, (&place, now)).await.map_err(failed)? > 0 {
            return Ok(Placed::InUse);
        }
        let removed = sql::remove_place(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, removed, tenant, event).await?;
        Ok(Placed::Done)
    }

    async fn of_device(&self, tenant: TenantId, id: DeviceId) -> Answer<Option<Place>> {
        let mut db = reading(&self.0).await?;
        let found = sql::place_of_device(&mut db, tenant.0, id.0).await.map_err(failed)?;
        found.map(|bytes| rows::place(&bytes)).transpose()
    }

    async fn devices_within(
        &self,
        tenant: TenantId,
        place: &Place,
        (after, most): (Option<DeviceId>, usize),
    ) -> Answer<Vec<DeviceId>> {
        let mut db = reading(&self.0).await?;
        // All that lies in a place begins with its bytes; before those of the whole tenant is nothing.
        let first = place.to_bytes();
        let page = (after.map_or(Uuid::nil(), |id| id.0), i64::try_from(most).unwrap_or(i64::MAX));
        let found = match successor(&first) {
            Some(end) => sql::devices_within(&mut db, tenant.0, (&first, &end), page).await,
            None => sql::devices(&mut db, tenant.0, page).await,
        };
        Ok(found.map_err(failed)?.into_iter().map(DeviceId).collect())
    }

    async fn move_device(&self, tenant: TenantId, id: DeviceId, to: &Place) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        if !is_there(&mut tx, tenant, to).await? {
            return Ok(false);
        }
        let moved = sql::move_device(&mut tx, (tenant.0, id.0), &to.to_bytes()).await;
        let moved = moved.map_err(failed)?;
        commit(tx).await?;
        Ok(moved > 0)
    }
}

#[async_trait]
impl Grants for SqlStore {
    async fn add(&self, grant: &KeptGrant, event: &Event) -> Answer<Granted> {
        let (mut tx, tenant, user) = (writing(&self.0).await?, grant.tenant, grant.user);
        let row = sql::user(&mut tx, tenant.0, user.0).await.map_err(failed)?;
        let Some(person) = row.map(User::try_from).transpose()? else {
            return Ok(Granted::NoPerson);
        };
        if person.role == Role::Owner && grant.grant.effect == Effect::Deny {
            return Ok(Granted::Owner);
        }
        if !is_there(&mut tx, tenant, &grant.grant.place).await? {
            return Ok(Granted::NoPlace);
        }
        let now = ms(event.at);
        sql::forget_ended_grants(&mut tx, user.0, now).await.map_err(failed)?;
        let held = sql::grants_of(&mut tx, (tenant.0, user.0), now).await.map_err(failed)?;
        if held.len() >= MOST_GRANTS {
            return Ok(Granted::TooMany);
        }
        let added = sql::add_grant(&mut tx, grant).await.map_err(failed)?;
        commit_if(tx, added, tenant, event).await?;
        Ok(Granted::Done)
    }

    async fn of(&self, tenant: TenantId, user: UserId, now: Timestamp) -> Answer<Vec<KeptGrant>> {
        let mut db = reading(&self.0).await?;
        all(sql::grants_of(&mut db, (tenant.0, user.0), ms(now)).await.map_err(failed)?)
    }

    async fn remove(
        &self,
        (tenant, user): (TenantId, UserId),
        id: GrantId,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let removed = sql::remove_grant(&mut tx, (tenant.0, user.0), id.0).await;
        commit_if(tx, removed.map_err(failed)?, tenant, event).await
    }
}
