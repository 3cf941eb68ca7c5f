//! The clusters are what production's are: they survive the death of any one node.

use std::path::Path;

use openframe_cassandra::Admin;
use openframe_lab::{Lab, Node};

/// One test, since every case needs all nodes of its cluster at its beginning.
#[tokio::test]
#[ignore = "takes every node down; `cargo xtask test` runs it"]
async fn each_cluster_survives_the_death_of_any_one_node() {
    let lab = Lab::usual().unwrap();
    lab.up().await.expect("`cargo xtask setup` installs what the lab needs");
    lab.up().await.expect("a lab that is up stays up");
    for node in [1, 2, 3].map(Node::Cassandra) {
        // Elsewhere `down` would leave them behind.
        let scratch = Path::new(Lab::HOME).join(node.to_string()).join("tmp");
        assert!(scratch.read_dir().unwrap().next().is_some(), "{node} unpacks its libraries there");
    }

    let postgres = async {
        let killed = lab.postgres_primary().unwrap();
        lab.kill(killed).await.unwrap();
        lab.until(async || lab.postgres_primary().is_some_and(|node| node != killed))
            .await
            .unwrap();
        lab.start(killed).await.unwrap();
    };
    let redis = async {
        let killed = lab.redis_primary().unwrap();
        lab.kill(killed).await.unwrap();
        lab.until(async || lab.redis_primary().is_some_and(|node| node != killed)).await.unwrap();
        lab.start(killed).await.unwrap();
    };
    let cassandra = async {
        for killed in [1, 2, 3].map(Node::Cassandra) {
            lab.kill(killed).await.unwrap();
            // A majority of the three copies is left, so that writes are taken.
            let admin = Admin::connect(&lab.cassandra().unwrap()).await.unwrap();
            let name = format!("made_without_{killed}");
            lab.until(async || admin.create_superuser(&name, "x").await.is_ok()).await.unwrap();
            lab.start(killed).await.unwrap();
        }
    };
    tokio::join!(postgres, redis, cassandra);
    lab.whole().await.unwrap();
    assert!(lab.status().iter().all(|(_, memory)| memory.is_some()), "{:?}", lab.status());
}
