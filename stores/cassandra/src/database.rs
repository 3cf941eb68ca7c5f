//! One keyspace of a cluster, and the statements on it.

use std::sync::Arc;

use scylla::client::session::Session;
use scylla::deserialize::row::DeserializeRow;
use scylla::policies::retry::{
    DefaultRetryPolicy, RequestInfo, RetryDecision, RetryPolicy, RetrySession,
};
use scylla::response::query_result::QueryResult;
use scylla::serialize::batch::BatchValues;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::Batch;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::{CqlValue, Row};

use crate::{Cluster, Failure, OpenError};

/// How often a question is asked at most.
const TRIES: u32 = 3;

/// One keyspace, open. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pub(crate) session: Arc<Session>,
    pub(crate) keyspace: Arc<str>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({})", self.keyspace)
    }
}

impl Database {
    /// Connects to the cluster. The tables are not looked at.
    pub async fn connect(cluster: &Cluster, keyspace: &str) -> Result<Self, OpenError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !(1..=48).contains(&keyspace.len()) || !keyspace.chars().all(plain) {
            return Err(OpenError::BadKeyspace(keyspace.to_owned()));
        }
        let session = Arc::new(cluster.connect(Some(keyspace)).await?);
        Ok(Self { session, keyspace: keyspace.into() })
    }

    /// Prepares a question, or a write that may be done twice. `{ks}` in it stands for the keyspace.
    pub async fn prepare(&self, cql: &str) -> Result<PreparedStatement, Failure> {
        let prepared = self.session.prepare(self.named(cql)).await;
        let mut statement = prepared.map_err(|error| Failure::Unavailable(error.into()))?;
        statement.set_is_idempotent(true);
        Ok(statement)
    }

    /// Prepares a question that also sees conditional writes whose writers were not answered, and
    /// settles them (a `LOCAL_SERIAL` read).
    pub async fn prepare_settling(&self, cql: &str) -> Result<PreparedStatement, Failure> {
        let mut statement = self.prepare(cql).await?;
        statement.set_consistency(Consistency::LocalSerial);
        statement.set_retry_policy(Some(Arc::new(SettlingRetry)));
        Ok(statement)
    }

    /// Prepares a conditional write (a lightweight transaction). It is never tried twice by itself.
    pub async fn prepare_conditional(&self, cql: &str) -> Result<PreparedStatement, Failure> {
        let mut statement = self.prepare(cql).await?;
        statement.set_is_idempotent(false);
        statement.set_serial_consistency(Some(SerialConsistency::LocalSerial));
        Ok(statement)
    }

    /// All rows that a question gives: it has to say how many at most. It is asked again when nodes
    /// that the one asked needs do not answer it in time, which the driver leaves to us.
    pub async fn rows<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Vec<R>, Failure>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        let mut tries = 1;
        let result = loop {
            match self.session.execute_unpaged(statement, &values).await.map_err(Failure::from) {
                Err(Failure::Unavailable(_)) if tries < TRIES => tries += 1,
                answer => break answer?,
            }
        };
        let rows = result.into_rows_result().map_err(other)?;
        rows.rows::<R>().map_err(other)?.map(|row| row.map_err(other)).collect()
    }

    /// Writes.
    pub async fn write(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<(), Failure> {
        Ok(self.session.execute_unpaged(statement, values).await.map(drop)?)
    }

    /// Writes if the condition holds, and says whether it did.
    pub async fn apply(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<bool, Failure> {
        applied(self.session.execute_unpaged(statement, values).await?)
    }

    /// Writes all statements of a batch if all of its conditions hold, and says whether they did.
    pub async fn apply_batch(
        &self,
        batch: &Batch,
        values: impl BatchValues,
    ) -> Result<bool, Failure> {
        applied(self.session.batch(batch, values).await?)
    }

    /// Fails unless enough nodes answer.
    pub async fn probe(&self) -> Result<(), Failure> {
        let question = "select key from system.local where key = 'local'";
        Ok(self.session.query_unpaged(question, ()).await.map(drop)?)
    }

    /// Removes the keyspace and all that is in it: for tests.
    pub async fn remove_keyspace(&self) -> Result<(), Failure> {
        self.define("drop keyspace if exists {ks}").await
    }

    /// Removes the rows of every table; which version the tables have stays known: for tests.
    pub async fn empty(&self) -> Result<(), Failure> {
        let tables =
            "select table_name from system_schema.tables where keyspace_name = ? limit 100";
        let tables = self.prepare(tables).await?;
        let tables: Vec<(String,)> = self.rows(&tables, (&*self.keyspace,)).await?;
        for (table,) in tables.into_iter().filter(|(table,)| table != "migration") {
            // To look costs three nodes less than to truncate.
            let some = self.prepare(&format!("select * from {{ks}}.{table} limit 1")).await?;
            let some: Vec<Row> = self.rows(&some, ()).await?;
            if !some.is_empty() {
                self.define(&format!("truncate {{ks}}.{table}")).await?;
            }
        }
        Ok(())
    }

    /// The statement with the keyspace's name in it.
    pub(crate) fn named(&self, cql: &str) -> String {
        cql.replace("{ks}", &self.keyspace)
    }

    /// Changes tables. Values cannot be bound in such statements.
    pub(crate) async fn define(&self, cql: &str) -> Result<(), Failure> {
        let mut statement = scylla::statement::unprepared::Statement::new(self.named(cql));
        statement.set_request_timeout(Some(crate::cluster::DEFINE_TIMEOUT));
        Ok(self.session.query_unpaged(statement, ()).await.map(drop)?)
    }
}

/// Asks settling reads again of another node, as the driver does for all other reads. It asks none
/// again that is serial, since it takes all of those for conditional writes, which may not be done
/// twice.
#[derive(Debug)]
struct SettlingRetry;

impl RetryPolicy for SettlingRetry {
    fn new_session(&self) -> Box<dyn RetrySession> {
        Box::new(SettlingRetrySession(DefaultRetryPolicy::new().new_session()))
    }
}

struct SettlingRetrySession(Box<dyn RetrySession>);

impl RetrySession for SettlingRetrySession {
    fn decide_should_retry(&mut self, mut failed: RequestInfo<'_>) -> RetryDecision {
        failed.consistency = Consistency::LocalQuorum;
        self.0.decide_should_retry(failed)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

pub(crate) fn other(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Other(error.into())
}

/// The first column of the answer to a conditional write.
fn applied(result: QueryResult) -> Result<bool, Failure> {
    let rows = result.into_rows_result().map_err(other)?;
    let row = rows.first_row::<Row>().map_err(other)?;
    Ok(matches!(row.columns.first(), Some(Some(CqlValue::Boolean(true)))))
}
