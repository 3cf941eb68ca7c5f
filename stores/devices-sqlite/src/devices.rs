//! Records of devices.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_devices::Error;
use openframe_devices::domain::{Change, Device, Hello};
use openframe_devices::store::{Devices, LastSeen, Whose};
use openframe_ids::{DeviceId, TenantId};
use openframe_tokens::Place;
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::record::{self, DeviceRecord};
use crate::{SqliteStore, commit, failed};

async fn one(db: &mut SqliteConnection, whose: Whose) -> Result<Option<Device>, Error> {
    let (tenant, device) = (whose.0.0, whose.1.0);
    let row = sqlx::query!(
        r#"select body as "body!: String" from device where tenant = $1 and device = $2"#,
        tenant,
        device
    )
    .fetch_optional(db)
    .await
    .map_err(failed)?;
    row.map(|row| record::device(&row.body)).transpose()
}

async fn put(db: &mut SqliteConnection, device: &Device) -> Result<(), Error> {
    let (tenant, id) = (device.tenant.0, device.id.0);
    let body = record::write(&DeviceRecord::from(device))?;
    sqlx::query!(
        "insert into device (tenant, device, body) values ($1, $2, $3)
         on conflict (tenant, device) do update set body = excluded.body",
        tenant,
        id,
        body
    )
    .execute(db)
    .await
    .map(drop)
    .map_err(failed)
}

/// Whether the device exists.
pub(crate) async fn exists(db: &mut SqliteConnection, whose: Whose) -> Result<bool, Error> {
    let (tenant, device) = (whose.0.0, whose.1.0);
    let row = sqlx::query!(
        r#"select count(*) as "n!: i64" from device where tenant = $1 and device = $2"#,
        tenant,
        device
    )
    .fetch_one(db)
    .await
    .map_err(failed)?;
    Ok(row.n > 0)
}

#[async_trait]
impl Devices for SqliteStore {
    async fn connect(
        &self,
        whose: Whose,
        first: (&Hello, &Place),
        now: Timestamp,
    ) -> Result<Option<Device>, Error> {
        let mut tx = self.begin().await?;
        let (tenant, id) = (whose.0.0, whose.1.0);
        let retired = sqlx::query!(
            r#"select count(*) as "n!: i64" from retired where tenant = $1 and device = $2"#,
            tenant,
            id
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        if retired.n > 0 {
            return Ok(None);
        }
        let device = Device::connected(one(&mut tx, whose).await?, whose, first, now);
        put(&mut tx, &device).await?;
        commit(tx).await?;
        Ok(Some(device))
    }

    async fn change(&self, whose: Whose, change: &Change) -> Result<Option<Device>, Error> {
        let mut tx = self.begin().await?;
        let Some(device) = one(&mut tx, whose).await? else { return Ok(None) };
        let device = device.changed(change);
        put(&mut tx, &device).await?;
        commit(tx).await?;
        Ok(Some(device))
    }

    async fn retire(&self, whose: Whose) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        if !exists(&mut tx, whose).await? {
            return Ok(false);
        }
        remove(&mut tx, whose).await.map_err(failed)?;
        commit(tx).await?;
        Ok(true)
    }

    async fn seen(&self, seen: &[LastSeen]) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        for seen in seen {
            if let Some(mut device) = one(&mut tx, seen.whose).await?
                && device.seen(seen.at, seen.goodbye)
            {
                put(&mut tx, &device).await?;
            }
        }
        commit(tx).await
    }

    async fn get(&self, tenant: TenantId, ids: &[DeviceId]) -> Result<Vec<Device>, Error> {
        let mut db = self.0.reader().acquire().await.map_err(failed)?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.extend(one(&mut db, (tenant, *id)).await?);
        }
        Ok(found)
    }

    async fn all(&self, after: Option<Whose>, limit: u32) -> Result<Vec<Device>, Error> {
        let after = after.map(|(tenant, device)| (tenant.0, device.0));
        // Nothing is before the nil ids; a device of these ids cannot be made.
        let (tenant, device) = after.unwrap_or((Uuid::nil(), Uuid::nil()));
        let rows = sqlx::query!(
            r#"select body as "body!: String" from device
               where tenant > $1 or (tenant = $1 and device > $2)
               order by tenant, device limit $3"#,
            tenant,
            device,
            limit
        )
        .fetch_all(self.0.reader())
        .await
        .map_err(failed)?;
        rows.iter().map(|row| record::device(&row.body)).collect()
    }
}

/// Removes a device with all that is kept of it, and remembers that it was there.
async fn remove(db: &mut SqliteConnection, whose: Whose) -> sqlx::Result<()> {
    let (tenant, id) = (whose.0.0, whose.1.0);
    sqlx::query!("insert into retired (tenant, device) values ($1, $2)", tenant, id)
        .execute(&mut *db)
        .await?;
    sqlx::query!(
        "delete from chunk where tenant = $1 and command in
         (select command from command where tenant = $1 and device = $2)",
        tenant,
        id
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from used_key where tenant = $1 and command in
         (select command from command where tenant = $1 and device = $2)",
        tenant,
        id
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("delete from command where tenant = $1 and device = $2", tenant, id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("delete from section where tenant = $1 and device = $2", tenant, id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("delete from device where tenant = $1 and device = $2", tenant, id)
        .execute(&mut *db)
        .await
        .map(drop)
}
