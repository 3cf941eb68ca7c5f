//! One schema of a cluster.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection as _, PgPool, Postgres, Row as _, Transaction};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::OpenError;
use crate::primary::{Nodes, PATIENCE, follow};

/// How long a connection may have rested and be used without asking whether it is still there. The pool
/// asks each time that one is given back, which is most often just now.
const RESTED: Duration = Duration::from_secs(1);
/// How long a caller waits for a connection.
const TURN: Duration = Duration::from_secs(5);
/// The default port.
const PORT: u16 = 5432;

/// How a cluster is reached.
#[derive(Clone)]
pub struct Settings {
    /// Every node, as `HOST` or `HOST:PORT`.
    pub hosts: Vec<String>,
    /// The role to sign in as.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The database in the cluster.
    pub database: String,
    /// The schema in the database: each service has its own.
    pub schema: String,
    /// The file with the authority that the nodes' certificates come from, PEM.
    pub authority: PathBuf,
    /// Connections to one node at most.
    pub connections: u32,
}

// The password stays out of logs.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settings({}@{:?}/{}/{})", self.user, self.hosts, self.database, self.schema)
    }
}

impl Settings {
    fn options(&self, host: &str) -> PgConnectOptions {
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(PORT)),
            None => (host, PORT),
        };
        PgConnectOptions::new_without_pgpass()
            .host(host)
            .port(port)
            .username(&self.user)
            .password(&self.password)
            .database(&self.database)
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert(&self.authority)
            .application_name("openframe")
            .options([("search_path", self.schema.as_str())])
    }

    fn check(&self) -> Result<(), OpenError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.schema.is_empty() || !self.schema.chars().all(plain) {
            return Err(OpenError::BadSchema(self.schema.clone()));
        }
        Ok(())
    }
}

/// One schema of a cluster, open. Everything is read and written at the primary. Cheap to clone; the
/// last clone ends the looking for it.
#[derive(Debug, Clone)]
pub struct Database {
    nodes: Arc<Nodes>,
    schema: Arc<str>,
    _following: Arc<DropGuard>,
}

impl Database {
    /// Connects to the primary, and follows it from then on. The tables are not looked at.
    pub async fn connect(settings: &Settings) -> Result<Self, OpenError> {
        settings.check()?;
        let pool = |host: &String| {
            PgPoolOptions::new()
                .max_connections(settings.connections)
                .acquire_timeout(TURN)
                .test_before_acquire(false)
                .before_acquire(|connection, meta| {
                    Box::pin(async move {
                        if meta.idle_for > RESTED {
                            connection.ping().await?;
                        }
                        Ok(true)
                    })
                })
                .connect_lazy_with(settings.options(host))
        };
        let pools = settings.hosts.iter().map(pool).collect();
        let nodes = Arc::new(Nodes::new(settings.hosts.clone(), pools));
        first_look(&nodes).await?;
        let stop = CancellationToken::new();
        tokio::spawn(follow(Arc::clone(&nodes), stop.clone()));
        let schema = settings.schema.as_str().into();
        Ok(Self { nodes, schema, _following: Arc::new(stop.drop_guard()) })
    }

    /// Connections to the primary, as far as is known. When a statement fails as
    /// [`crate::Trouble::Unavailable`], say so by [`Database::lost`].
    pub fn primary(&self) -> &PgPool {
        self.nodes.primary()
    }

    /// Begins a transaction that holds the lock `number` to its end: of those that begin so with the
    /// same number one works at a time, and sees all that the others have committed (READ COMMITTED).
    pub async fn begin_alone(
        &self,
        number: i64,
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        // In one round trip. Nothing but a number is put into the statement.
        let begin = format!("begin; select pg_advisory_xact_lock({number})");
        self.primary().begin_with(sqlx::AssertSqlSafe(begin)).await
    }

    /// Has the primary looked for at once.
    pub fn lost(&self) {
        self.nodes.lost();
    }

    /// Makes the schema and brings its tables up to date. Of several that do so at the same time one
    /// works and the others wait. Returns the versions that were applied.
    pub async fn migrate(&self, migrations: &Migrator) -> Result<Vec<i64>, OpenError> {
        let failed = |cause| OpenError::Database { schema: self.schema.to_string(), cause };
        let create = format!("create schema if not exists {}", self.schema);
        // Two at the same time clash although both say "if not exists"; the second finds it.
        let mut made = self.run(&create).await;
        if made.is_err() {
            made = self.run(&create).await;
        }
        made.map_err(failed)?;
        let before = self.version().await?;
        migrations
            .run(self.primary())
            .await
            .map_err(|cause| OpenError::Migrate { schema: self.schema.to_string(), cause })?;
        let versions = migrations.iter().map(|migration| migration.version);
        Ok(versions.filter(|version| *version > before).collect())
    }

    /// Fails unless the tables are those that `migrations` make.
    pub async fn check(&self, migrations: &Migrator) -> Result<(), OpenError> {
        let wanted = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
        let found = self.version().await?;
        if found == wanted {
            return Ok(());
        }
        Err(OpenError::OtherVersion { schema: self.schema.to_string(), found, wanted })
    }

    /// The newest migration that was applied; 0 for none.
    async fn version(&self) -> Result<i64, OpenError> {
        let failed = |cause| OpenError::Database { schema: self.schema.to_string(), cause };
        let known = "select to_regclass('_sqlx_migrations') is not null";
        let known = sqlx::query(known).fetch_one(self.primary()).await.map_err(failed)?;
        if !known.get::<bool, _>(0) {
            return Ok(0);
        }
        let newest = "select coalesce(max(version), 0) from _sqlx_migrations where success";
        let newest = sqlx::query(newest).fetch_one(self.primary()).await.map_err(failed)?;
        Ok(newest.get(0))
    }

    /// Runs one statement as an administrator would, without values from outside.
    pub async fn run(&self, statement: &str) -> Result<(), sqlx::Error> {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(self.primary()).await.map(drop)
    }

    /// Fails unless the primary answers.
    pub async fn probe(&self) -> Result<(), sqlx::Error> {
        sqlx::query("select 1").execute(self.primary()).await.map(drop)
    }

    /// Removes the schema and all that is in it: for tests.
    pub async fn remove_schema(&self) -> Result<(), sqlx::Error> {
        self.run(&format!("drop schema if exists {} cascade", self.schema)).await
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.nodes.close().await;
    }
}

/// Finds the primary. A node that hangs is not waited for where another is the primary; where none is,
/// they get more time: a connection takes a signature, a look at a certificate and thousands of hashes,
/// which machines that are short of processors do not do in two seconds.
async fn first_look(nodes: &Nodes) -> Result<(), OpenError> {
    let mut found = nodes.look(PATIENCE).await;
    for patience in [TURN, TURN] {
        match found {
            Err(OpenError::NoPrimary { cause: Some(sqlx::Error::PoolTimedOut), .. }) => {
                found = nodes.look(patience).await;
            }
            _ => break,
        }
    }
    found
}
