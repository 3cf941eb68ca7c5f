//! What is let in, and what is not (B25).

mod soft;

use openframe_ids::UserId;
use serde_json::{Value, json};

use super::*;
use soft::SoftPasskey;

const URL: &str = "https://of.example";

fn site() -> Passkeys {
    Passkeys::of(URL).unwrap()
}

fn made(site: &Passkeys, passkey: &mut SoftPasskey) -> Result<Made, Refusal> {
    let asked = site.register(UserId::new(), ("ann@of.example", "Ann"), &[]).unwrap();
    site.registered(&asked.state, &passkey.make(&asked.options))
}

/// What becomes of a passkey that is registered, then changed, and then shown.
#[track_caller]
fn check(change: impl FnOnce(&mut SoftPasskey), want: Result<u32, Refusal>) {
    let (site, mut passkey) = (site(), SoftPasskey::new(URL));
    let kept = made(&site, &mut passkey).unwrap();
    assert_eq!((&kept.id, kept.counter), (&passkey.id, 1));
    change(&mut passkey);
    let asked = site.ask(&[]).unwrap();
    let shown = Shown::read(&passkey.show(&asked.options)).unwrap();
    let checked = site.check(&asked.state, &shown, Some(&kept.key));
    assert_eq!(checked.map(|(_, counter)| counter), want);
}

/// What becomes of a passkey that is changed, and then registered.
#[track_caller]
fn check_made(change: impl FnOnce(&mut SoftPasskey), want: Refusal) {
    let mut passkey = SoftPasskey::new(URL);
    change(&mut passkey);
    assert_eq!(made(&site(), &mut passkey).err(), Some(want));
}

#[test]
fn a_passkey_is_known_again() {
    check(|_| {}, Ok(2));
    check(|it| it.user.clear(), Ok(2));
    check(|it| it.counter = Some(41), Ok(42));
}

#[test]
fn a_site_has_a_name_and_tls() {
    for url in [
        "http://of.example",
        "http://localhost.of.example",
        "ftp://localhost",
        "https://192.0.2.1",
        "https://[::1]:8443",
        "of.example",
        "",
    ] {
        assert!(Passkeys::of(url).is_none(), "{url}");
    }
    for url in ["https://localhost:8443", "http://localhost:8080"] {
        assert!(Passkeys::of(url).is_some(), "{url}");
    }
    assert!(Passkeys::of("https://of.example:8443/below").is_some());
}

#[test]
fn a_browser_is_asked_for_what_we_want_and_nothing_else() {
    let (site, user) = (site(), UserId::new());
    let asked = site.register(user, ("ann@of.example", "Ann"), &[vec![1, 2, 3]]).unwrap().options;
    let at = |place: &str| asked.pointer(&format!("/publicKey{place}")).cloned().unwrap();
    assert_eq!(at("/rp"), json!({ "id": "of.example", "name": "OpenFrame" }));
    assert_eq!(at("/user/id"), shown::text(user.0.as_bytes()));
    assert_eq!(at("/authenticatorSelection/residentKey"), "required");
    assert_eq!(at("/authenticatorSelection/requireResidentKey"), true);
    assert_eq!(at("/authenticatorSelection/userVerification"), "required");
    assert_eq!(at("/attestation"), "none");
    assert_eq!(at("/timeout"), 300_000);
    assert_eq!(at("/excludeCredentials"), json!([{ "type": "public-key", "id": "AQID" }]));
    let asked = site.ask(&[]).unwrap().options;
    let at = |place: &str| asked.pointer(place).cloned();
    assert_eq!(at("/publicKey/rpId"), Some("of.example".into()));
    assert_eq!(at("/publicKey/userVerification"), Some("required".into()));
    assert_eq!(at("/publicKey/allowCredentials"), Some(json!([])));
    assert_eq!(at("/mediation"), None);
    let other = site.ask(&[]).unwrap();
    assert_ne!(
        asked.pointer("/publicKey/challenge"),
        other.options.pointer("/publicKey/challenge")
    );
}

#[test]
fn the_page_of_another_site_gets_nobody_in() {
    for origin in [
        "https://evil.example",
        "https://of.example.evil.example",
        "https://sub.of.example",
        "https://of.example:8443",
        "http://of.example",
    ] {
        check(|it| origin.clone_into(&mut it.origin), Err(Refusal::Origin));
        check_made(|it| origin.clone_into(&mut it.origin), Refusal::Origin);
    }
}

// B25.party
#[test]
fn the_passkey_of_another_site_gets_nobody_in() {
    for other in ["evil.example", "example", "sub.of.example"] {
        check(|it| other.clone_into(&mut it.site), Err(Refusal::Site));
        check_made(|it| other.clone_into(&mut it.site), Refusal::Site);
    }
}

#[test]
fn a_person_who_was_not_verified_does_not_get_in() {
    check(|it| it.verified = false, Err(Refusal::Unverified));
    check_made(|it| it.verified = false, Refusal::Unverified);
}

