//! The promises about second factors, half sign-ins and the tenant's settings.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::domain::{Event, HalfSignIn, Rate, SealedTotp, TenantSettings};
use openframe_auth::store::{Answer, Confirmation, Factors, Person, Removed, Settings, SignIns};
use openframe_ids::{SessionId, SignInId, TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::{SqlStore, commit, commit_if, end_sessions_of};
use crate::engine::{Connection, failed, reading, writing};
use crate::queries::{self as sql, ms};

pub(super) async fn set_codes(
    db: &mut Connection,
    user: UserId,
    codes: &[SecretHash],
) -> Answer<()> {
    sql::remove_recovery_codes(db, user.0).await.map_err(failed)?;
    for code in codes {
        sql::add_recovery_code(db, user.0, &code.0).await.map_err(failed)?;
    }
    Ok(())
}

/// Whether a person has a factor in force.
pub(super) async fn has_factor(db: &mut Connection, user: UserId) -> Answer<bool> {
    let app = sql::totp(db, user.0, true).await.map_err(failed)?.is_some();
    Ok(app || sql::count_passkeys(db, user.0).await.map_err(failed)? > 0)
}

/// Forgets what is of no use without a factor.
pub(super) async fn forget_without_factor(db: &mut Connection, user: UserId) -> Answer<()> {
    if has_factor(db, user).await? {
        return Ok(());
    }
    sql::remove_totp(db, user.0, false).await.map_err(failed)?;
    set_codes(db, user, &[]).await?;
    sql::forgive_factor_tries(db, user.0).await.map_err(failed)?;
    Ok(())
}

async fn is_person(db: &mut Connection, (tenant, user): Person) -> Answer<bool> {
    Ok(sql::user(db, tenant.0, user.0).await.map_err(failed)?.is_some())
}

#[async_trait]
impl Factors for SqlStore {
    async fn totp(&self, user: UserId) -> Answer<Option<SealedTotp>> {
        let mut db = reading(&self.0).await?;
        let row = sql::totp(&mut db, user.0, true).await.map_err(failed)?;
        row.map(SealedTotp::try_from).transpose()
    }

    async fn pending_totp(&self, user: UserId) -> Answer<Option<SealedTotp>> {
        let mut db = reading(&self.0).await?;
        let row = sql::totp(&mut db, user.0, false).await.map_err(failed)?;
        row.map(SealedTotp::try_from).transpose()
    }

    async fn enrol_totp(
        &self,
        (tenant, user): Person,
        totp: &SealedTotp,
        event: &Event,
    ) -> Answer<bool> {
        let (mut tx, whose) = (writing(&self.0).await?, (tenant.0, user.0));
        let kept = sql::enrol_totp(&mut tx, whose, &totp.sealed, ms(totp.created)).await;
        commit_if(tx, kept.map_err(failed)?, tenant, event).await
    }

    async fn confirm_totp(
        &self,
        (tenant, user): Person,
        to: &Confirmation<'_>,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        if to.first && has_factor(&mut tx, user).await? {
            return Ok(false);
        }
        // What was done is undone where the rest is not: nothing is committed then.
        sql::remove_totp(&mut tx, user.0, true).await.map_err(failed)?;
        if !is_person(&mut tx, (tenant, user)).await? {
            return Ok(false);
        }
        let done = sql::confirm_totp(&mut tx, user.0, to.sealed, to.step).await.map_err(failed)?;
        set_codes(&mut tx, user, to.codes).await?;
        end_sessions_of(&mut tx, (user, to.keep), event.at).await?;
        commit_if(tx, done, tenant, event).await
    }

    async fn use_totp(&self, user: UserId, step: i64) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let used = sql::use_totp(&mut tx, user.0, step).await.map_err(failed)?;
        commit(tx).await?;
        Ok(used > 0)
    }

    async fn remove_totp(
        &self,
        (tenant, user): Person,
        keep: Option<SessionId>,
        last_stays: bool,
        event: &Event,
    ) -> Answer<Removed> {
        let mut tx = writing(&self.0).await?;
        let there = is_person(&mut tx, (tenant, user)).await?;
        let removed = sql::remove_totp(&mut tx, user.0, true).await.map_err(failed)?;
        if !there || removed == 0 {
            return Ok(Removed::Missing);
        }
        // What was done is undone where it was the last: nothing is committed then.
        if last_stays && !has_factor(&mut tx, user).await? {
            return Ok(Removed::Last);
        }
        sql::remove_totp(&mut tx, user.0, false).await.map_err(failed)?;
        forget_without_factor(&mut tx, user).await?;
        end_sessions_of(&mut tx, (user, keep), event.at).await?;
        commit_if(tx, removed, tenant, event).await?;
        Ok(Removed::Done)
    }

    async fn remove(
        &self,
        (tenant, user): Person,
        keep: Option<SessionId>,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        if !is_person(&mut tx, (tenant, user)).await? {
            return Ok(false);
        }
        let mut removed = sql::remove_totp(&mut tx, user.0, true).await.map_err(failed)?;
        removed += sql::remove_passkeys_of(&mut tx, user.0).await.map_err(failed)?;
        forget_without_factor(&mut tx, user).await?;
        end_sessions_of(&mut tx, (user, keep), event.at).await?;
        commit_if(tx, removed, tenant, event).await
    }

    async fn replace_recovery_codes(
        &self,
        (tenant, user): Person,
        codes: &[SecretHash],
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        if !has_factor(&mut tx, user).await? || !is_person(&mut tx, (tenant, user)).await? {
            return Ok(false);
        }
        set_codes(&mut tx, user, codes).await?;
        commit_if(tx, 1, tenant, event).await
    }

    async fn use_recovery_code(
        &self,
        (tenant, user): Person,
        code: SecretHash,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let used = sql::use_recovery_code(&mut tx, user.0, &code.0).await.map_err(failed)?;
        commit_if(tx, used, tenant, event).await
    }

    async fn recovery_codes(&self, user: UserId) -> Answer<u64> {
        let mut db = reading(&self.0).await?;
        let left = sql::count_recovery_codes(&mut db, user.0).await.map_err(failed)?;
        Ok(left.unsigned_abs())
    }

    async fn take_try(
        &self,
        user: UserId,
        rate: Rate,
        now: Timestamp,
    ) -> Answer<Result<(), Duration>> {
        let mut tx = writing(&self.0).await?;
        let whole_at = sql::factor_tries(&mut tx, user.0).await.map_err(failed)?;
        let next = match rate.next(whole_at.unwrap_or_default(), ms(now)) {
            Ok(next) => next,
            Err(wait) => return Ok(Err(wait)),
        };
        sql::set_factor_tries(&mut tx, user.0, next).await.map_err(failed)?;
        commit(tx).await?;
        Ok(Ok(()))
    }

    async fn forgive_tries(&self, user: UserId) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        sql::forgive_factor_tries(&mut tx, user.0).await.map_err(failed)?;
        commit(tx).await
    }
}

