//! Proofs of keys that come with programs' requests (RFC 9449), and what else is good once.

use openframe_oauth::dpop::{self, Proof};
use openframe_oauth::{BAD_CLIENT, Client, Code, Credentials, Form, OneTime, Refusal};

use super::{OAuthError, Sent};
use crate::Error;
use crate::app::{Auth, Origin};

/// How a request shows that it comes from who holds the key that an access token is bound to.
#[derive(Debug, Clone, Copy)]
pub enum Proven<'a> {
    /// It does not.
    Not,
    /// By a proof for this request.
    Now(&'a KeyProof<'a>),
    /// It did when it came; it is still under way.
    Before,
}

/// A proof, and the request that it is to be for.
#[derive(Debug, Clone, Copy)]
pub struct KeyProof<'a> {
    /// The proof.
    pub proof: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// The request's path, below the platform's address.
    pub path: &'a str,
}

const SEEN: Refusal = Refusal::new(Code::InvalidDpopProof, "the DPoP proof was sent before");

impl Auth {
    /// The client that asks, if it shows that it is the one.
    pub(super) async fn client(&self, form: &Form, sent: &Sent) -> Result<Client, OAuthError> {
        let shown = Credentials::read(form, sent.authorization.as_deref())?;
        let client = self.store.clients.get(shown.id).await?;
        let client = client.filter(|client| client.tenant == self.tenant);
        let issuer = self.issuer();
        let once = client.as_ref().map(|it| it.authenticate(&shown, (&issuer, self.now())));
        if let (Some(client), Some(Ok(once))) = (client, once)
            && self.first(once).await?
        {
            return Ok(client);
        }
        let who = ("client", shown.id.to_string());
        let event = self.event_by(who, &sent.origin, "client.authenticate", "");
        self.refused(event, Some("client")).await;
        Err(BAD_CLIENT.into())
    }

    /// The key that a request to an endpoint of the provider comes with a proof of.
    pub(super) async fn proven(
        &self,
        sent: &Sent,
        endpoint: &str,
    ) -> Result<Option<String>, OAuthError> {
        let Some(proof) = sent.proof.as_deref() else { return Ok(None) };
        let path = format!("{}/{endpoint}", openframe_auth_api::PROVIDER);
        let shown = KeyProof { proof, method: "POST", path: &path };
        self.key_of(&shown, None, &sent.origin).await.map(Some)
    }

    /// The key that a proof is of, which comes with the access token `token` if the request has one.
    pub(super) async fn key_of(
        &self,
        shown: &KeyProof<'_>,
        token: Option<&str>,
        origin: &Origin,
    ) -> Result<String, OAuthError> {
        let url = format!("{}{}", self.own_url(), shown.path);
        let checked = dpop::check(shown.proof, (shown.method, &url), token, self.now());
        let refusal = match checked {
            Ok(Proof { key, once }) if self.first(Some(once)).await? => return Ok(key),
            Ok(_) => SEEN,
            Err(refusal) => refusal,
        };
        let event = self.event_by(("client", String::new()), origin, "proof.check", "");
        self.refused(event, Some("proof")).await;
        Err(refusal.into())
    }

    /// Whether what is good once was not shown before, to any replica.
    async fn first(&self, once: Option<OneTime>) -> Result<bool, Error> {
        match once {
            Some(once) => Ok(self.store.one_times.spend(&once).await?),
            None => Ok(true),
        }
    }
}