#[test]
fn a_counter_that_goes_back_or_stands_shows_a_copy() {
    // It signs with one more than this.
    check(|it| it.counter = Some(0), Err(Refusal::Copied));
    check(|it| it.counter = None, Err(Refusal::Copied));
    // One that never counted need not begin to.
    let (site, mut passkey) = (site(), SoftPasskey::new(URL));
    passkey.counter = None;
    let kept = made(&site, &mut passkey).unwrap();
    let mut key = kept.key;
    for counter in [0, 0] {
        let asked = site.ask(std::slice::from_ref(&kept.id)).unwrap();
        let shown = Shown::read(&passkey.show(&asked.options)).unwrap();
        let checked = site.check(&asked.state, &shown, Some(&key)).unwrap();
        assert_eq!(checked.1, counter);
        key = checked.0;
    }
}

#[test]
fn a_key_of_an_unknown_kind_is_not_registered() {
    // ES256K, Ed25519, ES512, and one that nobody knows.
    for algorithm in [&[0x38, 0x2e][..], &[0x27], &[0x38, 0x23], &[0x39, 0x12, 0x34]] {
        check_made(|it| it.algorithm = algorithm, Refusal::Algorithm);
    }
}

#[test]
fn an_answer_is_good_for_its_own_challenge() {
    let (site, mut passkey) = (site(), SoftPasskey::new(URL));
    let kept = made(&site, &mut passkey).unwrap();
    let (first, second) = (site.ask(&[]).unwrap(), site.ask(&[]).unwrap());
    let shown = Shown::read(&passkey.show(&first.options)).unwrap();
    let elsewhere = site.check(&second.state, &shown, Some(&kept.key));
    assert_eq!(elsewhere, Err(Refusal::Challenge));
    // What was asked to register does not sign in, and the other way round.
    let asked = site.register(UserId::new(), ("ann@of.example", "Ann"), &[]).unwrap();
    let registering = site.check(&asked.state, &shown, Some(&kept.key));
    assert_eq!(registering, Err(Refusal::Malformed));
    let signing_in = site.registered(&first.state, &passkey.make(&asked.options));
    assert_eq!(signing_in, Err(Refusal::Malformed));
}

#[test]
fn a_signature_is_that_of_the_key_that_is_kept() {
    let (site, mut own, mut other) = (site(), SoftPasskey::new(URL), SoftPasskey::new(URL));
    let kept = made(&site, &mut own).unwrap();
    other.id.clone_from(&own.id);
    other.counter = Some(9);
    let asked = site.ask(&[]).unwrap();
    let forged = Shown::read(&other.show(&asked.options)).unwrap();
    assert_eq!(site.check(&asked.state, &forged, Some(&kept.key)), Err(Refusal::Signature));
    let mut shown = own.show(&asked.options);
    // Whatever is changed of what was signed.
    let mut data = shown["response"]["authenticatorData"].as_str().unwrap().to_owned();
    data.replace_range(48..49, "_");
    shown["response"]["authenticatorData"] = data.into();
    let changed = Shown::read(&shown).unwrap();
    assert_eq!(site.check(&asked.state, &changed, Some(&kept.key)), Err(Refusal::Signature));
}

#[test]
fn a_passkey_that_nobody_has_costs_the_same_work() {
    let (site, mut passkey) = (site(), SoftPasskey::new(URL));
    let asked = site.ask(&[]).unwrap();
    let shown = Shown::read(&passkey.show(&asked.options)).unwrap();
    // The signature is looked at: everything before it is right.
    assert_eq!(site.check(&asked.state, &shown, None), Err(Refusal::Signature));
    passkey.verified = false;
    let shown = Shown::read(&passkey.show(&asked.options)).unwrap();
    assert_eq!(site.check(&asked.state, &shown, None), Err(Refusal::Unverified));
}

#[test]
fn what_is_malformed_is_refused() {
    let (site, mut passkey) = (site(), SoftPasskey::new(URL));
    let made = site.register(UserId::new(), ("ann@of.example", "Ann"), &[]).unwrap();
    let attested = passkey.make(&made.options);
    let asked = site.ask(&[]).unwrap();
    let shown = passkey.show(&asked.options);
    let long = "A".repeat(1400);
    for (place, to) in [
        ("/type", json!("password")),
        ("/rawId", json!("")),
        ("/rawId", json!("not base64!")),
        ("/rawId", json!(long)),
        ("/response", json!(null)),
        ("/response/clientDataJSON", json!(7)),
    ] {
        let mut bad = shown.clone();
        *bad.pointer_mut(place).unwrap() = to;
        assert_eq!(Shown::read(&bad).err(), Some(Refusal::Malformed), "{place}");
    }
    for (place, to) in [
        ("/type", json!("password")),
        ("/response/attestationObject", json!("")),
        ("/response/attestationObject", json!("gAAA")),
        ("/response/clientDataJSON", json!("e30")),
    ] {
        let mut bad: Value = attested.clone();
        *bad.pointer_mut(place).unwrap() = to;
        assert_eq!(site.registered(&made.state, &bad), Err(Refusal::Malformed), "{place}");
    }
    // Cut off anywhere, and with any byte changed, nothing panics and nothing gets in.
    let whole = attested["response"]["attestationObject"].as_str().unwrap();
    for end in (0..whole.len()).step_by(7) {
        let mut bad = attested.clone();
        bad["response"]["attestationObject"] = whole.get(..end).unwrap().into();
        assert!(site.registered(&made.state, &bad).is_err(), "{end}");
    }
    let mut handle = shown;
    handle["response"]["userHandle"] = "AQID".into();
    assert_eq!(Shown::read(&handle).unwrap().user(), Err(Refusal::Signature));
}
