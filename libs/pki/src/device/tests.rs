//! Requests for certificates: whatever one asks for, a device gets its own name, and a bad one nothing.

use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use x509_parser::pem::parse_x509_pem;

use super::*;
use crate::Authority;
use crate::authority::tests::now;

/// By `openssl req` with `-newkey rsa:1024`.
const RSA_1024: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBSzCBtQIBADAMMQowCAYDVQQDDAF4MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB
iQKBgQC3dpc0SMoHK6Lrf3FQK2OS73+bG+7l8vKzeMvr46uLbA0SYsllWCeac4Bm
C2XRUpZgKNa9Z4zfNZ4djapADgFtdgoJ/fYKYull5YUEz4g0kadZsPMMjvD5oXH+
Ea4MaNm7WKHrmC9hwlgOotctSSLtQxiwhPoUw6D109in85pB9wIDAQABoAAwDQYJ
KoZIhvcNAQELBQADgYEAkUE7nDP7bWw1P11XTuV21xYteWutR9cCD7MIQlQVIETk
7NuD0CYtecKtDuJoRY4qP4ahkpmM3QFxqBxt5oeIADwxK7qw5dvuErxyUfpAPXBc
cEcFC58bDJdsiuHcCA225y4dXmCcKGeuo0K8Ut0QPf5pavOT751uQ59fTD1bt3o=
-----END CERTIFICATE REQUEST-----
";
/// For a key on `secp224r1`.
const P224: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIGzMGMCAQAwDDEKMAgGA1UEAwwBeDBOMBAGByqGSM49AgEGBSuBBAAhAzoABAvD
eCoWDHK/rw6qW51MIU8gHChIgDtVvZ3tKEmgzUxSSyI6GHy54xEO3tazJKUcV3G2
o/P65/uNoAAwCgYIKoZIzj0EAwIDQAAwPQIcINuBT2Be4ZVYlhjIctKA9foQdAFB
cMSFMSW6lgIdAJzzoSfX1LMiY09hNuey1plD+rMYwNYfTFh+SAw=
-----END CERTIFICATE REQUEST-----
";
/// For a key on `secp256k1`.
const K256: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIHDMGsCAQAwDDEKMAgGA1UEAwwBeDBWMBAGByqGSM49AgEGBSuBBAAKA0IABN+r
M+89glNQ3eLlr+90gRflhT8ydB1fTCar9pdk71mmUlL4KW7q83cyjqjU1cX5NB56
YItJmps22QJr/mx9CQagADAKBggqhkjOPQQDAgNIADBFAiAKiOj3ZF4IWh6f/VZw
5W2zsxLPIP+mYkfWaI4rAnJmDgIhAKQIiPOwna8M5kJDijWJ9jF44uAzMKxeedkL
6kwOvRtY
-----END CERTIFICATE REQUEST-----
";
/// For an Ed25519 key.
const ED25519: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIGLMD8CAQAwDDEKMAgGA1UEAwwBeDAqMAUGAytlcAMhAGEuS6DhIhxfxYV61G5y
6IuuqZbXWvbJoVJDyL4s/eZSoAAwBQYDK2VwA0EAy4n+RD2wbkZYiPXWdcCubMIx
VHKx7pg7XLYYRBCngD8+0iBRX/5swEjmVUshq1znQx3Hsy9nWrxTiUGwLbzfBQ==
-----END CERTIFICATE REQUEST-----
";
/// For a key on P-256, with `basicConstraints=critical,CA:TRUE`, `keyUsage=keyCertSign`,
/// `extendedKeyUsage=serverAuth` and the names of another device and of a server.
const AN_AUTHORITY: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBkTCCATYCAQAwDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABJnHDPzwku1thuXvsRl3xXbIJIcLHcYkbOxuteXFOseHSCUzB/rjM7x1DfmR
8InQ9XQy2u5137hTXFWCZa5AxKiggccwgcQGCSqGSIb3DQEJDjGBtjCBszAPBgNV
HRMBAf8EBTADAQH/MAsGA1UdDwQEAwICBDB+BgNVHREEdzB1hmBzcGlmZmU6Ly9v
cGVuZnJhbWUvdC8wMTkxMjM0NS02Nzg5LTdhYmMtOGRlZi0wMTIzNDU2Nzg5YWIv
ZC8wMTkxMjM0NS02Nzg5LTdhYmMtOGRlZi0wMTIzNDU2Nzg5YWOCEW9wZW5mcmFt
ZS5leGFtcGxlMBMGA1UdJQQMMAoGCCsGAQUFBwMBMAoGCCqGSM49BAMCA0kAMEYC
IQCh1EoQPRQZmbfn/dZwIYDejNHP2xsHbZbXQAHwJqmkQAIhAMCIWDhodCtpGAJS
TlXXY4zrTeW8g6Pd7r5z/WE8Pb1V
-----END CERTIFICATE REQUEST-----
";
/// The same without the first two.
const ANOTHER_NAME: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBcjCCARgCAQAwDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABJnHDPzwku1thuXvsRl3xXbIJIcLHcYkbOxuteXFOseHSCUzB/rjM7x1DfmR
8InQ9XQy2u5137hTXFWCZa5AxKiggakwgaYGCSqGSIb3DQEJDjGBmDCBlTB+BgNV
HREEdzB1hmBzcGlmZmU6Ly9vcGVuZnJhbWUvdC8wMTkxMjM0NS02Nzg5LTdhYmMt
OGRlZi0wMTIzNDU2Nzg5YWIvZC8wMTkxMjM0NS02Nzg5LTdhYmMtOGRlZi0wMTIz
NDU2Nzg5YWOCEW9wZW5mcmFtZS5leGFtcGxlMBMGA1UdJQQMMAoGCCsGAQUFBwMB
MAoGCCqGSM49BAMCA0gAMEUCIGJkOm7YtGwSpLFs4KS90Jls7qD8lD8M+h4II1Tp
vt9AAiEA1dv9YfkYG03twXPImCmaiP976tbrRvH4shg4v0A8KVg=
-----END CERTIFICATE REQUEST-----
";

