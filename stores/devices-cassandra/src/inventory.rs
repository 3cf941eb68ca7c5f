//! Sections of the inventory and their versions.

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::Timestamp;
use openframe_devices::Error;
use openframe_devices::domain::{SECTIONS, Seen, Version};
use openframe_devices::store::{Inventory, Whose};

use crate::{CassandraStore, failed};

/// Position, hash, and when it was reported.
type HistoryRow = (i64, Vec<u8>, i64);

fn time(ms: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(ms).map_err(|error| Error::Damaged(error.into()))
}

fn hash(bytes: Vec<u8>) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::Damaged("a hash has another length".into()))
}

impl CassandraStore {
    async fn versions(&self, whose: Whose, section: &str) -> Result<Vec<HistoryRow>, Error> {
        let values = (whose.0.0, whose.1.0, section);
        self.0.database.rows(&self.0.statements.rows.history, values).await.map_err(failed)
    }
}

#[async_trait]
impl Inventory for CassandraStore {
    async fn sections(&self, whose: Whose, at: Option<Timestamp>) -> Result<Vec<Version>, Error> {
        let all = SECTIONS.iter().map(|section| self.section(whose, section, at));
        let mut found: Vec<Version> = try_join_all(all).await?.into_iter().flatten().collect();
        found.sort_by(|a, b| a.seen.section.cmp(&b.seen.section));
        Ok(found)
    }

    async fn section(
        &self,
        whose: Whose,
        section: &str,
        at: Option<Timestamp>,
    ) -> Result<Option<Version>, Error> {
        let until = at.map_or(i64::MAX, Timestamp::as_millisecond);
        let values = (whose.0.0, whose.1.0, section, until);
        let rows = self.0.database.rows(&self.0.statements.rows.section, values).await;
        let rows: Vec<(i64, i64, Vec<u8>, Vec<u8>)> = rows.map_err(failed)?;
        let Some((at, reported_at, digest, body)) = rows.into_iter().next() else {
            return Ok(None);
        };
        let (section, reported_at) = (section.to_owned(), time(reported_at)?);
        let seen = Seen { section, reported_at, hash: hash(digest)?, body };
        Ok(Some(Version { at: time(at)?, seen }))
    }

    async fn history(
        &self,
        whose: Whose,
        section: &str,
    ) -> Result<Vec<(Timestamp, [u8; 32])>, Error> {
        let rows = self.versions(whose, section).await?;
        rows.into_iter().map(|(at, digest, _)| Ok((time(at)?, hash(digest)?))).collect()
    }

    async fn has(&self, whose: Whose, seen: &Seen) -> Result<bool, Error> {
        let (digest, reported_at) = (&seen.hash[..], seen.reported_at.as_millisecond());
        let rows = self.versions(whose, &seen.section).await?;
        Ok(rows.iter().any(|(_, known, at)| known == digest && *at == reported_at))
    }
}
