//! A signed request: how a device makes one, and how it is read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Request};
use sha2::{Digest as _, Sha256};

use crate::base::{base, component};
use crate::fields::{self, Input, Value};
use crate::{Digest, Refusal};

/// What a signature covers, in the order in which we write it.
pub const COMPONENTS: [&str; 5] = ["@method", "@authority", "@path", "@query", "content-digest"];
/// The one algorithm: ECDSA on P-256 with SHA-256, both numbers in 32 bytes each (RFC 9421, 3.3.4).
pub const ALGORITHM: &str = "ecdsa-p256-sha256";
/// What these signatures are for, so that none that the key has made for something else is taken.
pub const TAG: &str = "openframe-agent";
/// How far the clock of a device may be from ours, in seconds.
pub const SKEW_S: i64 = 60;
/// Where the signature's input is.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// Where the signature is.
pub const SIGNATURE: &str = "signature";
/// Where the device's certificate is, and its issuers': a list of bytes, DER. Not `Client-Cert`
/// (RFC 9440): that is a proxy's word for what it has seen, and nobody's proof.
pub const CERTIFICATE: &str = "x-openframe-certificate";
/// Where the digest of the body is (RFC 9530).
const CONTENT_DIGEST: &str = "content-digest";
/// The label of the signatures that we make.
const LABEL: &str = "agent";
/// Parameters of a signature: these, once each.
const PARAMETERS: usize = 5;
/// Bytes of the certificates at most, as text.
const CERTIFICATE_BYTES: usize = 16 << 10;
/// Bytes of each other header at most.
const HEADER_BYTES: usize = 2 << 10;
/// Characters of a nonce.
const NONCE: std::ops::RangeInclusive<usize> = 16..=128;

/// Who signs, and for once.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// The certificate of the key, DER, and its issuers'.
    pub chain: &'a [Vec<u8>],
    /// Never used before.
    pub nonce: &'a str,
    /// Now, in seconds since 1970.
    pub created: i64,
}

/// The name of the key that a certificate is for: SHA-256 of the certificate, base64url.
pub fn keyid(certificate: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(certificate))
}

/// Signs a request whose body is `body`: adds the headers that show it. `None` when `key` makes no
/// signature, or there is no certificate.
pub fn sign<B>(
    request: &mut Request<B>,
    body: &[u8],
    signer: &Signer<'_>,
    key: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Option<()> {
    let text = |text: &str| Value::Text(text.to_owned());
    let parameters = [
        ("created", Value::Integer(signer.created)),
        ("nonce", text(signer.nonce)),
        ("keyid", text(&keyid(signer.chain.first()?))),
        ("alg", text(ALGORITHM)),
        ("tag", text(TAG)),
    ];
    let input = Input {
        components: COMPONENTS.map(str::to_owned).to_vec(),
        parameters: parameters.map(|(name, value)| (name.to_owned(), value)).to_vec(),
    };
    let digest = HeaderValue::from_str(&Digest::of(body).to_text()).ok()?;
    request.headers_mut().insert(CONTENT_DIGEST, digest);
    let base = base(&input, |name| component(request, name))?;
    let signature = fields::bytes(&key(base.as_bytes())?);
    let chain: Vec<String> = signer.chain.iter().map(|it| fields::bytes(it)).collect();
    for (name, text) in [
        (SIGNATURE_INPUT, format!("{LABEL}={input}")),
        (SIGNATURE, format!("{LABEL}={signature}")),
        (CERTIFICATE, chain.join(", ")),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_str(&text).ok()?);
    }
    Some(())
}

/// What a request says that was signed, in due form and time. Whether the signature is one of `message`
/// by the key of the first certificate is not known yet, nor whether that counts, nor whether the nonce
/// is new, nor whether the body is the one of `body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The certificates, DER: the signer's first.
    pub chain: Vec<Vec<u8>>,
    /// What was signed.
    pub message: String,
    /// The signature.
    pub signature: Vec<u8>,
    /// What must not come again.
    pub nonce: String,
    /// When it was signed, in seconds since 1970.
    pub created: i64,
    /// What the body is to be.
    pub body: Digest,
}

impl Signed {
    /// Reads a request at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// When it is not signed, or not as [the profile](crate) asks for.
    pub fn read<B>(request: &Request<B>, now: i64) -> Result<Self, Refusal> {
        let headers = request.headers();
        if !headers.contains_key(SIGNATURE_INPUT) {
            return Err(Refusal::Unsigned);
        }
        let (label, input) = read_one(headers, SIGNATURE_INPUT, fields::inputs)?;
        let (of, signature) = read_one(headers, SIGNATURE, fields::labelled_bytes)?;
        if of != label {
            return Err(Refusal::Several);
        }
        let (nonce, created) = check(&input, now)?;
        let digest = header(headers, CONTENT_DIGEST, HEADER_BYTES)?;
        let body = Digest::read(digest).ok_or(Refusal::Digest)?;
        let certificates = header(headers, CERTIFICATE, CERTIFICATE_BYTES)?;
        let chain = fields::bytes_list(certificates);
        let chain = chain.ok_or(Refusal::Malformed(CERTIFICATE))?;
        let named = chain.first().map(|it| keyid(it));
        if named.as_deref() != input.text("keyid") {
            return Err(Refusal::KeyId);
        }
        let message = base(&input, |name| component(request, name));
        Ok(Self {
            chain,
            message: message.ok_or(Refusal::Components)?,
            signature,
            nonce,
            created,
            body,
        })
    }
}

/// Whether a signature covers what it has to, for this, now, and by what we take; then its nonce, and
/// when it was made.
fn check(input: &Input, now: i64) -> Result<(String, i64), Refusal> {
    let covers = |name: &&str| input.components.iter().any(|it| it == name);
    if input.components.len() != COMPONENTS.len() || !COMPONENTS.iter().all(covers) {
        return Err(Refusal::Components);
    }
    let text = |name| input.text(name).ok_or(Refusal::Parameters);
    let created = input.integer("created").ok_or(Refusal::Parameters)?;
    let [nonce, _, algorithm, tag] = [text("nonce")?, text("keyid")?, text("alg")?, text("tag")?];
    if input.parameters.len() != PARAMETERS {
        return Err(Refusal::Parameters);
    }
    if algorithm != ALGORITHM {
        return Err(Refusal::Algorithm);
    }
    if tag != TAG {
        return Err(Refusal::Tag);
    }
    if !NONCE.contains(&nonce.len()) {
        return Err(Refusal::Nonce);
    }
    if now.abs_diff(created) > SKEW_S.unsigned_abs() {
        return Err(Refusal::Time);
    }
    Ok((nonce.to_owned(), created))
}

/// The one member of a dictionary that is in one header.
fn read_one<T>(
    headers: &HeaderMap,
    name: &'static str,
    read: impl Fn(&str) -> Option<Vec<(String, T)>>,
) -> Result<(String, T), Refusal> {
    let all = read(header(headers, name, HEADER_BYTES)?).ok_or(Refusal::Malformed(name))?;
    let [one]: [_; 1] = all.try_into().map_err(|_| Refusal::Several)?;
    Ok(one)
}

/// The one line of a header.
fn header<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
    limit: usize,
) -> Result<&'a str, Refusal> {
    let mut lines = headers.get_all(name).into_iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err(Refusal::Malformed(name));
    };
    if line.len() > limit {
        return Err(Refusal::TooLong(name));
    }
    line.to_str().map_err(|_| Refusal::Malformed(name))
}
