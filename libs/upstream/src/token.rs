//! What a provider says of a person: the ID token, checked strictly (OpenID Connect Core, 3.1.3.7).

use chrono::{DateTime, Utc};
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AdditionalClaims, ClaimsVerificationError, ClientId, IdToken, IdTokenClaims, IdTokenVerifier,
    IssuerUrl, JsonWebKeySet, Nonce, SignatureVerificationError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ANSWER_LIMIT, Document, Keys, Refusal};

/// How far the provider's clock may be from ours.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How old a token may be: it was asked for a moment ago.
const OLDEST: SignedDuration = SignedDuration::from_mins(10);
/// The longest ID token, in bytes.
const TOKEN_LIMIT: usize = 32 << 10;
/// The longest `sub`, in ASCII characters (OpenID Connect Core, 2).
const SUBJECT_MAX: usize = 255;
/// What begins the issuers that say by `xms_edov` whether an address is verified: `email_verified` is
/// unknown there.
const ENTRA: &str = "https://login.microsoftonline.com/";
/// The classes that mean several factors: of NIST SP 800-63B by their short names, of REFEDS, and of PAPE.
const MFA_CLASSES: [&str; 4] = [
    "aal2",
    "aal3",
    "https://refeds.org/profile/mfa",
    "http://schemas.openid.net/pape/policies/2007/06/multi-factor",
];

/// Claims beside the standard ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct More {
    nbf: Option<i64>,
    xms_edov: Option<Value>,
}

impl AdditionalClaims for More {}

type Token =
    IdToken<More, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Claims = IdTokenClaims<More, CoreGenderClaim>;

/// What an ID token must be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Of which provider.
    pub document: &'a Document,
    /// Signed by which keys.
    pub keys: &'a Keys,
    /// For whom.
    pub client: &'a str,
    /// For which try.
    pub nonce: &'a str,
    /// When.
    pub now: Timestamp,
}

/// A person, as a provider knows one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What the provider calls the person, for ever.
    pub subject: String,
    /// The mail address, if the provider says that the person has shown to read it.
    pub verified_email: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// When the person has last shown there to be that person, if the provider says so.
    pub auth_time: Option<Timestamp>,
    /// Whether that was by several factors.
    pub mfa: bool,
}

/// The ID token in the answer to an exchange.
pub fn id_token_of(body: &[u8]) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Answer {
        id_token: String,
    }
    const BAD: Refusal = Refusal::Malformed("its answer has no ID token");
    if body.len() > ANSWER_LIMIT {
        return Err(BAD);
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| BAD)?;
    if answer.id_token.len() > TOKEN_LIMIT { Err(BAD) } else { Ok(answer.id_token) }
}

/// Who an ID token is about, if it is what was wanted.
pub fn check(id_token: &str, wanted: Wanted<'_>) -> Result<Person, Refusal> {
    let bad = |why: &str| Refusal::Token(why.to_owned());
    if id_token.len() > TOKEN_LIMIT {
        return Err(bad("too long"));
    }
    let token: Token = id_token.parse().map_err(|_| bad("malformed"))?;
    let issuer = IssuerUrl::new(wanted.document.issuer.clone());
    let issuer = issuer.map_err(|_| Refusal::Malformed("its name"))?;
    let keys = JsonWebKeySet::new(wanted.keys.0.clone());
    // As for a client without a secret: a secret that two share signs nothing.
    let verifier =
        IdTokenVerifier::new_public_client(ClientId::new(wanted.client.to_owned()), issuer, keys)
            .set_allowed_algs(wanted.document.algorithms.iter().cloned())
            .set_time_fn(move || moment(wanted.now - SKEW))
            .set_issue_time_verifier_fn(move |issued| {
                let (from, to) = (moment(wanted.now - OLDEST - SKEW), moment(wanted.now + SKEW));
                let fits = from <= issued && issued <= to;
                if fits { Ok(()) } else { Err("not issued just now".to_owned()) }
            });
    let nonce = Nonce::new(wanted.nonce.to_owned());
    let claims = token.claims(&verifier, &nonce).map_err(|error| refusal(&error))?;
    narrow(claims, wanted)?;
    person(claims, wanted)
}

