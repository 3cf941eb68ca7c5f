//! Programs that ask for access, and how they show who they are.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use openframe_ids::{ClientId, TenantId};
use openframe_tokens::opaque::{Presented, Purpose, SecretHash, read};

use crate::jose::{ClientKeys, OneTime};
use crate::{Code, Form, RedirectUri, Refusal, Scopes, assertion};

/// How a client comes to tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantType {
    /// By a code that a person's browser brings (RFC 6749, 4.1).
    AuthorizationCode,
    /// By a refresh token (RFC 6749, 6).
    RefreshToken,
    /// For itself (RFC 6749, 4.4).
    ClientCredentials,
    /// By what a person allows on another device (RFC 8628).
    DeviceCode,
}

impl GrantType {
    /// Every one.
    pub const ALL: [Self; 4] =
        [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials, Self::DeviceCode];

    /// As it is written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }

    /// Reads one.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}

/// Whether a client has to prove that who shows a code is who asked for it (RFC 7636).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    /// It has to.
    Required,
    /// A confidential client that sends a nonce need not (RFC 9700, 2.1.1): for programs that cannot.
    Waived,
}

/// What a client has to do that others may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Demand {
    /// Send its requests ahead of the browser (RFC 9126).
    PushedRequests,
    /// Show proof of a key with each token (RFC 9449).
    BoundTokens,
}

impl Demand {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::PushedRequests, Self::BoundTokens];

    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PushedRequests => "pushed_requests",
            Self::BoundTokens => "bound_tokens",
        }
    }

    /// Reads one.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|demand| demand.as_str() == text)
    }
}

/// A program that was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The id, which is no secret.
    pub id: ClientId,
    /// The tenant.
    pub tenant: TenantId,
    /// What people are shown.
    pub name: String,
    /// The hash of its secret; none for one with keys, and for a program that cannot keep one, on people's
    /// own machines.
    pub secret: Option<SecretHash>,
    /// The keys that it signs with to show who it is, in the place of a secret.
    pub keys: Option<ClientKeys>,
    /// Where browsers may be sent back to.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where browsers may be sent after a logout.
    pub post_logout_uris: Vec<RedirectUri>,
    /// Where it is told that a session has ended, if it wants to be.
    pub backchannel_logout_uri: Option<String>,
    /// How it may come to tokens.
    pub grants: BTreeSet<GrantType>,
    /// What it may be given at most.
    pub scopes: Scopes,
    /// Whether codes need proof.
    pub pkce: Pkce,
    /// What else it has to do.
    pub demands: BTreeSet<Demand>,
    /// When it was registered.
    pub created: Timestamp,
}

impl Client {
    /// Whether it can keep a secret.
    pub fn is_confidential(&self) -> bool {
        self.secret.is_some() || self.keys.is_some()
    }

    /// Refuses what it was not registered for.
    pub(crate) fn needs(&self, grant: GrantType) -> Result<(), Refusal> {
        let refused =
            Refusal::new(Code::UnauthorizedClient, "the client is not registered for this grant");
        if self.grants.contains(&grant) { Ok(()) } else { Err(refused) }
    }

    /// Refuses tokens without a key where there has to be one.
    pub(crate) fn needs_key(
        &self,
        before: Option<&str>,
        shown: Option<&str>,
    ) -> Result<(), Refusal> {
        let needed = before.is_some() || self.demands.contains(&Demand::BoundTokens);
        if needed && shown.is_none() { Err(crate::dpop::MISSING) } else { Ok(()) }
    }

    /// Refuses who has not shown to be this client to `issuer`. What an assertion says is good once:
    /// whoever asks keeps it, and refuses it the next time.
    pub fn authenticate(
        &self,
        shown: &Credentials,
        (issuer, now): (&str, Timestamp),
    ) -> Result<Option<OneTime>, Refusal> {
        if shown.id != self.id {
            return Err(UNKNOWN);
        }
        match (&shown.with, self.secret, &self.keys) {
            (Shown::Nothing, None, None) => Ok(None),
            (Shown::Secret(secret), Some(own), _)
                if secret.id == self.id.0 && secret.hash == own =>
            {
                Ok(None)
            }
            (Shown::Assertion(text), _, Some(keys)) => {
                assertion::check((keys, self.id), text, (issuer, now)).map(Some).ok_or(UNKNOWN)
            }
            (Shown::Nothing | Shown::Secret(_) | Shown::Assertion(_), _, _) => Err(UNKNOWN),
        }
    }
}

/// The client is unknown, or has shown a wrong secret, or none. Which of them is not said.
pub const UNKNOWN: Refusal =
    Refusal::new(Code::InvalidClient, "the client is unknown, or its secret is wrong");

/// Who a client says it is, and what it shows for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who it says it is.
    pub id: ClientId,
    /// What it shows.
    pub with: Shown,
}

/// What a client shows for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Nothing: it can keep no secret (`none`).
    Nothing,
    /// A secret (`client_secret_basic`, `client_secret_post`).
    Secret(Presented),
    /// What its key has signed (`private_key_jwt`).
    Assertion(String),
}

