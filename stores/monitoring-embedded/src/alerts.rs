//! Rules, alerts, channels and the outbox, in a database.

use async_trait::async_trait;
use openframe_ids::{ChannelId, RuleId, TenantId};
use openframe_monitoring::domain::alert::{Channel, Rule};
use openframe_monitoring::store::alerts::{
    Alerts, Attempt, Kept, MAX_WAITING, Notification, Step, StoreError, Written,
};
use uuid::Uuid;

use crate::engine::{Connection, Database, Trouble, failed, reading, trouble, writing};
use crate::record;

/// Keeps rules and alerts in one database. Clones share it.
#[derive(Debug, Clone)]
pub struct SqlAlerts(Database);

impl SqlAlerts {
    /// A store in `database`, whose tables are [`crate::MIGRATIONS`].
    pub fn new(database: Database) -> Self {
        Self(database)
    }
}

/// Whether a row was written, rather than refused for its name.
fn taken<T>(result: Result<T, sqlx::Error>) -> Result<bool, StoreError> {
    match result {
        Ok(_) => Ok(true),
        Err(error) => match trouble(&error) {
            Trouble::Taken => Ok(false),
            Trouble::Unavailable | Trouble::Other => Err(failed(error)),
        },
    }
}

struct ChannelRow {
    id: Uuid,
    tenant: Uuid,
    name: String,
    webhook_url: String,
    delivered_ms: Option<i64>,
    error: Option<String>,
}

impl From<ChannelRow> for Channel {
    fn from(row: ChannelRow) -> Self {
        Self {
            id: ChannelId(row.id),
            tenant: TenantId(row.tenant),
            name: row.name,
            webhook_url: row.webhook_url,
            delivered_ms: row.delivered_ms,
            error: row.error,
        }
    }
}

async fn notify(db: &mut Connection, wanted: &[Notification]) -> Result<(), StoreError> {
    let most = i64::from(MAX_WAITING);
    for one in wanted {
        let attempts = i64::from(one.attempts);
        sqlx::query!(
            "insert into outbox (key, channel, made_ms, due_ms, attempts, body)
             select $1, $2, $3, $4, $5, $6
             where exists (select 1 from channel where id = $2)
             on conflict (key) do nothing",
            one.key,
            one.channel.0,
            one.made_ms,
            one.due_ms,
            attempts,
            one.body
        )
        .execute(&mut *db)
        .await
        .map_err(failed)?;
        sqlx::query!(
            "delete from outbox where channel = $1 and seq <=
             (select seq from outbox where channel = $1 order by seq desc limit 1 offset $2)",
            one.channel.0,
            most
        )
        .execute(&mut *db)
        .await
        .map_err(failed)?;
    }
    Ok(())
}

/// Whether nobody has changed rules or alerts since version `seen`; counts a change if so.
async fn current(db: &mut Connection, seen: i64) -> Result<bool, StoreError> {
    let changed = sqlx::query!("update board set version = version + 1 where version = $1", seen);
    let changed = changed.execute(&mut *db).await.map_err(failed)?;
    Ok(changed.rows_affected() == 1)
}