/// What the library leaves to whoever asks.
fn narrow(claims: &Claims, wanted: Wanted<'_>) -> Result<(), Refusal> {
    let bad = |why: &str| Err(Refusal::Token(why.to_owned()));
    if claims.issuer().as_str() != wanted.document.issuer {
        return bad("another issuer");
    }
    if claims.authorized_party().is_some_and(|it| it.as_str() != wanted.client) {
        return bad("another authorized party");
    }
    let starts = claims.additional_claims().nbf.unwrap_or_default();
    if starts > (wanted.now + SKEW).as_second() {
        return bad("not good yet");
    }
    let subject = claims.subject().as_str();
    let plain = subject.chars().all(|it| it.is_ascii() && !it.is_ascii_control());
    if subject.is_empty() || subject.len() > SUBJECT_MAX || !plain {
        return bad("no subject");
    }
    Ok(())
}

fn person(claims: &Claims, wanted: Wanted<'_>) -> Result<Person, Refusal> {
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned());
    let auth_time = claims.auth_time().map(|at| at.timestamp());
    let auth_time = auth_time.map(Timestamp::from_second).transpose();
    let auth_time = auth_time.map_err(|_| Refusal::Token("a bad auth_time".to_owned()))?;
    let email = claims.email().map(|email| email.as_str().to_owned());
    Ok(Person {
        subject: claims.subject().as_str().to_owned(),
        verified_email: email.filter(|_| is_verified(claims, wanted)),
        name,
        auth_time: auth_time.map(|at| at.min(wanted.now)),
        mfa: several_factors(claims),
    })
}

/// Whether the provider says that the person reads the mail of the address.
fn is_verified(claims: &Claims, wanted: Wanted<'_>) -> bool {
    if let Some(verified) = claims.email_verified() {
        return verified;
    }
    let said = claims.additional_claims().xms_edov.as_ref();
    let yes = said.is_some_and(|it| match it {
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => text == "1" || text == "true",
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    });
    yes && wanted.document.issuer.starts_with(ENTRA)
}

fn several_factors(claims: &Claims) -> bool {
    let methods = claims.auth_method_refs().map(Vec::as_slice).unwrap_or_default();
    let class = claims.auth_context_ref().map(|class| class.as_str());
    methods.iter().any(|it| it.as_str() == "mfa")
        || class.is_some_and(|class| MFA_CLASSES.contains(&class))
}

fn moment(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(at.as_second(), 0).unwrap_or_default()
}

/// Why the library refuses a token, without what the token says: that is a stranger's text.
fn refusal(error: &ClaimsVerificationError) -> Refusal {
    let bad = |why: &str| Refusal::Token(why.to_owned());
    match error {
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey,
        ) => Refusal::UnknownKey,
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::DisallowedAlg(_)
            | SignatureVerificationError::NoSignature
            | SignatureVerificationError::UnsupportedAlg(_),
        ) => bad("an algorithm that is not allowed"),
        ClaimsVerificationError::SignatureVerification(_) => bad("a wrong signature"),
        ClaimsVerificationError::InvalidIssuer(_) => bad("another issuer"),
        ClaimsVerificationError::InvalidAudience(_) => bad("another audience"),
        ClaimsVerificationError::InvalidNonce(_) => bad("another nonce"),
        ClaimsVerificationError::Expired(_) => bad("expired, or not issued just now"),
        ClaimsVerificationError::InvalidAuthContext(_)
        | ClaimsVerificationError::InvalidAuthTime(_)
        | ClaimsVerificationError::InvalidSubject(_)
        | ClaimsVerificationError::Unsupported(_)
        | ClaimsVerificationError::Other(_)
        | _ => bad("not what was asked for"),
    }
}