impl Credentials {
    /// Reads them from the `Authorization` header (`client_secret_basic`), or from the form
    /// (`client_secret_post`, `private_key_jwt`, `none`): never two of them (RFC 6749, 2.3).
    pub fn read(form: &Form, authorization: Option<&str>) -> Result<Self, Refusal> {
        let (secret, assertion) = (form.get("client_secret"), form.get("client_assertion"));
        let ways = [authorization, secret, assertion].iter().flatten().count();
        if ways > 1 {
            return Err(Refusal::invalid("show who the client is in one way only"));
        }
        if let Some(assertion) = assertion {
            return Self::signed(form, assertion);
        }
        let Some(header) = authorization else {
            let id = form.get("client_id").ok_or(UNKNOWN)?;
            return Self::of(id, secret);
        };
        let (scheme, encoded) = header.split_once(' ').ok_or(UNKNOWN)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(UNKNOWN);
        }
        let text = STANDARD.decode(encoded.trim_start_matches(' ')).map_err(|_| UNKNOWN)?;
        let text = String::from_utf8(text).map_err(|_| UNKNOWN)?;
        // Ids and secrets are of characters that the encoding of forms, which RFC 6749 wants within
        // the header too, leaves as they are.
        let (id, secret) = text.split_once(':').ok_or(UNKNOWN)?;
        if form.get("client_id").is_some_and(|other| other != id) {
            return Err(Refusal::invalid(
                "the client is another one in the header and in the form",
            ));
        }
        Self::of(id, Some(secret))
    }

    fn of(id: &str, secret: Option<&str>) -> Result<Self, Refusal> {
        let id = id.parse().map_err(|_| UNKNOWN)?;
        let read = |text| read(Purpose::ClientSecret, text).map(Shown::Secret).ok_or(UNKNOWN);
        Ok(Self { id, with: secret.map_or(Ok(Shown::Nothing), read)? })
    }

    fn signed(form: &Form, assertion: &str) -> Result<Self, Refusal> {
        if form.get("client_assertion_type") != Some(assertion::KIND) {
            return Err(Refusal::invalid("the client_assertion_type is jwt-bearer"));
        }
        let id = assertion::named(assertion).ok_or(UNKNOWN)?;
        if form.get("client_id").is_some_and(|other| other != id.to_string()) {
            return Err(Refusal::invalid("the client is another one in the assertion"));
        }
        Ok(Self { id, with: Shown::Assertion(assertion.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use openframe_tokens::opaque::mint;

    use super::*;

    const AT: (&str, Timestamp) = ("https://id.example.org", Timestamp::UNIX_EPOCH);

    fn client(secret: Option<SecretHash>, id: ClientId) -> Client {
        Client {
            id,
            tenant: TenantId::new(),
            name: "app".to_owned(),
            secret,
            redirect_uris: Vec::new(),
            post_logout_uris: Vec::new(),
            backchannel_logout_uri: None,
            grants: BTreeSet::new(),
            scopes: Scopes::default(),
            keys: None,
            pkce: Pkce::Required,
            demands: [].into(),
            created: Timestamp::UNIX_EPOCH,
        }
    }

    fn basic(id: &str, secret: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    }

    fn shown(form: &str, header: Option<&str>) -> Result<Credentials, Refusal> {
        Credentials::read(&Form::read(form.as_bytes()).unwrap(), header)
    }

    // ASVS 10.4.10
    // B10.basic, B10.post, B10.secret
    #[test]
    fn a_secret_is_shown_in_the_header_or_in_the_form() {
        let id = ClientId::new();
        let (secret, other) =
            (mint(Purpose::ClientSecret, id.0), mint(Purpose::ClientSecret, id.0));
        let own = client(Some(secret.hash), id);
        let form = format!("client_id={id}&client_secret={}", secret.text);
        for credentials in [
            shown(&form, None),
            shown("", Some(&basic(&id.to_string(), &secret.text))),
            shown(&format!("client_id={id}"), Some(&basic(&id.to_string(), &secret.text))),
        ] {
            assert_eq!(own.authenticate(&credentials.unwrap(), AT), Ok(None));
        }
        for wrong in [
            shown(&format!("client_id={id}"), None),
            shown("", Some(&basic(&id.to_string(), &other.text))),
            shown("", Some(&basic(&ClientId::new().to_string(), &secret.text))),
        ] {
            assert_eq!(own.authenticate(&wrong.unwrap(), AT), Err(UNKNOWN));
        }
    }

    #[test]
    fn a_client_without_a_secret_shows_none() {
        let id = ClientId::new();
        let secret = mint(Purpose::ClientSecret, id.0);
        let public = client(None, id);
        let nothing = shown(&format!("client_id={id}"), None).unwrap();
        assert_eq!(public.authenticate(&nothing, AT), Ok(None));
        let more = shown(&format!("client_id={id}&client_secret={}", secret.text), None);
        assert_eq!(public.authenticate(&more.unwrap(), AT), Err(UNKNOWN));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let id = ClientId::new().to_string();
        let secret = mint(Purpose::ClientSecret, ClientId::new().0).text;
        let both = format!("client_id={id}&client_secret={secret}");
        let two = shown(&both, Some(&basic(&id, &secret))).unwrap_err();
        assert_eq!(two.code, Code::InvalidRequest);
        let other = shown(&format!("client_id={}", ClientId::new()), Some(&basic(&id, &secret)));
        assert_eq!(other.unwrap_err().code, Code::InvalidRequest);
        for (form, header) in [
            ("", None),
            ("client_id=app", None),
            ("client_id=1&client_secret=2", None),
            ("", Some("Basic")),
            ("", Some("Basic !")),
            ("", Some("Bearer x")),
            ("", Some(&*basic(&id, "x"))),
            ("", Some(&*format!("Basic {}", STANDARD.encode(&id)))),
        ] {
            assert_eq!(shown(form, header), Err(UNKNOWN), "{form} {header:?}");
        }
    }
}
