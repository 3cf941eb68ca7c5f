//! The CQL. Every value is bound; every question says how many rows at most.

use openframe_cassandra::{Database, Failure};
use scylla::statement::prepared::PreparedStatement;

use crate::log::PART_ROWS;

/// Every statement, prepared.
#[derive(Debug)]
pub(crate) struct Statements {
    /// Chapter, writer, seconds to keep.
    pub(crate) register: PreparedStatement,
    /// Chapter.
    pub(crate) writers: PreparedStatement,
    /// Chapter, writer, part, seq, body, seconds to keep.
    pub(crate) append: PreparedStatement,
    /// Chapter, writer, part, seq.
    pub(crate) read: PreparedStatement,
}

impl Statements {
    pub(crate) async fn prepare(database: &Database) -> Result<Self, Failure> {
        Ok(Self {
            register: database
                .prepare("insert into {ks}.writer (chapter, writer) values (?, ?) using ttl ?")
                .await?,
            writers: database
                .prepare("select writer from {ks}.writer where chapter = ? limit 100000")
                .await?,
            append: database
                .prepare(
                    "insert into {ks}.log (chapter, writer, part, seq, body)
                     values (?, ?, ?, ?, ?) using ttl ?",
                )
                .await?,
            read: database
                .prepare(&format!(
                    "select seq, body from {{ks}}.log
                     where chapter = ? and writer = ? and part = ? and seq >= ?
                     limit {PART_ROWS}"
                ))
                .await?,
        })
    }
}
