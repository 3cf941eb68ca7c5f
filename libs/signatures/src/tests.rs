//! The standard's own examples, a table of what is refused, and what nobody has thought of.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use proptest::prelude::*;

use crate::base::{base, component};
use crate::fields::{self, Input, Value};
use crate::*;

const NOW: i64 = 1_800_000_000;
const NONCE: &str = "of this request alone";
const CHAIN: [&[u8]; 2] = [b"its certificate", b"its issuer's"];

fn base_of<B>(request: &Request<B>, input: &str) -> Option<String> {
    let (_, input) = fields::inputs(input)?.pop()?;
    base(&input, |name| component(request, name))
}

/// The request of the examples (RFC 9421, B.2).
fn example() -> Request<()> {
    let digest = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    Request::post("/foo?param=Value&Pet=dog")
        .header("host", "example.com")
        .header("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .header("content-type", "application/json")
        .header("content-digest", digest)
        .header("content-length", "18")
        .body(())
        .unwrap()
}

/// RFC 9421, B.2.1, B.2.3, B.2.5 and B.2.6.
#[test]
fn what_is_signed_is_what_the_standard_s_examples_say() {
    let check = |input: &str, lines: &[&str]| {
        let (_, parameters) = input.split_once('=').unwrap();
        let want = format!("{}\n\"@signature-params\": {parameters}", lines.join("\n"));
        let got = base_of(&example(), input);
        assert_eq!(got.as_deref(), Some(want.trim_start_matches('\n')));
    };
    let (date, authority) =
        ("\"date\": Tue, 20 Apr 2021 02:07:55 GMT", "\"@authority\": example.com");
    let (kind, length) = ("\"content-type\": application/json", "\"content-length\": 18");
    check(
        "sig-b21=();created=1618884473;keyid=\"test-key-rsa-pss\";nonce=\"b3k2pp5k7z-50gnwp.yemd\"",
        &[],
    );
    let digest =
        format!("\"content-digest\": {}", example().headers()["content-digest"].to_str().unwrap());
    check(
        "sig-b23=(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" \
         \"content-digest\" \"content-length\");created=1618884473;keyid=\"test-key-rsa-pss\"",
        &[
            date,
            "\"@method\": POST",
            "\"@path\": /foo",
            "\"@query\": ?param=Value&Pet=dog",
            authority,
            kind,
            &digest,
            length,
        ],
    );
    check(
        "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"",
        &[date, authority, kind],
    );
    check(
        "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
         ;created=1618884473;keyid=\"test-key-ed25519\"",
        &[date, "\"@method\": POST", "\"@path\": /foo", authority, kind, length],
    );
}

/// An answer (RFC 9421, B.2.4), by the algorithm that is ours.
// B52.signers
#[test]
fn the_standard_s_own_signature_is_good() {
    let input = "sig-b24=(\"@status\" \"content-type\" \"content-digest\" \"content-length\")\
                 ;created=1618884473;keyid=\"test-key-ecc-p256\"";
    let (_, input) = fields::inputs(input).unwrap().pop().unwrap();
    let of_answer = |name: &str| {
        let value = match name {
            "@status" => "200",
            "content-type" => "application/json",
            "content-digest" => {
                "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:"
            }
            "content-length" => "23",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let message = base(&input, of_answer).unwrap();
    let signature = "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:";
    let (_, signature) = fields::labelled_bytes(signature).unwrap().pop().unwrap();
    // Its public key (B.1.3): what stands before the point is the same for each key on the curve.
    let key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\
               w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==";
    let key = STANDARD.decode(key).unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key[26..]);
    key.verify(message.as_bytes(), &signature).unwrap();
    key.verify(message.replace("200", "201").as_bytes(), &signature).unwrap_err();
}

/// A device's key, and what it signs.
struct Device(EcdsaKeyPair);

impl Device {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    fn has_signed(&self, signed: &Signed) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.0.public_key().as_ref());
        key.verify(signed.message.as_bytes(), &signed.signature).is_ok()
    }

    fn request(&self, body: &[u8]) -> Request<()> {
        let mut request =
            Request::post("/agent/v1/renew").header("host", "OF.example.org:443").body(()).unwrap();
        let signer = Signer { chain: &CHAIN.map(<[u8]>::to_vec), nonce: NONCE, created: NOW };
        sign(&mut request, body, &signer, |message| Some(self.sign(message))).unwrap();
        request
    }
}

/// The same request with something in a header replaced.
fn with(request: &Request<()>, name: &'static str, (old, new): (&str, &str)) -> Request<()> {
    let mut request = request.clone();
    let value = request.headers()[name].to_str().unwrap();
    assert!(value.contains(old), "{value}");
    let value = value.replacen(old, new, 1).parse().unwrap();
    request.headers_mut().insert(name, value);
    request
}