#[async_trait]
impl Alerts for SqlAlerts {
    async fn version(&self) -> Result<i64, StoreError> {
        let row = sqlx::query!(r#"select version as "version!: i64" from board"#);
        let row = row.fetch_one(&mut *reading(&self.0).await?).await.map_err(failed)?;
        Ok(row.version)
    }

    async fn load(&self) -> Result<Kept, StoreError> {
        // The version first: what changes while the rest is read is read again.
        let version = self.version().await?;
        let mut db = reading(&self.0).await?;
        let rules = sqlx::query!(r#"select body as "body!" from rule order by id"#);
        let rules = rules.fetch_all(&mut *db).await.map_err(failed)?;
        let alerts = sqlx::query!(r#"select body as "body!" from alert order by rule, labels"#);
        let alerts = alerts.fetch_all(&mut *db).await.map_err(failed)?;
        let rules = rules.iter().map(|row| record::rule(&row.body).map_err(StoreError));
        let alerts = alerts.iter().map(|row| record::alert(&row.body).map_err(StoreError));
        Ok(Kept {
            version,
            rules: rules.collect::<Result<_, _>>()?,
            alerts: alerts.collect::<Result<_, _>>()?,
        })
    }

    async fn put_rule(&self, rule: &Rule, seen: i64) -> Result<Written, StoreError> {
        let body = record::write_rule(rule).map_err(StoreError)?;
        let mut transaction = writing(&self.0).await?;
        if !current(&mut transaction, seen).await? {
            return Ok(Written::Stale);
        }
        let written = sqlx::query!(
            "insert into rule (id, tenant, name, body) values ($1, $2, $3, $4)
             on conflict (id) do update set name = excluded.name, body = excluded.body",
            rule.id.0,
            rule.tenant.0,
            rule.definition.name,
            body
        )
        .execute(&mut *transaction)
        .await;
        if !taken(written)? {
            return Ok(Written::Refused);
        }
        transaction.commit().await.map_err(failed)?;
        Ok(Written::Done(seen + 1))
    }

    async fn delete_rule(
        &self,
        id: RuleId,
        wanted: &[Notification],
        seen: i64,
    ) -> Result<Written, StoreError> {
        let mut transaction = writing(&self.0).await?;
        if !current(&mut transaction, seen).await? {
            return Ok(Written::Stale);
        }
        let alerts = sqlx::query!("delete from alert where rule = $1", id.0);
        alerts.execute(&mut *transaction).await.map_err(failed)?;
        let rules = sqlx::query!("delete from rule where id = $1", id.0);
        rules.execute(&mut *transaction).await.map_err(failed)?;
        notify(&mut transaction, wanted).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(Written::Done(seen + 1))
    }

    async fn channels(&self, tenant: TenantId) -> Result<Vec<Channel>, StoreError> {
        let rows = sqlx::query_as!(
            ChannelRow,
            r#"select id as "id!: Uuid", tenant as "tenant!: Uuid", name as "name!",
                      webhook_url as "webhook_url!", delivered_ms as "delivered_ms?: i64", error
               from channel where tenant = $1 order by name"#,
            tenant.0
        );
        let rows = rows.fetch_all(&mut *reading(&self.0).await?).await.map_err(failed)?;
        Ok(rows.into_iter().map(Channel::from).collect())
    }

    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        let row = sqlx::query_as!(
            ChannelRow,
            r#"select id as "id!: Uuid", tenant as "tenant!: Uuid", name as "name!",
                      webhook_url as "webhook_url!", delivered_ms as "delivered_ms?: i64", error
               from channel where id = $1"#,
            id.0
        );
        let row = row.fetch_optional(&mut *reading(&self.0).await?).await.map_err(failed)?;
        Ok(row.map(Channel::from))
    }

    async fn add_channel(&self, channel: &Channel) -> Result<bool, StoreError> {
        let mut transaction = writing(&self.0).await?;
        let written = sqlx::query!(
            "insert into channel (id, tenant, name, webhook_url) values ($1, $2, $3, $4)",
            channel.id.0,
            channel.tenant.0,
            channel.name,
            channel.webhook_url
        )
        .execute(&mut *transaction)
        .await;
        let is_free = taken(written)?;
        if is_free {
            transaction.commit().await.map_err(failed)?;
        }
        Ok(is_free)
    }

    async fn delete_channel(
        &self,
        tenant: TenantId,
        id: ChannelId,
        seen: i64,
    ) -> Result<Written, StoreError> {
        let mut transaction = writing(&self.0).await?;
        if !current(&mut transaction, seen).await? {
            return Ok(Written::Stale);
        }
        let gone =
            sqlx::query!("delete from channel where id = $1 and tenant = $2", id.0, tenant.0)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        if gone.rows_affected() == 0 {
            return Ok(Written::Refused);
        }
        let outbox = sqlx::query!("delete from outbox where channel = $1", id.0);
        outbox.execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(Written::Done(seen + 1))
    }

    async fn commit(&self, step: &Step, seen: i64) -> Result<Written, StoreError> {
        let mut transaction = writing(&self.0).await?;
        if !current(&mut transaction, seen).await? {
            return Ok(Written::Stale);
        }
        for alert in &step.put {
            let labels = record::labels(&alert.labels).map_err(StoreError)?;
            let body = record::write_alert(alert).map_err(StoreError)?;
            sqlx::query!(
                "insert into alert (rule, labels, body) values ($1, $2, $3)
                 on conflict (rule, labels) do update set body = excluded.body",
                alert.rule.0,
                labels,
                body
            )
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        }
        for (rule, labels) in &step.gone {
            let labels = record::labels(labels).map_err(StoreError)?;
            sqlx::query!("delete from alert where rule = $1 and labels = $2", rule.0, labels)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        notify(&mut transaction, &step.notify).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(Written::Done(seen + 1))
    }

    async fn lead(&self, holder: Uuid, now_ms: i64, until_ms: i64) -> Result<bool, StoreError> {
        let mut transaction = writing(&self.0).await?;
        let taken = sqlx::query!(
            "update leader set holder = $1, until_ms = $2 where holder = $1 or until_ms < $3",
            holder,
            until_ms,
            now_ms
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(taken.rows_affected() == 1)
    }

    async fn due(&self, now_ms: i64, limit: u32) -> Result<Vec<Notification>, StoreError> {
        let limit = i64::from(limit);
        let rows = sqlx::query!(
            r#"select key as "key!", channel as "channel!: Uuid", made_ms as "made_ms!: i64",
                      due_ms as "due_ms!: i64", attempts as "attempts!: i64", body as "body!"
               from outbox
               where seq in (select min(seq) from outbox group by channel) and due_ms <= $1
               order by seq limit $2"#,
            now_ms,
            limit
        );
        let rows = rows.fetch_all(&mut *reading(&self.0).await?).await.map_err(failed)?;
        let rows = rows.into_iter().map(|row| Notification {
            key: row.key,
            channel: ChannelId(row.channel),
            made_ms: row.made_ms,
            due_ms: row.due_ms,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            body: row.body,
        });
        Ok(rows.collect())
    }

    async fn claim(&self, notification: &Notification, until_ms: i64) -> Result<bool, StoreError> {
        let mut transaction = writing(&self.0).await?;
        let taken = sqlx::query!(
            "update outbox set due_ms = $1 where key = $2 and due_ms = $3",
            until_ms,
            notification.key,
            notification.due_ms
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(taken.rows_affected() == 1)
    }

    async fn tried(
        &self,
        notification: &Notification,
        attempt: &Attempt,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut transaction = writing(&self.0).await?;
        let (channel, key) = (notification.channel.0, &notification.key);
        let (error, delivered_ms) = match attempt {
            Attempt::Delivered => (None, Some(now_ms)),
            Attempt::Again(_, why) | Attempt::GivenUp(why) => (Some(why), None),
        };
        sqlx::query!(
            "update channel set error = $1, delivered_ms = coalesce($2, delivered_ms) where id = $3",
            error,
            delivered_ms,
            channel
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        match attempt {
            Attempt::Delivered | Attempt::GivenUp(_) => {
                let done = sqlx::query!("delete from outbox where key = $1", key);
                done.execute(&mut *transaction).await.map_err(failed)?;
            }
            Attempt::Again(due_ms, _) => {
                sqlx::query!(
                    "update outbox set due_ms = $1, attempts = attempts + 1 where key = $2",
                    due_ms,
                    key
                )
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            }
        }
        transaction.commit().await.map_err(failed)
    }
}
