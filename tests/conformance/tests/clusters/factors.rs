//! PostgreSQL: the auth service's promises about second factors, passkeys and other providers.

use openframe_conformance::{factors, passkeys, upstream};

use crate::POSTGRES;
use crate::postgres::Auth;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn postgres_keeps_the_rules_of_second_factors() {
    let _held = POSTGRES.shared().await;
    let auth = Auth::fresh().await;
    factors::a_secret_counts_once_it_is_confirmed(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    factors::a_code_is_used_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    factors::tries_are_counted_for_all_replicas(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    factors::half_a_sign_in_becomes_whole_once(&auth.stores).await;
    auth.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn postgres_keeps_the_rules_of_passkeys() {
    let _held = POSTGRES.shared().await;
    let auth = Auth::fresh().await;
    passkeys::a_passkey_is_registered_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    passkeys::the_counter_of_a_passkey_only_goes_on(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    passkeys::the_last_factor_takes_the_recovery_codes_with_it(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    passkeys::an_app_and_passkeys_stand_side_by_side(&auth.stores).await;
    auth.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn postgres_keeps_the_rules_of_other_providers() {
    let _held = POSTGRES.shared().await;
    let auth = Auth::fresh().await;
    upstream::a_provider_is_there_once(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    upstream::a_name_there_means_one_person(&auth.stores).await;
    auth.end().await;
    let auth = Auth::fresh().await;
    upstream::a_person_is_made_with_the_link(&auth.stores).await;
    auth.end().await;
}
