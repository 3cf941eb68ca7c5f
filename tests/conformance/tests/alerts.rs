//! The promises about alerts on every engine.

use openframe_conformance::alerts;
use openframe_monitoring::store::memory::MemoryAlerts;
use openframe_monitoring_embedded::{MIGRATIONS, SqliteAlerts};
use openframe_sqlite::Database;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn engines_agree(acts in proptest::collection::vec((0..9u8, 0..4u8, 0..6u8), 1..40)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (memory, sqlite) = runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("alerts.db");
            let database = Database::open(&path, &MIGRATIONS).await.unwrap();
            let sqlite = SqliteAlerts::new(database);
            (alerts::log(&MemoryAlerts::default(), &acts).await, alerts::log(&sqlite, &acts).await)
        });
        prop_assert_eq!(memory, sqlite);
    }
}