#[async_trait]
impl SignIns for SqlStore {
    async fn begin(&self, half: &HalfSignIn, event: &Event) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_half(&mut tx, half).await.map_err(failed)?;
        commit_if(tx, added, half.tenant, event).await.map(drop)
    }

    async fn get(&self, id: SignInId) -> Answer<Option<HalfSignIn>> {
        let mut db = reading(&self.0).await?;
        let row = sql::half(&mut db, id.0).await.map_err(failed)?;
        row.map(HalfSignIn::try_from).transpose()
    }

    async fn end(&self, id: SignInId) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let ended = sql::end_half(&mut tx, id.0).await.map_err(failed)?;
        commit(tx).await?;
        Ok(ended > 0)
    }

    async fn forget_ended(&self, now: Timestamp) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        sql::forget_halves(&mut tx, ms(now)).await.map_err(failed)?;
        commit(tx).await
    }
}

#[async_trait]
impl Settings for SqlStore {
    async fn get(&self, tenant: TenantId) -> Answer<TenantSettings> {
        let mut db = reading(&self.0).await?;
        let required = sql::second_factor_required(&mut db, tenant.0).await.map_err(failed)?;
        Ok(TenantSettings { second_factor_required: required.unwrap_or_default() })
    }

    async fn set(&self, tenant: TenantId, to: TenantSettings, event: &Event) -> Answer<()> {
        let (mut tx, required) = (writing(&self.0).await?, to.second_factor_required);
        let set = sql::set_second_factor_required(&mut tx, tenant.0, required).await;
        commit_if(tx, set.map_err(failed)?, tenant, event).await.map(drop)
    }
}
