//! The auth service's promises on every engine.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers as well")]

use openframe_auth::Stores;
use openframe_auth::store::MemoryStore;
use openframe_conformance::{
    audit, auth as rules, device_grants, enrolment, factors, invitations, mails, oauth, passkeys,
    passwords, places, proofs, provisioning, upstream,
};
use openframe_sqlite::Database;
use proptest::prelude::*;

struct Engines {
    memory: Stores,
    sqlite: Stores,
    _folder: tempfile::TempDir,
}

async fn engines() -> Engines {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let database = Database::open(&path, &openframe_auth_sqlite::MIGRATIONS).await.unwrap();
    let sqlite = openframe_auth_sqlite::stores(&database);
    Engines { memory: Stores::of(&MemoryStore::default()), sqlite, _folder: folder }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_counts_once_it_is_confirmed() {
    let engines = engines().await;
    factors::a_secret_counts_once_it_is_confirmed(&engines.memory).await;
    factors::a_secret_counts_once_it_is_confirmed(&engines.sqlite).await;
}

// B35.unique
#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_an_external_id_are_somebodys_once() {
    let engines = engines().await;
    provisioning::a_name_and_an_external_id_are_somebodys_once(&engines.memory).await;
    provisioning::a_name_and_an_external_id_are_somebodys_once(&engines.sqlite).await;
}

// B35.pages
#[tokio::test(flavor = "multi_thread")]
async fn people_are_listed_in_one_order() {
    let engines = engines().await;
    provisioning::people_are_listed_in_one_order(&engines.memory).await;
    provisioning::people_are_listed_in_one_order(&engines.sqlite).await;
}

// B35.owner
#[tokio::test(flavor = "multi_thread")]
async fn nobody_above_is_in_a_directorys_hand() {
    let engines = engines().await;
    provisioning::nobody_above_is_in_a_directorys_hand(&engines.memory).await;
    provisioning::nobody_above_is_in_a_directorys_hand(&engines.sqlite).await;
}

// B35.ended
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_ended_is_out() {
    let engines = engines().await;
    provisioning::whoever_is_ended_is_out(&engines.memory).await;
    provisioning::whoever_is_ended_is_out(&engines.sqlite).await;
}

// B35.groups
#[tokio::test(flavor = "multi_thread")]
async fn groups_have_people_who_are_there() {
    let engines = engines().await;
    provisioning::groups_have_people_who_are_there(&engines.memory).await;
    provisioning::groups_have_people_who_are_there(&engines.sqlite).await;
}

