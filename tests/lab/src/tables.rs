//! Tables that one test at a time has.
//!
//! Each change of a Cassandra schema costs three nodes half a second of computing, and more with every
//! table there is. So tests that come one after the other use the same tables, emptied in between.

use std::sync::{Mutex, PoisonError};

use openframe_cassandra::Database as Cassandra;
use openframe_postgres::Database as Postgres;

use crate::Lab;

/// Those that nobody has, by what their names begin with.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Tables of every service, of one platform: given back when this is dropped.
#[derive(Debug)]
pub struct Tables {
    prefix: String,
}

impl Tables {
    /// Tables that are still to be made.
    pub fn new() -> Self {
        Self { prefix: format!("t{:016x}", u64::from_be_bytes(openframe_ids::random())) }
    }

    /// Empty tables: those of a test that has ended, or such that are still to be made.
    pub async fn empty(lab: &Lab) -> anyhow::Result<Self> {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(prefix) = free else { return Ok(Self::new()) };
        for service in ["auth", "monitoring"] {
            let database = Postgres::connect(&lab.postgres(&format!("{prefix}_{service}"))).await?;
            database.remove_schema().await?;
            database.close().await;
        }
        for service in ["devices", "monitoring"] {
            let keyspace = format!("{prefix}_{service}");
            Cassandra::connect(&lab.cassandra()?, &keyspace).await?.empty().await?;
        }
        Ok(Self { prefix })
    }

    /// What the names of schemas and keyspaces begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        // What a test that failed has left is left to be looked at.
        if !std::thread::panicking() {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.prefix.clone());
        }
    }
}