#[test]
fn a_signed_request_is_read_as_it_was_signed() {
    let device = Device::new();
    let request = device.request(b"{}");
    let signed = Signed::read(&request, NOW).unwrap();
    assert!(device.has_signed(&signed) && !Device::new().has_signed(&signed));
    assert_eq!((signed.nonce.as_str(), signed.created), (NONCE, NOW));
    assert_eq!(signed.chain, CHAIN);
    assert!(signed.body.fits(b"{}") && !signed.body.fits(b""));
    let lines = "\"@method\": POST\n\"@authority\": of.example.org\n\"@path\": /agent/v1/renew\n\"@query\": ?\n";
    assert!(signed.message.starts_with(lines), "{}", signed.message);
    // Spaces and the order of components say nothing, and others may put digests beside ours.
    for same in [
        with(&request, "signature-input", ("(\"@method\" ", "(  \"@method\"   ")),
        with(&request, "content-digest", ("sha-256=", "sha-512=:AAAA:, sha-256=")),
    ] {
        let read = Signed::read(&same, NOW).map(|it| it.chain);
        assert_eq!(read, Ok(signed.chain.clone()));
    }
    let other_order = ("\"@method\" \"@authority\"", "\"@authority\" \"@method\"");
    let other_order = Signed::read(&with(&request, "signature-input", other_order), NOW).unwrap();
    assert!(other_order.message.starts_with("\"@authority\": of.example.org\n\"@method\": POST\n"));
}

// B52.covered, B52.digest
#[test]
fn what_is_covered_cannot_be_changed() {
    let device = Device::new();
    let good = device.request(b"{}");
    let parts = |uri: &str, change: fn(&mut Request<()>)| {
        let mut request = good.clone();
        *request.uri_mut() = uri.parse().unwrap();
        change(&mut request);
        request
    };
    let host = |request: &mut Request<()>| {
        request.headers_mut().insert("host", "elsewhere.example.org".parse().unwrap());
    };
    let changed = [
        parts("/agent/v1/renew", |it| *it.method_mut() = http::Method::PUT),
        parts("/agent/v1/renew", host),
        parts("/agent/v1/recover", |_| {}),
        parts("/agent/v1/renew?x=1", |_| {}),
        with(&good, "content-digest", ("sha-256=:", "sha-256=:AAAA")),
        with(&good, "content-digest", ("sha-256=", "sha-512=:AAAA:, sha-256=")),
        with(&good, "signature-input", ("1800000000", "1800000001")),
        with(&good, "signature-input", ("of this", "of that")),
        with(
            &good,
            "signature-input",
            ("\"@method\" \"@authority\"", "\"@authority\" \"@method\""),
        ),
        with(&good, "signature", (":", ":AAAA")),
    ];
    for request in &changed {
        let counts = Signed::read(request, NOW).is_ok_and(|signed| device.has_signed(&signed));
        assert!(!counts, "{request:?}");
    }
    assert!(device.has_signed(&Signed::read(&good, NOW).unwrap()));
}

// B52.algorithm, B52.skew, B52.tag
#[test]
fn only_the_one_profile_is_taken() {
    let good = Device::new().request(b"");
    let input = |old: &str, new: &str| with(&good, "signature-input", (old, new));
    let check = |request: &Request<()>, want: Refusal| {
        assert_eq!(Signed::read(request, NOW), Err(want), "{request:?}");
    };
    for name in COMPONENTS {
        check(&input(&format!("\"{name}\""), ""), Refusal::Components);
        check(&input(&format!("\"{name}\""), "\"date\""), Refusal::Components);
        let twice = format!("\"{name}\" \"{name}\"");
        check(&input(&format!("\"{name}\""), &twice), Refusal::Components);
    }
    check(&input("\"@path\"", "\"@path\";req"), Refusal::Malformed("signature-input"));
    check(&input("ecdsa-p256-sha256", "hmac-sha256"), Refusal::Algorithm);
    check(&input("ecdsa-p256-sha256", "rsa-v1_5-sha256"), Refusal::Algorithm);
    check(&input("ecdsa-p256-sha256", ""), Refusal::Algorithm);
    check(&input("openframe-agent", "openframe"), Refusal::Tag);
    for name in ["created", "nonce", "keyid", "alg", "tag"] {
        check(&input(&format!(";{name}="), ";other="), Refusal::Parameters);
    }
    check(&input(";created=", ";created=1;created="), Refusal::Malformed("signature-input"));
    check(&input(";created=1800000000", ";created=\"1800000000\""), Refusal::Parameters);
    check(&input(";tag=", ";expires=1900000000;tag="), Refusal::Parameters);
    check(&input(NONCE, "too short"), Refusal::Nonce);
    check(&input(NONCE, &"x".repeat(129)), Refusal::Nonce);
    check(&input(";keyid=\"", ";keyid=\"A"), Refusal::KeyId);
    check(&with(&good, "x-openframe-certificate", (":", ":AAAA")), Refusal::KeyId);
    for (off, want) in
        [(60, Ok(())), (-60, Ok(())), (61, Err(Refusal::Time)), (-61, Err(Refusal::Time))]
    {
        assert_eq!(Signed::read(&good, NOW + off).map(drop), want, "{off}");
    }
}

