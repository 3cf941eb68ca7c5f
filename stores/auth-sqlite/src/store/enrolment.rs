//! Enrolment tokens and devices.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::domain::{Device, EnrolmentToken, Event, Judged, Terms, WaitingDevice};
use openframe_auth::store::{Answer, Enrolment, Issuing, Joined, Joining};
use openframe_ids::{DeviceId, EnrolmentTokenId, TenantId};
use openframe_pki::Withdrawn;

use super::{SqlStore, all, commit, commit_if, record};
use crate::engine::{Trouble, failed, reading, trouble, writing};
use crate::queries::{self as sql, ms};
use crate::rows::damaged;

#[async_trait]
impl Enrolment for SqlStore {
    async fn add_token(&self, token: &EnrolmentToken, event: &Event) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        let terms = token.terms.to_text();
        let added = sql::add_token(&mut tx, token, &terms).await.map_err(failed)?;
        commit_if(tx, added, token.tenant, event).await.map(drop)
    }

    async fn tokens(&self, tenant: TenantId, now: Timestamp) -> Answer<Vec<EnrolmentToken>> {
        let mut db = reading(&self.0).await?;
        all(sql::tokens(&mut db, tenant.0, ms(now)).await.map_err(failed)?)
    }

    async fn remove_token(
        &self,
        tenant: TenantId,
        id: EnrolmentTokenId,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let removed = sql::remove_token(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, removed, tenant, event).await
    }

    async fn join(&self, joining: &Joining, event: &Event) -> Answer<Joined> {
        let (mut tx, now) = (writing(&self.0).await?, ms(event.at));
        if sql::add_device(&mut tx, joining, now).await.map_err(failed)? == 0 {
            let row = sql::device_of_key(&mut tx, joining, now).await.map_err(failed)?;
            let device = row.map(Device::try_from).transpose()?.filter(|it| !it.revoked);
            return Ok(match device {
                Some(device) if device.waits => Joined::Waiting(device.id),
                Some(device) if device.is_in() => Joined::Before(device),
                Some(_) | None => Joined::Refused,
            });
        }
        // The statement that counts: no use is taken that is not there.
        let terms = sql::use_token(&mut tx, joining, now).await.map_err(failed)?;
        let Some(terms) = terms else { return Ok(Joined::Refused) };
        match Terms::of_text(&terms).map_err(damaged)?.judge(&joining.claims) {
            Judged::In => {}
            Judged::Waits => {
                let claims = joining.claims.to_text();
                sql::let_wait(&mut tx, joining, (&claims, now)).await.map_err(failed)?;
                record(&mut tx, joining.first.tenant, &joining.waits).await?;
                commit(tx).await?;
                return Ok(Joined::Waiting(joining.first.device));
            }
            // What was done is not: the transaction ends here.
            other @ (Judged::OtherNetwork | Judged::OtherSerial) => {
                return Ok(Joined::Elsewhere(other));
            }
        }
        sql::add_certificate(&mut tx, &joining.first).await.map_err(failed)?;
        record(&mut tx, joining.first.tenant, event).await?;
        commit(tx).await?;
        Ok(Joined::New)
    }

    async fn device(&self, tenant: TenantId, id: DeviceId) -> Answer<Option<Device>> {
        let mut db = reading(&self.0).await?;
        let row = sql::device(&mut db, tenant.0, id.0).await.map_err(failed)?;
        row.map(Device::try_from).transpose()
    }

    async fn certify(&self, issuing: &Issuing, event: &Event) -> Answer<bool> {
        let (mut tx, issued) = (writing(&self.0).await?, &issuing.certificate);
        match sql::bind_device(&mut tx, issuing).await {
            Ok(0) => return Ok(false),
            // Another device that joined by the same token has the key.
            Err(error) if trouble(&error) == Trouble::Taken => return Ok(false),
            bound => bound.map_err(failed)?,
        };
        sql::forget_other_keys(&mut tx, issued).await.map_err(failed)?;
        let added = sql::add_certificate(&mut tx, issued).await.map_err(failed)?;
        commit_if(tx, added, issued.tenant, event).await
    }

    async fn quarantine(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let (whose, now) = ((tenant.0, id.0), ms(event.at));
        let done = sql::quarantine_device(&mut tx, whose, now).await.map_err(failed)?;
        commit_if(tx, done, tenant, event).await
    }

    async fn readmit(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let done = sql::readmit_device(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, done, tenant, event).await
    }

    async fn waiting(&self, tenant: TenantId, limit: u32) -> Answer<Vec<WaitingDevice>> {
        let mut db = reading(&self.0).await?;
        all(sql::waiting_devices(&mut db, tenant.0, limit.into()).await.map_err(failed)?)
    }

    async fn admit(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let done = sql::admit_device(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, done, tenant, event).await
    }

    async fn turn_away(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let done = sql::turn_away_device(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, done, tenant, event).await
    }

    async fn quarantined(&self, tenant: TenantId, limit: u32) -> Answer<Vec<Device>> {
        let mut db = reading(&self.0).await?;
        let found = sql::quarantined_devices(&mut db, tenant.0, limit.into()).await;
        all(found.map_err(failed)?)
    }

    async fn counts(
        &self,
        (tenant, id): (TenantId, DeviceId),
        serial: &str,
        now: Timestamp,
    ) -> Answer<bool> {
        let mut db = reading(&self.0).await?;
        let count = sql::count_certificates(&mut db, (tenant.0, id.0), serial, ms(now)).await;
        Ok(count.map_err(failed)? > 0)
    }

    async fn forget_certificates(&self, now: Timestamp) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        sql::forget_certificates(&mut tx, ms(now)).await.map_err(failed)?;
        commit(tx).await
    }

    async fn withdrawn(&self, tenant: TenantId, now: Timestamp) -> Answer<Vec<Withdrawn>> {
        let mut db = reading(&self.0).await?;
        let found = sql::withdrawn_certificates(&mut db, tenant.0, ms(now)).await;
        all(found.map_err(failed)?)
    }

    async fn revoke(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let revoked = sql::revoke_device(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, revoked, tenant, event).await
    }
}