// B23.once, B23.race
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_used_once() {
    let engines = engines().await;
    factors::a_code_is_used_once(&engines.memory).await;
    factors::a_code_is_used_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_counted_for_all_replicas() {
    let engines = engines().await;
    factors::tries_are_counted_for_all_replicas(&engines.memory).await;
    factors::tries_are_counted_for_all_replicas(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_sign_in_becomes_whole_once() {
    let engines = engines().await;
    factors::half_a_sign_in_becomes_whole_once(&engines.memory).await;
    factors::half_a_sign_in_becomes_whole_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_provider_is_there_once() {
    let engines = engines().await;
    upstream::a_provider_is_there_once(&engines.memory).await;
    upstream::a_provider_is_there_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_at_another_provider_means_one_person() {
    let engines = engines().await;
    upstream::a_name_there_means_one_person(&engines.memory).await;
    upstream::a_name_there_means_one_person(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_made_with_the_link() {
    let engines = engines().await;
    upstream::a_person_is_made_with_the_link(&engines.memory).await;
    upstream::a_person_is_made_with_the_link(&engines.sqlite).await;
}

// B27.once
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_registered_once() {
    let engines = engines().await;
    passkeys::a_passkey_is_registered_once(&engines.memory).await;
    passkeys::a_passkey_is_registered_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counter_of_a_passkey_only_goes_on() {
    let engines = engines().await;
    passkeys::the_counter_of_a_passkey_only_goes_on(&engines.memory).await;
    passkeys::the_counter_of_a_passkey_only_goes_on(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_factor_takes_the_recovery_codes_with_it() {
    let engines = engines().await;
    passkeys::the_last_factor_takes_the_recovery_codes_with_it(&engines.memory).await;
    passkeys::the_last_factor_takes_the_recovery_codes_with_it(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_and_passkeys_stand_side_by_side() {
    let engines = engines().await;
    passkeys::an_app_and_passkeys_stand_side_by_side(&engines.memory).await;
    passkeys::an_app_and_passkeys_stand_side_by_side(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_link_is_good_once() {
    let engines = engines().await;
    passwords::a_password_link_is_good_once(&engines.memory).await;
    passwords::a_password_link_is_good_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_accepted_once() {
    let engines = engines().await;
    invitations::an_invitation_is_accepted_once(&engines.memory).await;
    invitations::an_invitation_is_accepted_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends_with_its_person() {
    let engines = engines().await;
    invitations::an_invitation_ends_with_its_person(&engines.memory).await;
    invitations::an_invitation_ends_with_its_person(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_verified_once() {
    let engines = engines().await;
    invitations::an_address_is_verified_once(&engines.memory).await;
    invitations::an_address_is_verified_once(&engines.sqlite).await;
}

// B60
#[tokio::test(flavor = "multi_thread")]
async fn a_device_waits_to_be_let_in() {
    let engines = engines().await;
    enrolment::a_device_waits_to_be_let_in(&engines.memory).await;
    enrolment::a_device_waits_to_be_let_in(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_goes_when_nothing_is_in_it() {
    let engines = engines().await;
    places::a_place_goes_when_nothing_is_in_it(&engines.memory).await;
    places::a_place_goes_when_nothing_is_in_it(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_given_and_taken_back() {
    let engines = engines().await;
    places::a_grant_is_given_and_taken_back(&engines.memory).await;
    places::a_grant_is_given_and_taken_back(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_at_a_time_has_a_mail() {
    let engines = engines().await;
    mails::one_replica_at_a_time_has_a_mail(&engines.memory).await;
    mails::one_replica_at_a_time_has_a_mail(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_is_answered_once() {
    let engines = engines().await;
    mails::a_wish_is_answered_once(&engines.memory).await;
    mails::a_wish_is_answered_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_is_changed_from_the_version_that_was_seen() {
    let engines = engines().await;
    oauth::a_family_is_changed_from_the_version_that_was_seen(&engines.memory).await;
    oauth::a_family_is_changed_from_the_version_that_was_seen(&engines.sqlite).await;
}

// ASVS 7.6.1
// B11.session
#[tokio::test(flavor = "multi_thread")]
async fn what_was_allowed_ends_with_the_session() {
    let engines = engines().await;
    oauth::what_was_allowed_ends_with_the_session(&engines.memory).await;
    oauth::what_was_allowed_ends_with_the_session(&engines.sqlite).await;
}

// ASVS 10.7.3
#[tokio::test(flavor = "multi_thread")]
async fn what_was_allowed_can_be_taken_back() {
    let engines = engines().await;
    oauth::what_was_allowed_can_be_taken_back(&engines.memory).await;
    oauth::what_was_allowed_can_be_taken_back(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_told_by_one_at_a_time() {
    let engines = engines().await;
    oauth::a_logout_is_told_by_one_at_a_time(&engines.memory).await;
    oauth::a_logout_is_told_by_one_at_a_time(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_a_session_is_told() {
    let engines = engines().await;
    oauth::whatever_ends_a_session_is_told(&engines.memory).await;
    oauth::whatever_ends_a_session_is_told(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_program_gets_one_answer() {
    let engines = engines().await;
    device_grants::a_waiting_program_gets_one_answer(&engines.memory).await;
    device_grants::a_waiting_program_gets_one_answer(&engines.sqlite).await;
}

// B13.guessed
#[tokio::test(flavor = "multi_thread")]
async fn codes_cannot_be_guessed() {
    let engines = engines().await;
    device_grants::codes_cannot_be_guessed(&engines.memory).await;
    device_grants::codes_cannot_be_guessed(&engines.sqlite).await;
}

// B09.again, B09.expired
#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_request_is_answered_once() {
    let engines = engines().await;
    proofs::a_pushed_request_is_answered_once(&engines.memory).await;
    proofs::a_pushed_request_is_answered_once(&engines.sqlite).await;
}

// B10.replay, B12.replay
#[tokio::test(flavor = "multi_thread")]
async fn what_is_good_once_is_used_once() {
    let engines = engines().await;
    proofs::what_is_good_once_is_used_once(&engines.memory).await;
    proofs::what_is_good_once_is_used_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signing_key_is_made() {
    let engines = engines().await;
    oauth::one_signing_key_is_made(&engines.memory).await;
    oauth::one_signing_key_is_made(&engines.sqlite).await;
}

// B40, B42.expired, B42.used
#[tokio::test(flavor = "multi_thread")]
async fn a_single_use_token_lets_one_in() {
    let engines = engines().await;
    enrolment::a_single_use_token_lets_one_in(&engines.memory).await;
    enrolment::a_single_use_token_lets_one_in(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_first_owner_is_made() {
    let engines = engines().await;
    rules::one_first_owner_is_made(&engines.memory).await;
    rules::one_first_owner_is_made(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrapped_owner_leaves_room_for_a_person() {
    let engines = engines().await;
    rules::a_bootstrapped_owner_leaves_room_for_a_person(&engines.memory).await;
    rules::a_bootstrapped_owner_leaves_room_for_a_person(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_from_the_one_that_was_seen() {
    let engines = engines().await;
    passwords::a_password_is_changed_from_the_one_that_was_seen(&engines.memory).await;
    passwords::a_password_is_changed_from_the_one_that_was_seen(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_person_add_up() {
    let engines = engines().await;
    rules::changes_of_a_person_add_up(&engines.memory).await;
    rules::changes_of_a_person_add_up(&engines.sqlite).await;
}

// B47.twice
#[tokio::test(flavor = "multi_thread")]
async fn a_generation_is_followed_once() {
    let engines = engines().await;
    enrolment::a_generation_is_followed_once(&engines.memory).await;
    enrolment::a_generation_is_followed_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_counts_for_the_bound_key() {
    let engines = engines().await;
    enrolment::a_certificate_counts_for_the_bound_key(&engines.memory).await;
    enrolment::a_certificate_counts_for_the_bound_key(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_kept_once() {
    let engines = engines().await;
    audit::a_checkpoint_is_kept_once(&engines.memory).await;
    audit::a_checkpoint_is_kept_once(&engines.sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_sends_the_trail() {
    let engines = engines().await;
    audit::one_replica_sends_the_trail(&engines.memory).await;
    audit::one_replica_sends_the_trail(&engines.sqlite).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn engines_agree(steps in proptest::collection::vec((0..13u8, 0..8u8, 0..6u8), 1..60)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (memory, sqlite) = runtime.block_on(async {
            let engines = engines().await;
            (rules::log(&engines.memory, &steps).await, rules::log(&engines.sqlite, &steps).await)
        });
        prop_assert_eq!(memory, sqlite);
    }

    #[test]
    fn engines_agree_on_places(
        steps in proptest::collection::vec((0..7u8, 0..12u8, 0..24u8), 1..60),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (memory, sqlite) = runtime.block_on(async {
            let engines = engines().await;
            (places::log(&engines.memory, &steps).await, places::log(&engines.sqlite, &steps).await)
        });
        prop_assert_eq!(memory, sqlite);
    }

    #[test]
    fn engines_find_the_same_on_the_audit_trail(
        deeds in proptest::collection::vec((0..6u8, 0..7u8, 0..4u8, 0..3u8, 0..50u8), 1..40),
        looks in proptest::collection::vec(
            (0..16u8, 0..8u8, 0..6u8, 0..6u8, (0..80u8, 0..80u8)), 1..12),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (memory, sqlite) = runtime.block_on(async {
            let engines = engines().await;
            let memory = audit::log(&engines.memory, &deeds, &looks).await;
            (memory, audit::log(&engines.sqlite, &deeds, &looks).await)
        });
        prop_assert_eq!(memory, sqlite);
    }
}
