//! What the file itself refuses, whoever writes to it.

use jiff::Timestamp;
use openframe_auth::domain::Event;
use openframe_ids::TenantId;

use super::*;

fn event() -> Event {
    let text = || "x".to_owned();
    Event {
        at: Timestamp::UNIX_EPOCH,
        actor_kind: text(),
        actor: text(),
        action: text(),
        target: text(),
        outcome: text(),
        detail: text(),
        remote_address: text(),
        request_id: text(),
    }
}

#[tokio::test]
async fn nothing_writes_over_the_audit_trail() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("auth.db"), &MIGRATIONS).await.unwrap();
    let (stores, tenant) = (stores(&database), TenantId::new());
    for _ in 0..3 {
        stores.trail.append(tenant, &event()).await.unwrap();
    }
    let before = stores.trail.after(tenant, 0, 10).await.unwrap();
    let columns = "tenant_id, seq, at_ms, actor_kind, actor, action, target, outcome, detail, \
                   remote_address, request_id, hash";
    let again = |seq: &str| {
        let taken = columns.replacen("seq", seq, 1);
        format!("insert or replace into audit ({columns}) select {taken} from audit where seq = 2")
    };
    let statements = [
        "update audit set actor = 'somebody else' where seq = 2".to_owned(),
        "delete from audit where seq = 3".to_owned(),
        again("2"),
        again("9"),
        "update audit_heads set seq = 2".to_owned(),
        "update audit_heads set seq = 9".to_owned(),
        "delete from audit_heads".to_owned(),
    ];
    for statement in statements {
        let done = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(database.writer());
        let refused = done.await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(stores.trail.after(tenant, 0, 10).await.unwrap(), before);
    stores.trail.append(tenant, &event()).await.unwrap();
}
