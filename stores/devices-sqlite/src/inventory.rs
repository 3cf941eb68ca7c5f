//! Sections of the inventory and their versions.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_devices::Error;
use openframe_devices::domain::{SECTIONS, Seen, Version};
use openframe_devices::store::{Inventory, Whose};

use crate::{SqliteStore, failed};

struct Row {
    section: String,
    at_ms: i64,
    reported_at_ms: i64,
    hash: Vec<u8>,
    body: Vec<u8>,
}

impl TryFrom<Row> for Version {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let seen = Seen {
            section: row.section,
            reported_at: time(row.reported_at_ms)?,
            hash: hash(row.hash)?,
            body: row.body,
        };
        Ok(Self { at: time(row.at_ms)?, seen })
    }
}

fn time(ms: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(ms).map_err(|error| Error::Damaged(error.into()))
}

fn hash(bytes: Vec<u8>) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::Damaged("a hash has another length".into()))
}

#[async_trait]
impl Inventory for SqliteStore {
    async fn sections(&self, whose: Whose, at: Option<Timestamp>) -> Result<Vec<Version>, Error> {
        let mut found = Vec::new();
        for section in SECTIONS {
            found.extend(self.section(whose, section, at).await?);
        }
        found.sort_by(|a, b| a.seen.section.cmp(&b.seen.section));
        Ok(found)
    }

    async fn section(
        &self,
        whose: Whose,
        section: &str,
        at: Option<Timestamp>,
    ) -> Result<Option<Version>, Error> {
        let (tenant, device) = (whose.0.0, whose.1.0);
        let until = at.map_or(i64::MAX, Timestamp::as_millisecond);
        let row = sqlx::query_as!(
            Row,
            r#"select section as "section!", at_ms as "at_ms!", reported_at_ms as "reported_at_ms!",
                      hash as "hash!", body as "body!"
               from section
               where tenant = $1 and device = $2 and section = $3 and at_ms <= $4
               order by at_ms desc limit 1"#,
            tenant,
            device,
            section,
            until
        )
        .fetch_optional(self.0.reader())
        .await
        .map_err(failed)?;
        row.map(Version::try_from).transpose()
    }

    async fn history(
        &self,
        whose: Whose,
        section: &str,
    ) -> Result<Vec<(Timestamp, [u8; 32])>, Error> {
        let (tenant, device) = (whose.0.0, whose.1.0);
        let rows = sqlx::query!(
            r#"select at_ms as "at_ms!", hash as "hash!" from section
               where tenant = $1 and device = $2 and section = $3 order by at_ms desc"#,
            tenant,
            device,
            section
        )
        .fetch_all(self.0.reader())
        .await
        .map_err(failed)?;
        rows.into_iter().map(|row| Ok((time(row.at_ms)?, hash(row.hash)?))).collect()
    }

    async fn has(&self, whose: Whose, seen: &Seen) -> Result<bool, Error> {
        let (tenant, device) = (whose.0.0, whose.1.0);
        let (hash, reported_at_ms) = (&seen.hash[..], seen.reported_at.as_millisecond());
        let row = sqlx::query!(
            r#"select count(*) as "n!: i64" from section
               where tenant = $1 and device = $2 and section = $3 and hash = $4
                 and reported_at_ms = $5"#,
            tenant,
            device,
            seen.section,
            hash,
            reported_at_ms
        )
        .fetch_one(self.0.reader())
        .await
        .map_err(failed)?;
        Ok(row.n > 0)
    }
}
