//! Tables brought up to date, by one program at a time.

use std::time::Duration;

use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Database, Failure, OpenError};

/// One step of the tables' history: its version, and CQL whose statements may be run twice, each
/// ended by `;`. `{ks}` stands for the keyspace.
pub type Migration = (i64, &'static str);

/// How long a lock lasts unless it is renewed, seconds: more than one step takes.
const LOCK_TTL_S: i32 = 60;
/// How often somebody who waits looks whether the lock is free.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often somebody who has the lock tries to keep it or to give it back: those who want it ask at
/// the same moment, and of conditional writes that meet on a busy cluster some time out.
const HOLDER_TRIES: u32 = 8;
/// How often it looks at most: a lock that was left behind has ended by then.
const LOOKS: u32 = 480;

/// Asks who has the lock.
const HOLDER: &str = "select holder from {ks}.migration where part = 'lock' limit 1";
type Held = (Option<Uuid>,);

impl Database {
    /// Makes the keyspace and brings its tables up to date. Of several that do so at the same time
    /// one works and the others wait. Returns the versions that were applied.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<i64>, OpenError> {
        self.make_keyspace().await.map_err(|failure| self.broken(failure))?;
        let holder = Uuid::from_bytes(openframe_ids::random());
        if !self.lock(holder).await.map_err(|failure| self.broken(failure))? {
            return Err(OpenError::Locked(self.keyspace.to_string()));
        }
        let done = self.catch_up(migrations, holder).await;
        // A lock that stays ends by itself.
        drop(self.unlock(holder).await);
        done
    }

    /// Fails unless the tables are those that `migrations` make.
    pub async fn check(&self, migrations: &[Migration]) -> Result<(), OpenError> {
        let wanted = migrations.iter().map(|(version, _)| *version).max().unwrap_or(0);
        let found = self.version().await.map_err(|failure| self.broken(failure))?;
        if found == wanted {
            return Ok(());
        }
        Err(OpenError::OtherVersion { keyspace: self.keyspace.to_string(), found, wanted })
    }

    fn broken(&self, failure: Failure) -> OpenError {
        let keyspace = self.keyspace.to_string();
        OpenError::Database { keyspace, cause: failure.into() }
    }

    async fn make_keyspace(&self) -> Result<(), Failure> {
        self.define(
            "create keyspace if not exists {ks} with replication = \
             {'class': 'NetworkTopologyStrategy', 'replication_factor': 3}",
        )
        .await?;
        // Somebody else may have made it a moment ago: then nothing here has waited for the nodes.
        self.agree().await?;
        // A table has an id of its own. Two that make the same one at the same time make it twice,
        // with one that loses what was written to it, unless both say the same id.
        let digest = Sha256::digest(self.keyspace.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(digest.get(..16).unwrap_or(&[0; 16]));
        self.define(&format!(
            "create table if not exists {{ks}}.migration \
             (part text primary key, holder uuid, version bigint) with id = {}",
            Uuid::from_bytes(id)
        ))
        .await?;
        self.agree().await
    }

    /// Waits until every node that can be reached knows the same tables.
    async fn agree(&self) -> Result<(), Failure> {
        let agreed = self.session.await_schema_agreement().await;
        agreed.map(drop).map_err(|error| Failure::Unavailable(error.into()))
    }

    /// Waits for the lock; false when somebody else has it for too long.
    async fn lock(&self, holder: Uuid) -> Result<bool, Failure> {
        let take = self
            .prepare_conditional(
                "insert into {ks}.migration (part, holder) values ('lock', ?) if not exists using ttl ?",
            )
            .await?;
        let glance = self.prepare(HOLDER).await?;
        let mut failed = None;
        for _ in 0..LOOKS {
            // Whoever has it needs conditional writes too: those who wait only look.
            failed = match self.rows::<Held>(&glance, ()).await {
                Ok(rows) if held_by(&rows).is_some() => None,
                Ok(_) => match self.take(&take, holder).await {
                    Ok(true) => return Ok(true),
                    Ok(false) => None,
                    Err(failure) => Some(failure),
                },
                Err(failure) => Some(failure),
            };
            tokio::time::sleep(LOOK_EVERY).await;
        }
        failed.map_or(Ok(false), Err)
    }

    /// Tries to take the lock. A try that failed may have been done all the same.
    async fn take(&self, take: &PreparedStatement, holder: Uuid) -> Result<bool, Failure> {
        if self.apply(take, (holder, LOCK_TTL_S)).await.unwrap_or(false) {
            return Ok(true);
        }
        let settled = self.prepare_settling(HOLDER).await?;
        Ok(held_by(&self.rows(&settled, ()).await?) == Some(holder))
    }

    async fn unlock(&self, holder: Uuid) -> Result<bool, Failure> {
        let release = self
            .prepare_conditional("delete from {ks}.migration where part = 'lock' if holder = ?")
            .await?;
        self.insist(&release, (holder,)).await
    }

    /// Writes if the condition holds, again when it is not known whether that was done.
    async fn insist(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<bool, Failure> {
        let mut tries = 1;
        loop {
            match self.apply(statement, &values).await {
                Err(Failure::Unavailable(_)) if tries < HOLDER_TRIES => tries += 1,
                answer => return answer,
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn catch_up(
        &self,
        migrations: &[Migration],
        holder: Uuid,
    ) -> Result<Vec<i64>, OpenError> {
        let broken = |failure| self.broken(failure);
        let before = self.version().await.map_err(broken)?;
        let mut applied = Vec::new();
        for (version, cql) in migrations.iter().filter(|(version, _)| *version > before) {
            if !self.renew(holder).await.map_err(broken)? {
                return Err(OpenError::Locked(self.keyspace.to_string()));
            }
            for statement in statements(cql) {
                self.define(&statement).await.map_err(broken)?;
            }
            self.agree().await.map_err(broken)?;
            self.set_version(*version).await.map_err(broken)?;
            applied.push(*version);
        }
        Ok(applied)
    }

    async fn renew(&self, holder: Uuid) -> Result<bool, Failure> {
        let renew = self
            .prepare_conditional(
                "update {ks}.migration using ttl ? set holder = ? where part = 'lock' if holder = ?",
            )
            .await?;
        self.insist(&renew, (LOCK_TTL_S, holder, holder)).await
    }

    async fn set_version(&self, version: i64) -> Result<(), Failure> {
        let set = self
            .prepare("insert into {ks}.migration (part, version) values ('version', ?)")
            .await?;
        self.write(&set, (version,)).await
    }

    /// The newest migration that was applied; 0 for none.
    async fn version(&self) -> Result<i64, Failure> {
        let known = self
            .prepare(
                "select table_name from system_schema.tables \
                 where keyspace_name = ? and table_name = 'migration' limit 1",
            )
            .await?;
        let tables: Vec<(String,)> = self.rows(&known, (&*self.keyspace,)).await?;
        if tables.is_empty() {
            return Ok(0);
        }
        let question = "select version from {ks}.migration where part = 'version' limit 1";
        let question = self.prepare(question).await?;
        let rows: Vec<(Option<i64>,)> = self.rows(&question, ()).await?;
        Ok(rows.first().and_then(|(version,)| *version).unwrap_or(0))
    }
}

/// The holder of the lock, from a row that may be there without one.
fn held_by(rows: &[Held]) -> Option<Uuid> {
    rows.first().and_then(|(holder,)| *holder)
}

/// The statements of a file, without its comments (lines that begin with `--`).
fn statements(cql: &str) -> Vec<String> {
    let lines = cql.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let statements = text.split(';').map(|statement| statement.trim().to_owned());
    statements.filter(|statement| !statement.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_into_its_statements() {
        let cql =
            "-- why; and how\ncreate table a (b int);\n\n  -- more\ncreate table c\n(d int);\n";
        assert_eq!(statements(cql), ["create table a (b int)", "create table c\n(d int)"]);
    }
}
