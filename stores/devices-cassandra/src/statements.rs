//! The CQL. Every value is bound; every question says how many rows at most, or is about the rows of
//! one device, whose number the service limits.

use openframe_cassandra::{Database, Failure};
use scylla::statement::prepared::PreparedStatement;

/// Every statement, prepared.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) partitions: Partitions,
    pub(crate) rows: Rows,
    pub(crate) keys: Keys,
    pub(crate) dues: Dues,
}

impl Statements {
    pub(crate) async fn prepare(database: &Database) -> Result<Self, Failure> {
        Ok(Self {
            partitions: Partitions::prepare(database).await?,
            rows: Rows::prepare(database).await?,
            keys: Keys::prepare(database).await?,
            dues: Dues::prepare(database).await?,
        })
    }
}

const PARTITION: &str = "select distinct version, writers, record, retired, unfinished
    from {ks}.device where tenant = ? and device = ?";

/// Whole devices.
#[derive(Debug)]
pub(crate) struct Partitions {
    pub(crate) partition: PreparedStatement,
    pub(crate) settle: PreparedStatement,
    pub(crate) change: PreparedStatement,
    pub(crate) put: PreparedStatement,
    pub(crate) remove: PreparedStatement,
    pub(crate) clear: PreparedStatement,
    pub(crate) first: PreparedStatement,
    pub(crate) all: PreparedStatement,
}

impl Partitions {
    async fn prepare(database: &Database) -> Result<Self, Failure> {
        let all = async |cql: &str| database.prepare(cql).await;
        let conditional = async |cql: &str| database.prepare_conditional(cql).await;
        Ok(Self {
            partition: all(PARTITION).await?,
            settle: database.prepare_settling(PARTITION).await?,
            change: conditional(
                "update {ks}.device
                    set version = ?, writers = ?, record = ?, retired = ?, unfinished = ?
                 where tenant = ? and device = ? if version = ?",
            )
            .await?,
            put: all("insert into {ks}.device
                 (tenant, device, kind, name, position, body, data, hash, reported_at_ms, bytes)
                 values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .await?,
            remove: all("delete from {ks}.device
                 where tenant = ? and device = ? and kind = ? and name = ? and position = ?")
            .await?,
            clear: all("delete from {ks}.device
                where tenant = ? and device = ? and kind >= ?")
            .await?,
            first: all("select distinct tenant, device, record from {ks}.device limit ?").await?,
            all: all("select distinct tenant, device, record from {ks}.device
                 where token(tenant, device) > token(?, ?) limit ?")
            .await?,
        })
    }
}

/// What a device has, by kind.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) body: PreparedStatement,
    pub(crate) bodies: PreparedStatement,
    pub(crate) chunks: PreparedStatement,
    pub(crate) offsets: PreparedStatement,
    pub(crate) tail: PreparedStatement,
    pub(crate) section: PreparedStatement,
    pub(crate) history: PreparedStatement,
    pub(crate) kept: PreparedStatement,
    pub(crate) place: PreparedStatement,
    pub(crate) put_place: PreparedStatement,
}

impl Rows {
    async fn prepare(database: &Database) -> Result<Self, Failure> {
        let all = async |cql: &str| database.prepare(cql).await;
        Ok(Self {
            body: all("select body from {ks}.device
                 where tenant = ? and device = ? and kind = ? and name = ? and position = 0")
            .await?,
            bodies: all("select body from {ks}.device
                 where tenant = ? and device = ? and kind = 'command' and name < ?
                 order by kind desc, name desc, position desc limit ?")
            .await?,
            chunks: all("select position, body, data from {ks}.device
                 where tenant = ? and device = ? and kind = 'chunk' and name = ? and position >= ?
                 limit ?")
            .await?,
            offsets: all("select position from {ks}.device
                 where tenant = ? and device = ? and kind = 'chunk' and name = ? and position >= ?
                 limit ?")
            .await?,
            // One command's rows, looked through from the end.
            tail: all(
                "select data from {ks}.device
                 where tenant = ? and device = ? and kind = 'chunk' and name = ? and position < ?
                 and body = ? order by kind desc, name desc, position desc limit 3 allow filtering",
            )
            .await?,
            section: all("select position, reported_at_ms, hash, data from {ks}.device
                 where tenant = ? and device = ? and kind = 'section' and name = ? and position <= ?
                 order by kind desc, name desc, position desc limit 1")
            .await?,
            history: all("select position, hash, reported_at_ms from {ks}.device
                 where tenant = ? and device = ? and kind = 'section' and name = ?
                 order by kind desc, name desc, position desc")
            .await?,
            kept: all("select name, position, bytes from {ks}.device
                 where tenant = ? and device = ? and kind = 'section'")
            .await?,
            place: all("select device from {ks}.command_device where tenant = ? and command = ?")
                .await?,
            put_place: all("insert into {ks}.command_device
                (tenant, command, device) values (?, ?, ?)")
            .await?,
        })
    }
}

/// Idempotency keys.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) key: PreparedStatement,
    pub(crate) claim: PreparedStatement,
    pub(crate) take_over: PreparedStatement,
    pub(crate) release: PreparedStatement,
}

impl Keys {
    async fn prepare(database: &Database) -> Result<Self, Failure> {
        let conditional = async |cql: &str| database.prepare_conditional(cql).await;
        Ok(Self {
            key: database
                .prepare_settling(
                    "select request, command, device, until_ms from {ks}.used_key
                     where tenant = ? and caller = ? and name = ?",
                )
                .await?,
            claim: conditional(
                "insert into {ks}.used_key
                    (tenant, caller, name, request, command, device, until_ms)
                 values (?, ?, ?, ?, ?, ?, ?) if not exists using ttl ?",
            )
            .await?,
            take_over: conditional(
                "update {ks}.used_key using ttl ?
                    set request = ?, command = ?, device = ?, until_ms = ?
                 where tenant = ? and caller = ? and name = ? if command = ?",
            )
            .await?,
            release: conditional(
                "delete from {ks}.used_key
                    where tenant = ? and caller = ? and name = ? if command = ?",
            )
            .await?,
        })
    }
}

/// When commands may have to be ended.
#[derive(Debug)]
pub(crate) struct Dues {
    pub(crate) days: PreparedStatement,
    pub(crate) put_day: PreparedStatement,
    pub(crate) remove_day: PreparedStatement,
    pub(crate) due: PreparedStatement,
    pub(crate) put_due: PreparedStatement,
    pub(crate) remove_due: PreparedStatement,
}

impl Dues {
    async fn prepare(database: &Database) -> Result<Self, Failure> {
        let all = async |cql: &str| database.prepare(cql).await;
        Ok(Self {
            days: all("select day from {ks}.due_day where part = 'all' and day >= ? and day <= ?")
                .await?,
            put_day: all("insert into {ks}.due_day (part, day) values ('all', ?)").await?,
            remove_day: all("delete from {ks}.due_day where part = 'all' and day = ?").await?,
            due: all("select due_at_ms, command, tenant, device from {ks}.due
                 where day = ? and (due_at_ms, command) > (?, ?) and (due_at_ms) <= (?) limit ?")
            .await?,
            put_due: all("insert into {ks}.due
                    (day, due_at_ms, command, tenant, device) values (?, ?, ?, ?, ?)")
            .await?,
            remove_due: all("delete from {ks}.due where day = ? and due_at_ms = ? and command = ?")
                .await?,
        })
    }
}
