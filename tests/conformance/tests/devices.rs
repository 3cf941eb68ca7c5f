//! The devices service's promises on every engine.

use openframe_conformance::devices;
use openframe_devices::Stores;
use openframe_devices::store::memory::Memory;
use openframe_ids::TenantId;
use openframe_sqlite::Database;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn races_end_in_order(acts in proptest::collection::vec((0..8u8, 0..9u8), 1..40)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let raced = runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("devices.db");
            let database = Database::open(&path, &openframe_devices_sqlite::MIGRATIONS);
            let sqlite = openframe_devices_sqlite::stores(&database.await.unwrap());
            devices::race(&Stores::of(Memory::default()), TenantId::new(), &acts).await?;
            devices::race(&sqlite, TenantId::new(), &acts).await
        });
        prop_assert_eq!(raced, Ok(()));
    }

    #[test]
    fn engines_agree(acts in proptest::collection::vec((0..12u8, 0..6u8, 0..6u8), 1..80)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (memory, sqlite) = runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("devices.db");
            let database = Database::open(&path, &openframe_devices_sqlite::MIGRATIONS);
            let database = database.await.unwrap();
            let sqlite = openframe_devices_sqlite::stores(&database);
            let memory = Stores::of(Memory::default());
            let space = TenantId::new();
            let memory = devices::log(&memory, space, &acts).await;
            (memory, devices::log(&sqlite, space, &acts).await)
        });
        prop_assert_eq!(memory, sqlite);
    }
}
