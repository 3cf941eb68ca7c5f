//! What a provider says of itself (OpenID Connect Discovery), and how a code is exchanged there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openframe_webhook::address;
use openidconnect::core::CoreJwsSigningAlgorithm as Algorithm;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::{ANSWER_LIMIT, Client, Refusal};

/// The algorithms that ID tokens may be signed with: all by keys of which the provider alone has the
/// secret part.
const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPssSha256,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// What is read of a document; the rest is not needed.
#[derive(Deserialize)]
struct Said {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    response_types_supported: Vec<String>,
    id_token_signing_alg_values_supported: Vec<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What a provider says of itself.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) issuer: String,
    pub(crate) authorization: Url,
    token: String,
    keys: String,
    pub(crate) algorithms: Vec<Algorithm>,
    /// Whether the secret goes into a header, and not into the form.
    basic: bool,
    /// Whether it says in each answer who it is.
    names_itself: bool,
}

/// A code to exchange.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// Who exchanges it.
    pub client: Client<'a>,
    /// The client's secret.
    pub secret: &'a str,
    /// The code.
    pub code: &'a str,
    /// What only who has begun can show.
    pub verifier: &'a str,
}

/// What is wrong with the name of a provider: it is `https`, or `http` on loopback, and nothing comes after
/// its path (OpenID Connect Discovery, 3).
pub fn issuer_fault(issuer: &str) -> Option<String> {
    match address("issuer", issuer) {
        Err(fault) => Some(fault),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            Some("`issuer` must have nothing after its path".to_owned())
        }
        Ok(_) => None,
    }
}

/// Where a provider says what it is.
pub fn document_address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Document {
    /// Reads the document of the provider called `issuer`, letter by letter: a document that may name
    /// another one lets that one speak for this.
    pub fn read(issuer: &str, body: &[u8]) -> Result<Self, Refusal> {
        const BAD: Refusal = Refusal::Malformed("its document");
        if body.len() > ANSWER_LIMIT {
            return Err(BAD);
        }
        let said: Said = serde_json::from_slice(body).map_err(|_| BAD)?;
        if said.issuer != issuer {
            return Err(Refusal::OtherIssuer);
        }
        let endpoint = |text: &str| {
            let url = address("endpoint", text).ok().filter(|url| url.fragment().is_none());
            url.ok_or(Refusal::Malformed("an address in its document"))
        };
        endpoint(&said.token_endpoint)?;
        endpoint(&said.jwks_uri)?;
        if !said.response_types_supported.iter().any(|it| it == "code") {
            return Err(Refusal::Lacks("codes (response_types_supported)"));
        }
        let proofs = said.code_challenge_methods_supported.as_deref();
        if proofs.is_some_and(|proofs| !proofs.iter().any(|it| it == "S256")) {
            return Err(Refusal::Lacks("PKCE by S256 (code_challenge_methods_supported)"));
        }
        Ok(Self {
            authorization: endpoint(&said.authorization_endpoint)?,
            algorithms: algorithms(&said.id_token_signing_alg_values_supported)?,
            basic: basic(said.token_endpoint_auth_methods_supported.as_deref())?,
            names_itself: said.authorization_response_iss_parameter_supported,
            issuer: said.issuer,
            token: said.token_endpoint,
            keys: said.jwks_uri,
        })
    }

    /// Where its keys are.
    pub fn keys_address(&self) -> &str {
        &self.keys
    }

    /// Where codes are exchanged.
    pub fn token_address(&self) -> &str {
        &self.token
    }

    /// Refuses an answer that another provider has sent the browser with (RFC 9207, 2.4).
    pub(crate) fn sent_by(&self, issuer: Option<&str>) -> Result<(), Refusal> {
        match issuer {
            Some(issuer) if issuer == self.issuer => Ok(()),
            None if !self.names_itself => Ok(()),
            Some(_) | None => Err(Refusal::MixedUp),
        }
    }

    /// The form that exchanges a code, and the `Authorization` header that goes with it, if any.
    pub fn exchange(&self, it: Exchange<'_>) -> (String, Option<String>) {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", it.code)
            .append_pair("redirect_uri", it.client.redirect_uri)
            .append_pair("code_verifier", it.verifier);
        if self.basic {
            // RFC 6749, 2.3.1: both as in a form, and then as RFC 7617 has it.
            let part = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", part(it.client.id), part(it.secret));
            return (form.finish(), Some(format!("Basic {}", STANDARD.encode(pair))));
        }
        form.append_pair("client_id", it.client.id).append_pair("client_secret", it.secret);
        (form.finish(), None)
    }
}

fn algorithms(names: &[String]) -> Result<Vec<Algorithm>, Refusal> {
    let read = |name: &String| serde_json::from_value(Value::from(name.as_str())).ok();
    let known: Vec<Algorithm> = names.iter().filter_map(read).collect();
    let good: Vec<Algorithm> = ALGORITHMS.into_iter().filter(|it| known.contains(it)).collect();
    if good.is_empty() {
        return Err(Refusal::Lacks("an algorithm that is good here (RS256, PS256, ES256, EdDSA)"));
    }
    Ok(good)
}

/// Whether the secret goes into a header: the default (OpenID Connect Discovery, 3).
fn basic(methods: Option<&[String]>) -> Result<bool, Refusal> {
    let Some(methods) = methods else { return Ok(true) };
    let has = |name: &str| methods.iter().any(|it| it == name);
    if has("client_secret_basic") {
        Ok(true)
    } else if has("client_secret_post") {
        Ok(false)
    } else {
        Err(Refusal::Lacks("client secrets (token_endpoint_auth_methods_supported)"))
    }
}
