//! A client sends its request itself, and the browser only what it is called (RFC 9126).

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{ClientId, PushedId, TenantId};
use openframe_tokens::opaque::{Presented, Purpose, Secret, SecretHash, read};

use crate::authorize::{Ask, Refused};
use crate::family::Random;
use crate::{Client, Form, Refusal};

/// How long a browser has to come with it.
pub const PUSHED_LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// How long the person has from then on, to sign in and to answer.
pub const OPENED_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// What a request is called begins with this (RFC 9126, 2.2).
const URN: &str = "urn:ietf:params:oauth:request_uri:";
/// What shows who the client is: of no use to a browser, and not kept.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// A request that a client has pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The id.
    pub id: PushedId,
    /// The tenant.
    pub tenant: TenantId,
    /// Whose it is.
    pub client: ClientId,
    /// The hash of what it is called.
    pub secret: SecretHash,
    /// The request, as a query.
    pub query: String,
    /// When nobody can come with it any more.
    pub expires: Timestamp,
    /// When a browser came with it first.
    pub opened: Option<Timestamp>,
}

impl Pushed {
    /// Reads what `client` pushes: all that would be refused in a browser is refused here. Also what the
    /// request is called.
    pub fn push(
        form: Form,
        client: &Client,
        issuer: &str,
        (id, now): (PushedId, Timestamp),
        random: Random<'_>,
    ) -> Result<(Self, String), Refusal> {
        let form = form.without(&CREDENTIALS).with("client_id", &client.id.to_string());
        match Ask::read(&form, client, (issuer, Some(now))) {
            Ok(_) => {}
            Err(Refused::Here(refusal) | Refused::Sent { refusal, .. }) => return Err(refusal),
        }
        let secret = Secret::new(random());
        let pushed = Self {
            id,
            tenant: client.tenant,
            client: client.id,
            secret: secret.hash(),
            query: form.to_query(),
            expires: now + PUSHED_LIFETIME,
            opened: None,
        };
        Ok((pushed, format!("{URN}{}", secret.text(Purpose::PushedRequest, id.0))))
    }

    /// What a `request_uri` names.
    pub fn named(request_uri: &str) -> Option<Presented> {
        read(Purpose::PushedRequest, request_uri.strip_prefix(URN)?)
    }

    /// The request, for a browser that came with `shown` in the name of `client`; none when it is
    /// another's.
    pub fn form(&self, shown: &Presented, client: ClientId) -> Option<Form> {
        let own = shown.hash == self.secret && client == self.client;
        Form::read(self.query.as_bytes()).ok().filter(|_| own)
    }
}
