//! Redis: what the monitoring service's replicas tell each other.

use openframe_lab::Node;
use openframe_monitoring::store::hints::Hints as _;
use openframe_monitoring_redis::{RedisHints, Settings};

use crate::{REDIS, lab, schema};

fn settings() -> Settings {
    let lab = lab();
    let (sentinels, primary, password) = lab.redis();
    Settings {
        sentinels: sentinels.to_vec(),
        primary: primary.to_owned(),
        password: password.to_owned(),
        roots_pem: std::fs::read(lab.authority()).unwrap(),
        prefix: schema("hints"),
    }
}

/// Waits until what one tells is heard by the other: it is told again and again, since a hint may be
/// lost.
async fn heard(from: &RedisHints, to: &RedisHints) {
    lab()
        .until(async || {
            from.tell();
            let waited = tokio::time::timeout(std::time::Duration::from_millis(200), to.heard());
            waited.await.is_ok()
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes the primary down"]
async fn replicas_hear_each_other_also_after_a_flush_and_a_failover() {
    let _held = REDIS.alone().await;
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (lab, settings) = (lab(), settings());
    let (a, b) = (RedisHints::start(&settings).unwrap(), RedisHints::start(&settings).unwrap());
    heard(&a, &b).await;
    heard(&b, &a).await;
    assert_eq!((a.failure(), b.failure()), (None, None));
    // Nothing is kept there, so that nothing can be lost or old.
    lab.flush_redis().unwrap();
    heard(&a, &b).await;
    let primary = lab.redis_primary().unwrap();
    lab.kill(primary).await.unwrap();
    lab.until(async || lab.redis_primary().is_some_and(|it| it != primary)).await.unwrap();
    heard(&a, &b).await;
    heard(&b, &a).await;
    lab.start(primary).await.unwrap();
    lab.redis_whole().await.unwrap();
    heard(&a, &b).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn what_keeps_redis_away_is_said() {
    let _held = REDIS.shared().await;
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let good = settings();
    let wrong_ca = std::fs::read("/etc/ssl/certs/ca-certificates.crt").unwrap();
    let away = format!("{}:1", Node::Sentinel(1).address());
    for wrong in [
        Settings { password: "wrong".to_owned(), ..good.clone() },
        Settings { roots_pem: wrong_ca, ..good.clone() },
        Settings { sentinels: vec![away], ..good.clone() },
        Settings { primary: "another".to_owned(), ..good.clone() },
    ] {
        let hints = RedisHints::start(&wrong).unwrap();
        lab().until(async || hints.failure().is_some()).await.unwrap();
        assert!(!hints.failure().unwrap_or_default().contains(&good.password));
    }
}
