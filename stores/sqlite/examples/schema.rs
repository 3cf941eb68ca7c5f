//! Makes an empty database file from a migrations folder, for the check of a store crate's queries:
//! `schema <migrations folder> <database file>`. See the crate's documentation.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [migrations, file] = arguments.as_slice() else {
        return Err("usage: schema <migrations folder> <database file>".into());
    };
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await?;
    Migrator::new(Path::new(migrations)).await?.run(&pool).await?;
    pool.close().await;
    Ok(())
}
