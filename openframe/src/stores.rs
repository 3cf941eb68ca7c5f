//! Where each service keeps what it keeps: files in the data folder, or clusters. The only file that
//! knows both a service and a store.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use openframe_cassandra::Cluster;
use openframe_fault::BoxError;
use openframe_monitoring::store::hints::{Alone, Hints};
use openframe_sqlite::Database;

use crate::health::{PlatformHealth, Probe};
use crate::settings::{CassandraSettings, PostgresSettings, StoreSettings};

/// What one service keeps, opened, and how to ask whether it works.
pub(crate) struct Opened<T> {
    pub(crate) stores: T,
    pub(crate) probe: Probe,
}

/// Where to open a service's stores.
pub(crate) enum Place<'a> {
    /// In files of this folder, whose tables are brought up to date at once.
    Folder(&'a Path),
    /// On clusters, which are waited for, with tables that `openframe migrate` has made.
    Clusters(&'a StoreSettings, &'a PlatformHealth),
}

impl Place<'_> {
    /// People, keys, certificates, audit.
    pub(crate) async fn auth(&self) -> anyhow::Result<Opened<openframe_auth::Stores>> {
        match self {
            Place::Folder(folder) => {
                let path = folder.join("auth.db");
                let database = Database::open(&path, &openframe_auth_sqlite::MIGRATIONS).await?;
                let stores = openframe_auth_sqlite::stores(&database);
                Ok(Opened { stores, probe: file_probe(database) })
            }
            Place::Clusters(settings, health) => {
                let migrations = &openframe_auth_postgres::MIGRATIONS;
                let database = health
                    .until("auth.database", async || postgres(settings, "auth", migrations).await)
                    .await;
                let stores = openframe_auth_postgres::stores(&database);
                Ok(Opened { stores, probe: postgres_probe(database) })
            }
        }
    }

    /// Devices, inventories, commands.
    pub(crate) async fn devices(&self) -> anyhow::Result<Opened<openframe_devices::Stores>> {
        match self {
            Place::Folder(folder) => {
                let path = folder.join("devices.db");
                let database = Database::open(&path, &openframe_devices_sqlite::MIGRATIONS).await?;
                let stores = openframe_devices_sqlite::stores(&database);
                Ok(Opened { stores, probe: file_probe(database) })
            }
            Place::Clusters(settings, health) => {
                let opened = async || {
                    let database = cassandra(settings, "devices").await?;
                    database.check(openframe_devices_cassandra::MIGRATIONS).await?;
                    let stores = openframe_devices_cassandra::stores(&database).await?;
                    Ok((database, stores))
                };
                let (database, stores) = health.until("devices.database", opened).await;
                Ok(Opened { stores, probe: cassandra_probe(database) })
            }
        }
    }

    /// Telemetry, rules, alerts and notifications.
    pub(crate) async fn monitoring(
        &self,
        log: openframe_monitoring_cassandra::Options,
    ) -> anyhow::Result<Opened<openframe_monitoring::store::Stores>> {
        match self {
            Place::Folder(folder) => {
                let options = openframe_monitoring_embedded::Options::default();
                let folder = folder.join("monitoring");
                let opened =
                    openframe_monitoring_embedded::Embedded::open(&folder, options).await?;
                let (stores, database) = opened;
                Ok(Opened { stores, probe: file_probe(database) })
            }
            Place::Clusters(settings, health) => {
                let migrations = &openframe_monitoring_postgres::MIGRATIONS;
                let connect = async || postgres(settings, "monitoring", migrations).await;
                let database = health.until("monitoring.database", connect).await;
                let alerts = openframe_monitoring_postgres::SqlAlerts::new(database.clone());
                let open = async || {
                    let cassandra = cassandra(settings, "monitoring").await?;
                    cassandra.check(openframe_monitoring_cassandra::MIGRATIONS).await?;
                    let options = log.clone();
                    Ok(openframe_monitoring_cassandra::CassandraLog::new(cassandra, options)
                        .await?)
                };
                let log = Arc::new(health.until("monitoring.samples", open).await);
                let alerts = Arc::new(alerts);
                let hints = hints(settings)?;
                let stores =
                    openframe_monitoring::store::Stores { log, alerts, hints, shared: true };
                Ok(Opened { stores, probe: postgres_probe(database) })
            }
        }
    }
}

