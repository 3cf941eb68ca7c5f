//! The promises about passkeys.

use async_trait::async_trait;
use openframe_auth::domain::{Event, PASSKEYS_MAX, Passkey, User};
use openframe_auth::store::{Added, Answer, Passkeys, Person, Removed, Use};
use openframe_ids::{PasskeyId, SessionId, TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::factors::{forget_without_factor, has_factor, set_codes};
use super::{SqlStore, all, commit, commit_if, end_sessions_of};
use crate::engine::{failed, reading, writing};
use crate::queries::{self as sql, ms};

#[async_trait]
impl Passkeys for SqlStore {
    async fn list(&self, user: UserId) -> Answer<Vec<Passkey>> {
        let mut db = reading(&self.0).await?;
        all(sql::passkeys(&mut db, user.0).await.map_err(failed)?)
    }

    async fn by_credential(&self, tenant: TenantId, credential: &[u8]) -> Answer<Option<Passkey>> {
        let mut db = reading(&self.0).await?;
        let row = sql::passkey_by_credential(&mut db, tenant.0, credential).await;
        row.map_err(failed)?.map(Passkey::try_from).transpose()
    }

    async fn add(
        &self,
        passkey: &Passkey,
        codes: &[SecretHash],
        keep: SessionId,
        event: &Event,
    ) -> Answer<Added> {
        let (tenant, user) = (passkey.tenant, passkey.user);
        let mut tx = writing(&self.0).await?;
        let row = sql::user(&mut tx, tenant.0, user.0).await.map_err(failed)?;
        if row.map(User::try_from).transpose()?.is_none_or(|person| person.disabled) {
            return Ok(Added::Refused);
        }
        let has = sql::count_passkeys(&mut tx, user.0).await.map_err(failed)?;
        if usize::try_from(has).unwrap_or(usize::MAX) >= PASSKEYS_MAX {
            return Ok(Added::Full);
        }
        let first = !has_factor(&mut tx, user).await?;
        let added = sql::add_passkey(&mut tx, passkey).await.map_err(failed)?;
        if added == 0 {
            return Ok(Added::Taken);
        }
        if first {
            set_codes(&mut tx, user, codes).await?;
        }
        end_sessions_of(&mut tx, (user, Some(keep)), event.at).await?;
        commit_if(tx, added, tenant, event).await?;
        Ok(if first { Added::First } else { Added::More })
    }

    async fn used(&self, id: PasskeyId, to: Use<'_>) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let now = (to.key, i64::from(to.counter));
        let used = sql::use_passkey(&mut tx, id.0, now, ms(to.at)).await.map_err(failed)?;
        commit(tx).await?;
        Ok(used > 0)
    }

    async fn rename(
        &self,
        (tenant, user): Person,
        id: PasskeyId,
        name: &str,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let renamed = sql::rename_passkey(&mut tx, (tenant.0, user.0), id.0, name).await;
        commit_if(tx, renamed.map_err(failed)?, tenant, event).await
    }

    async fn remove(
        &self,
        ((tenant, user), id): (Person, PasskeyId),
        keep: Option<SessionId>,
        last_stays: bool,
        event: &Event,
    ) -> Answer<Removed> {
        let mut tx = writing(&self.0).await?;
        let removed = sql::remove_passkey(&mut tx, (tenant.0, user.0), id.0).await;
        if removed.map_err(failed)? == 0 {
            return Ok(Removed::Missing);
        }
        // What was done is undone where it was the last: nothing is committed then.
        if last_stays && !has_factor(&mut tx, user).await? {
            return Ok(Removed::Last);
        }
        forget_without_factor(&mut tx, user).await?;
        end_sessions_of(&mut tx, (user, keep), event.at).await?;
        commit_if(tx, 1, tenant, event).await?;
        Ok(Removed::Done)
    }
}
