//! What the auth service keeps, changed by somebody who owns its database.

use anyhow::Context as _;
use openframe_lab::Lab;

use crate::Server;

/// The database of a server's auth service, open beside the server.
#[derive(Debug)]
pub enum AuthDatabase {
    /// The file of one process.
    Sqlite(openframe_sqlite::Database),
    /// A schema of the lab's cluster.
    Postgres(openframe_postgres::Database),
}

/// What keeps the trail append-only.
const SQLITE_TRIGGERS: [&str; 8] = [
    "audit_is_never_changed",
    "audit_is_never_shortened",
    "audit_grows_at_its_end",
    "audit_head_moves_on",
    "audit_head_stays",
    "audit_checkpoint_is_never_changed",
    "audit_checkpoint_stays",
    "audit_checkpoints_grow_at_their_end",
];
/// What the trail is kept in.
const TABLES: [&str; 3] = ["audit", "audit_heads", "audit_checkpoints"];

impl Server {
    /// Opens the auth service's database.
    pub async fn auth_database(&mut self) -> anyhow::Result<AuthDatabase> {
        if let Some(picture) = self.picture() {
            let settings = Lab::usual()?.postgres(&format!("{}_auth", picture.prefix()));
            let database = openframe_postgres::Database::connect(&settings).await?;
            return Ok(AuthDatabase::Postgres(database));
        }
        let (file, migrations) = (self.data().join("auth.db"), &openframe_auth_sqlite::MIGRATIONS);
        Ok(AuthDatabase::Sqlite(openframe_sqlite::Database::open(&file, migrations).await?))
    }
}

impl AuthDatabase {
    /// Runs one statement.
    pub async fn run(&self, statement: &str) -> anyhow::Result<()> {
        let done = match self {
            Self::Sqlite(database) => database.run(statement).await,
            Self::Postgres(database) => database.run(statement).await,
        };
        done.with_context(|| statement.to_owned())
    }

    /// Takes away what keeps the trail append-only.
    pub async fn disarm(&self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(_) => {
                for trigger in SQLITE_TRIGGERS {
                    self.run(&format!("drop trigger {trigger}")).await?;
                }
            }
            Self::Postgres(_) => {
                for table in TABLES {
                    self.run(&format!("alter table {table} disable trigger user")).await?;
                }
            }
        }
        Ok(())
    }

    /// Keeps the trail as it is now, for [`Self::mend`].
    pub async fn keep(&self) -> anyhow::Result<()> {
        for table in TABLES {
            self.run(&format!("create table kept_{table} as select * from {table}")).await?;
        }
        Ok(())
    }

    /// Makes the trail what it was when it was kept.
    pub async fn mend(&self) -> anyhow::Result<()> {
        for table in TABLES {
            self.run(&format!("delete from {table}")).await?;
            self.run(&format!("insert into {table} select * from kept_{table}")).await?;
        }
        Ok(())
    }

    /// Bytes, as they are written in a statement.
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
        let hex: String =
            bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        match self {
            Self::Sqlite(_) => format!("x'{hex}'"),
            Self::Postgres(_) => format!("'\\x{hex}'::bytea"),
        }
    }
}