fn der(pem: &str) -> Vec<u8> {
    parse_x509_pem(pem.as_bytes()).unwrap().1.contents
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let (begin, end) = ("-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----");
    format!("{begin}\n{}\n{end}\n", lines.join("\n"))
}

fn is_refused(csr: &str) -> bool {
    matches!(csr_spki_sha256(csr), Err(Error::BadRequest(_)))
}

// B44.signature
#[test]
fn a_request_with_a_bit_of_its_signature_flipped_is_refused() {
    let good = der(&DeviceKey::generate().unwrap().csr_pem("host").unwrap());
    assert!(!is_refused(&pem(&good)), "what is encoded again is the same");
    // The last bytes are the second number of the signature: the request is as well formed as before.
    for back in 1..=16 {
        let mut bad = good.clone();
        let at = bad.len() - back;
        bad[at] ^= 1;
        X509CertificationRequest::from_der(&bad).unwrap();
        assert!(is_refused(&pem(&bad)), "byte {back} from the end");
    }
}

// B44.weak
#[test]
fn a_request_for_a_weak_or_strange_key_is_refused() {
    for (what, csr) in [("RSA", RSA_1024), ("P-224", P224), ("K-256", K256), ("Ed25519", ED25519)] {
        X509CertificationRequest::from_der(&der(csr)).unwrap();
        assert!(is_refused(csr), "{what}");
    }
}

// B44.name, B44.authority
#[test]
fn a_request_gets_no_name_or_use_that_it_asks_for() {
    let (authority, _) = Authority::create(now()).unwrap();
    let (tenant, device) = (TenantId::new(), DeviceId::new());
    for asked in [ANOTHER_NAME, AN_AUTHORITY] {
        let issued = authority.issue_device(asked, tenant, device, now()).unwrap();
        let shown = der(&issued.chain_pem);
        let identity = device_identity(&shown).unwrap();
        assert_eq!((identity.tenant, identity.device), (tenant, device));
        let (_, leaf) = X509Certificate::from_der(&shown).unwrap();
        let uses = leaf.extended_key_usage().unwrap().unwrap().value;
        assert!(uses.client_auth && !uses.server_auth, "{uses:?}");
        let signs = leaf.key_usage().unwrap().unwrap().value.key_cert_sign();
        assert!(!leaf.is_ca() && !signs);
    }
}

// B44.size, B44.bytes
#[test]
fn a_request_of_a_megabyte_or_of_a_deep_structure_is_refused() {
    assert!(is_refused(&pem(&vec![0x30; 1 << 20])));
    // A sequence in a sequence in a sequence, as deep as 4 KiB make it.
    let deep = (0..1360_usize).fold(Vec::new(), |within: Vec<u8>, _| {
        let length = u16::try_from(within.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82], length.as_slice(), &within].concat()
    });
    assert!(is_refused(&pem(&deep)));
}

proptest! {
    // B44.bytes
    #[test]
    fn random_bytes_are_no_request(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(is_refused(&pem(&bytes)));
    }

    // B44.signature, B44.bytes
    #[test]
    fn a_request_with_a_byte_of_what_is_signed_changed_is_refused(
        at in any::<prop::sample::Index>(),
        by in 1_u8..,
    ) {
        let mut bytes = der(ANOTHER_NAME);
        let (_, good) = X509CertificationRequest::from_der(&bytes).unwrap();
        let signed = good.certification_request_info.raw.len();
        // What is signed begins after the head of the whole.
        let at = 4 + at.index(signed);
        bytes[at] ^= by;
        prop_assert!(is_refused(&pem(&bytes)), "byte {at}");
    }

    // B44.bytes
    #[test]
    fn a_request_cut_short_is_refused(at in any::<prop::sample::Index>()) {
        let good = der(ANOTHER_NAME);
        let left = at.index(good.len());
        prop_assert!(is_refused(&pem(&good[..left])));
    }
}
