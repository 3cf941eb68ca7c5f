//! A passkey in software, which does what it is told, right or wrong. Other tests include this file.

use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const WITH_KEY: u8 = 1 << 6;

/// An authenticator with one passkey, and the browser in front of it.
pub(crate) struct SoftPasskey {
    key: EcdsaKeyPair,
    /// The passkey's name.
    pub(crate) id: Vec<u8>,
    /// Whose it says it is; nothing is said when it is empty.
    pub(crate) user: Vec<u8>,
    /// The page's origin, as the browser says it.
    pub(crate) origin: String,
    /// The site, as the authenticator has it; the one that is asked for when it is empty.
    pub(crate) site: String,
    /// Whether the person was verified.
    pub(crate) verified: bool,
    /// How often it has signed; it does not count when this is nothing.
    pub(crate) counter: Option<u32>,
    /// What the key says it is for, as CBOR: -7 is ES256.
    pub(crate) algorithm: &'static [u8],
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn text<'a>(of: &'a Value, place: &str) -> &'a str {
    of.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

impl SoftPasskey {
    /// One for pages of this origin.
    pub(crate) fn new(origin: &str) -> Self {
        let mut id = vec![0; 32];
        fill(&mut id).unwrap();
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id,
            user: Vec::new(),
            origin: origin.to_owned(),
            site: String::new(),
            verified: true,
            counter: Some(0),
            algorithm: &[0x26],
        }
    }

    fn client_data(&self, kind: &str, challenge: &str) -> Vec<u8> {
        let said = json!({
            "type": kind,
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": false,
        });
        said.to_string().into_bytes()
    }

    fn authenticator_data(&mut self, asked: &str, more: u8) -> Vec<u8> {
        let site = if self.site.is_empty() { asked } else { &self.site };
        let mut data = Sha256::digest(site).to_vec();
        let verified = if self.verified { VERIFIED } else { 0 };
        data.push(PRESENT | verified | more);
        self.counter = self.counter.map(|counter| counter + 1);
        data.extend(self.counter.unwrap_or_default().to_be_bytes());
        data
    }

    /// The public key (RFC 9053, 7.1).
    fn cose(&self) -> Vec<u8> {
        let (_, point) = self.key.public_key().as_ref().split_at(1);
        let (x, y) = point.split_at(32);
        let head = [&[0xa5, 0x01, 0x02, 0x03], self.algorithm, &[0x20, 0x01, 0x21, 0x58, 0x20]];
        [&head.concat(), x, &[0x22, 0x58, 0x20], y].concat()
    }

    /// What `navigator.credentials.create()` gives for these options.
    pub(crate) fn make(&mut self, options: &Value) -> Value {
        self.user = URL_SAFE_NO_PAD.decode(text(options, "/publicKey/user/id")).unwrap();
        let said = self.client_data("webauthn.create", text(options, "/publicKey/challenge"));
        let mut data = self.authenticator_data(text(options, "/publicKey/rp/id"), WITH_KEY);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose());
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend(data);
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": { "credProps": { "rk": true } },
            "response": {
                "attestationObject": encode(&object),
                "clientDataJSON": encode(&said),
                "transports": ["internal"],
            },
        })
    }

    /// What `navigator.credentials.get()` gives for these options.
    pub(crate) fn show(&mut self, options: &Value) -> Value {
        let said = self.client_data("webauthn.get", text(options, "/publicKey/challenge"));
        let data = self.authenticator_data(text(options, "/publicKey/rpId"), 0);
        let signed = [data.as_slice(), &Sha256::digest(&said)].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let mut response = json!({
            "authenticatorData": encode(&data),
            "clientDataJSON": encode(&said),
            "signature": encode(signature.as_ref()),
        });
        let told = response.as_object_mut().filter(|_| !self.user.is_empty());
        if let Some(told) = told {
            told.insert("userHandle".to_owned(), encode(&self.user).into());
        }
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        })
    }
}