// B52.several
#[test]
fn there_is_one_signature_in_headers_of_their_size() {
    let good = Device::new().request(b"");
    let text = |name: &str| good.headers()[name].to_str().unwrap().to_owned();
    let set = |name: &'static str, value: &str| {
        let mut request = good.clone();
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let check = |request: &Request<()>, want: Refusal| {
        assert_eq!(Signed::read(request, NOW), Err(want), "{request:?}");
    };
    let (one, of_one) = (text("signature-input"), text("signature"));
    let other = one.replacen("agent=", "other=", 1);
    check(&set("signature-input", &format!("{one}, {other}")), Refusal::Several);
    check(&set("signature-input", &other), Refusal::Several);
    check(&set("signature", &format!("{of_one}, other=:AAAA:")), Refusal::Several);
    check(&set("signature-input", &format!("{one}, {one}")), Refusal::Malformed(SIGNATURE_INPUT));
    check(&set("content-digest", "sha-512=:AAAA:"), Refusal::Digest);
    check(&set("content-digest", "sha-256=:AAAA:"), Refusal::Digest);
    for name in [SIGNATURE_INPUT, SIGNATURE, CERTIFICATE, "content-digest"] {
        check(&set(name, &"x".repeat(64 << 10)), Refusal::TooLong(name));
        let mut twice = good.clone();
        twice.headers_mut().append(name, text(name).parse().unwrap());
        check(&twice, Refusal::Malformed(name));
        let mut without = good.clone();
        without.headers_mut().remove(name);
        let none =
            if name == SIGNATURE_INPUT { Refusal::Unsigned } else { Refusal::Malformed(name) };
        check(&without, none);
    }
    for bad in [
        "",
        "agent",
        "agent=",
        "agent=(",
        "agent=()x",
        "Agent=()",
        "agent=(a)",
        "agent=();a",
        ",",
        "agent=(),",
    ] {
        check(&set("signature-input", bad), Refusal::Malformed(SIGNATURE_INPUT));
    }
}

fn a_text() -> impl Strategy<Value = String> {
    "[ -~]{0,40}"
}

fn an_input() -> impl Strategy<Value = Input> {
    let number = -999_999_999_999_999_i64..=999_999_999_999_999;
    let value = prop_oneof![number.prop_map(Value::Integer), a_text().prop_map(Value::Text)];
    let parameters = proptest::collection::btree_map("[a-z*][a-z0-9_.*-]{0,9}", value, 0..6);
    (proptest::collection::vec(a_text(), 0..6), parameters).prop_map(|(components, parameters)| {
        Input { components, parameters: parameters.into_iter().collect() }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(input in an_input(), bytes: Vec<u8>) {
        let read = fields::inputs(&format!("a={input}"));
        prop_assert_eq!(read, Some(vec![("a".to_owned(), input)]));
        let read = fields::bytes_list(&fields::bytes(&bytes));
        prop_assert_eq!(read, Some(vec![bytes]));
    }

    // What is read has one form: whoever writes it anew writes what the signature is of.
    #[test]
    fn nothing_that_is_read_is_read_otherwise_again(text in "[a-c=(),;:\"\\\\ @0-9.-]{0,40}") {
        for (label, input) in fields::inputs(&text).unwrap_or_default() {
            let again = fields::inputs(&format!("{label}={input}"));
            prop_assert_eq!(again, Some(vec![(label, input)]));
        }
        fields::labelled_bytes(&text);
        fields::bytes_list(&text);
    }

    #[test]
    fn no_header_does_harm(values in proptest::array::uniform4("[\\t -~\u{80}-\u{ff}]{0,80}")) {
        let mut request = Device::new().request(b"");
        let names = [SIGNATURE_INPUT, SIGNATURE, CERTIFICATE, "content-digest"];
        for (name, value) in names.into_iter().zip(values) {
            if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
                request.headers_mut().insert(name, value);
            }
        }
        prop_assert!(Signed::read(&request, NOW).is_err());
    }
}
