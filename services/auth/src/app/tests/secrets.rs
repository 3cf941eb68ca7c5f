//! What secrets are made of.

use std::collections::BTreeSet;

use openframe_tokens::opaque::{Purpose, open};

use super::*;
use crate::domain::{hash_recovery_code, recovery_code};

/// Secrets of which each bit is expected to be one in some and zero in others: one in 2^63 sets of good
/// ones is refused by mistake, for each bit.
const MANY: usize = 64;

/// Fails unless all are different, and every bit is once this and once that.
fn all_bits_are_random(secrets: &[Vec<u8>], bytes: usize) {
    let different: BTreeSet<_> = secrets.iter().collect();
    assert_eq!((different.len(), secrets.len() >= MANY), (secrets.len(), true));
    for at in 0..bytes {
        let ones = secrets.iter().fold(0, |bits, secret| bits | secret[at]);
        let zeros = secrets.iter().fold(0, |bits, secret| bits | !secret[at]);
        assert_eq!((ones, zeros), (0xff, 0xff), "byte {at} is not random");
    }
    assert!(secrets.iter().all(|secret| secret.len() == bytes));
}

// ASVS 6.5.3, 6.5.4
#[tokio::test]
async fn seeds_and_recovery_codes_are_random_in_every_bit() {
    let world = world();
    let owner = world.owner().await;
    let asked = world.resolve(&owner.secret).await.unwrap();
    let mut seeds = Vec::new();
    let mut last = String::new();
    for _ in 0..MANY {
        last = world.app.enrol_totp(&asked).await.unwrap().secret;
        seeds.push(totp_rs::Secret::try_from_base32(&last).unwrap().as_bytes().to_vec());
    }
    all_bits_are_random(&seeds, 20);

    let code = totp_rs::Secret::try_from_base32(&last).unwrap();
    let code = totp_rs::Builder::new().with_secret(code).build().unwrap();
    let now = world.app.now().as_second().try_into().unwrap();
    let (session, mut codes) =
        world.app.confirm_totp(&asked, &code.generate(now).to_string()).await.unwrap();
    let asked = world.resolve(&session.secret).await.unwrap();
    while codes.len() < MANY {
        codes.extend(world.app.new_recovery_codes(&asked).await.unwrap());
    }
    let plain = |code: &String| {
        let letters = code.replace('-', "");
        totp_rs::Secret::try_from_base32(&letters).unwrap().as_bytes().to_vec()
    };
    // 120 bits each: 20 are asked for.
    all_bits_are_random(&codes.iter().map(plain).collect::<Vec<_>>(), 15);
    assert_eq!(hash_recovery_code(&recovery_code([0; 15])), hash_recovery_code(&"A".repeat(24)));
}

// ASVS 7.2.3
#[tokio::test]
async fn the_secret_of_a_session_is_256_random_bits() {
    let world = world();
    world.owner().await;
    let mut secrets = Vec::new();
    for _ in 0..MANY {
        let opened = world.log_in("ann@example.org", "a good long one").await.unwrap();
        let (_, secret) = open(Purpose::Session, &opened.secret).unwrap();
        let text = secret.text(Purpose::Session, uuid::Uuid::nil());
        let random = text.strip_prefix("of_sid_00000000000000000000000000000000_").unwrap();
        secrets.push(base64_of(random.get(..43).unwrap()));
    }
    all_bits_are_random(&secrets, 32);
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}
