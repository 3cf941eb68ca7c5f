//! What directories are promised, on PostgreSQL.

use openframe_conformance::provisioning;

use crate::POSTGRES;
use crate::postgres::Auth;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn postgres_keeps_the_rules_of_directories() {
    let _held = POSTGRES.shared().await;
    let auth = Auth::fresh().await;
    provisioning::a_name_and_an_external_id_are_somebodys_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    provisioning::people_are_listed_in_one_order(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    provisioning::nobody_above_is_in_a_directorys_hand(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    provisioning::whoever_is_ended_is_out(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    provisioning::groups_have_people_who_are_there(&auth.stores).await;
    auth.end().await;
}
