//! One SQLite file.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::OpenError;

/// How many connections read at the same time.
pub const READERS: u32 = 4;
/// How long a statement waits for another process's lock, such as a backup's.
const BUSY: Duration = Duration::from_secs(5);
/// How long a caller waits for its turn on a connection.
const TURN: Duration = Duration::from_secs(10);

/// One SQLite file, open: a single writing connection, so that writers queue instead of failing,
/// and [`READERS`] reading ones, which never wait for the writer (write-ahead log).
///
/// A write that has returned survives a power cut (`synchronous=FULL`). Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Database {
    /// Opens the file, makes it (readable by its owner only) if it is not there, and brings its
    /// tables up to date.
    pub async fn open(path: &Path, migrations: &'static Migrator) -> Result<Self, OpenError> {
        make_private(path)?;
        let failed = |cause| OpenError::Database { path: path.to_path_buf(), cause };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let writer = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        migrations
            .run(&writer)
            .await
            .map_err(|cause| OpenError::Migrate { path: path.to_path_buf(), cause })?;
        // Refuses writes by mistake: whatever changes something goes through the one writer.
        let reading = options.pragma("query_only", "on");
        let reader = pool(READERS).connect_with(reading).await.map_err(failed)?;
        tracing::debug!(path = %path.display(), "opened database {}", path.display());
        Ok(Self { writer, reader })
    }

    /// The one connection that writes. A transaction on it is alone: begin, read and write at
    /// leisure, nothing changes in between.
    pub fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// Connections that read what has been committed.
    pub fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// Fails unless the file can be read and the writer gets its turn.
    pub async fn probe(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT count(*) FROM sqlite_schema").execute(&self.reader).await?;
        let mut writer = self.writer.acquire().await?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *writer).await?;
        sqlx::query("ROLLBACK").execute(&mut *writer).await.map(drop)
    }

    /// Runs one statement as an administrator would, without values from outside.
    pub async fn run(&self, statement: &str) -> Result<(), sqlx::Error> {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(&self.writer).await.map(drop)
    }

    /// Writes a consistent copy to a file that must not exist yet, while work goes on.
    pub async fn backup_to(&self, path: &Path) -> Result<(), OpenError> {
        if path.exists() {
            let cause = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(OpenError::NotWritable { path: path.to_path_buf(), cause });
        }
        // SQLite fills an empty file; made here, so that nobody else can ever read it.
        make_private(path)?;
        let Some(text) = path.to_str() else { return Err(not_text(path)) };
        // A reading connection refuses `VACUUM INTO` (`query_only`), so the writer does it.
        sqlx::query("VACUUM INTO $1")
            .bind(text)
            .execute(&self.writer)
            .await
            .map_err(|cause| OpenError::Database { path: path.to_path_buf(), cause })?;
        let durable = |cause| OpenError::NotWritable { path: path.to_path_buf(), cause };
        File::open(path).and_then(|file| file.sync_all()).map_err(durable)
    }

    /// Closes every connection; what is in the log is moved into the file.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Writes a consistent copy of the database `from`, which another process may be using, to the file
/// `to`, which must not exist yet.
pub async fn copy(from: &Path, to: &Path) -> Result<(), OpenError> {
    let failed = |cause| OpenError::Database { path: from.to_path_buf(), cause };
    let options = SqliteConnectOptions::new().filename(from).busy_timeout(BUSY);
    let pool = pool(1).connect_with(options).await.map_err(failed)?;
    let database = Database { writer: pool.clone(), reader: pool };
    let copied = database.backup_to(to).await;
    database.close().await;
    copied
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(connections)
        .acquire_timeout(TURN)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Makes the file with mode 0600 before SQLite does: its log and index files get the same mode.
fn make_private(path: &Path) -> Result<(), OpenError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|cause| OpenError::NotWritable { path: path.to_path_buf(), cause })
}

fn not_text(path: &Path) -> OpenError {
    let cause = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the path is not UTF-8");
    OpenError::NotWritable { path: PathBuf::from(path), cause }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use sqlx::Row as _;

    use super::*;

    static NONE: Migrator = Migrator::DEFAULT;

    async fn one(pool: &SqlitePool, question: &'static str) -> String {
        let row = sqlx::query(question).fetch_one(pool).await.unwrap();
        row.try_get::<i64, _>(0).map_or_else(|_| row.get::<String, _>(0), |n| n.to_string())
    }

    #[tokio::test]
    async fn a_file_is_private_durable_and_read_by_readers_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let db = Database::open(&path, &NONE).await.unwrap();
        sqlx::query("create table t (x integer)").execute(db.writer()).await.unwrap();
        for file in ["a.db", "a.db-wal"] {
            let mode = folder.path().join(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        for pool in [db.writer(), db.reader()] {
            assert_eq!(one(pool, "pragma journal_mode").await, "wal");
            assert_eq!(one(pool, "pragma synchronous").await, "2");
            assert_eq!(one(pool, "pragma foreign_keys").await, "1");
        }
        let refused = sqlx::query("insert into t values (1)").execute(db.reader()).await;
        assert_eq!(crate::trouble(&refused.unwrap_err()), crate::Trouble::Unavailable);
    }

    #[tokio::test]
    async fn a_probe_tells_a_database_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let db = Database::open(&path, &NONE).await.unwrap();
        db.probe().await.unwrap();
        db.probe().await.unwrap();
        db.close().await;
        assert!(db.probe().await.is_err());
    }

    #[tokio::test]
    async fn a_backup_holds_what_was_committed() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(&folder.path().join("a.db"), &NONE).await.unwrap();
        sqlx::query("create table t (x integer)").execute(db.writer()).await.unwrap();
        sqlx::query("insert into t values (7)").execute(db.writer()).await.unwrap();
        let copy = folder.path().join("copy.db");
        db.backup_to(&copy).await.unwrap();
        assert!(db.backup_to(&copy).await.is_err(), "a copy is never written over");
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let copy = Database::open(&copy, &NONE).await.unwrap();
        assert_eq!(one(copy.reader(), "select x from t").await, "7");
    }
}