/// Brings every service's tables up to date; returns which versions were applied in each place.
pub(crate) async fn migrate(settings: &StoreSettings) -> anyhow::Result<Vec<(String, Vec<i64>)>> {
    let mut done = Vec::new();
    for (service, migrations) in [
        ("auth", &openframe_auth_postgres::MIGRATIONS),
        ("monitoring", &openframe_monitoring_postgres::MIGRATIONS),
    ] {
        let place = settings.postgres.of(service, &settings.prefix)?;
        let database = openframe_postgres::Database::connect(&place).await?;
        let applied = database.migrate(migrations).await?;
        done.push((format!("PostgreSQL schema {}", place.schema), applied));
        database.close().await;
    }
    for (service, migrations) in [
        ("devices", openframe_devices_cassandra::MIGRATIONS),
        ("monitoring", openframe_monitoring_cassandra::MIGRATIONS),
    ] {
        let database = cassandra(settings, service).await?;
        let applied = database.migrate(migrations).await?;
        done.push((format!("Cassandra keyspace {}_{service}", settings.prefix), applied));
    }
    Ok(done)
}

async fn postgres(
    settings: &StoreSettings,
    service: &str,
    migrations: &openframe_postgres::Migrator,
) -> anyhow::Result<openframe_postgres::Database> {
    let place = settings.postgres.of(service, &settings.prefix)?;
    let database = openframe_postgres::Database::connect(&place).await?;
    database.check(migrations).await?;
    Ok(database)
}

async fn cassandra(
    settings: &StoreSettings,
    service: &str,
) -> anyhow::Result<openframe_cassandra::Database> {
    let cluster = settings.cassandra.cluster()?;
    let keyspace = format!("{}_{service}", settings.prefix);
    Ok(openframe_cassandra::Database::connect(&cluster, &keyspace).await?)
}

/// Redis, where there is one; without it replicas look for news by themselves.
fn hints(settings: &StoreSettings) -> anyhow::Result<Arc<dyn Hints>> {
    let redis = &settings.redis;
    if redis.sentinels.is_empty() {
        return Ok(Arc::new(Alone));
    }
    let settings = openframe_monitoring_redis::Settings {
        sentinels: redis.sentinels.clone(),
        primary: redis.primary.clone(),
        password: secret(&redis.password_file)?,
        roots_pem: authority(&redis.authority)?,
        prefix: format!("{}_monitoring", settings.prefix),
    };
    Ok(Arc::new(openframe_monitoring_redis::RedisHints::start(&settings)?))
}

fn authority(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

impl PostgresSettings {
    fn of(&self, service: &str, prefix: &str) -> anyhow::Result<openframe_postgres::Settings> {
        Ok(openframe_postgres::Settings {
            hosts: self.hosts.clone(),
            user: self.user.clone(),
            password: secret(&self.password_file)?,
            database: self.database.clone(),
            schema: format!("{prefix}_{service}"),
            authority: self.authority.clone(),
            connections: self.connections,
        })
    }
}

impl CassandraSettings {
    fn cluster(&self) -> anyhow::Result<Cluster> {
        Ok(Cluster {
            nodes: self.nodes.clone(),
            user: self.user.clone(),
            password: secret(&self.password_file)?,
            roots_pem: authority(&self.authority)?,
        })
    }
}

/// What a file holds that only its owner may read.
pub(crate) fn secret(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text.trim().to_owned())
}

fn file_probe(database: Database) -> Probe {
    Arc::new(move || {
        let database = database.clone();
        Box::pin(async move { database.probe().await.map_err(BoxError::from) })
    })
}

fn postgres_probe(database: openframe_postgres::Database) -> Probe {
    Arc::new(move || {
        let database = database.clone();
        Box::pin(async move { database.probe().await.map_err(BoxError::from) })
    })
}

fn cassandra_probe(database: openframe_cassandra::Database) -> Probe {
    Arc::new(move || {
        let database = database.clone();
        Box::pin(async move { database.probe().await.map_err(BoxError::from) })
    })
}
