//! Programs send their requests ahead of the browser (RFC 9126).

use openframe_ids::{PushedId, random};
use openframe_oauth::{PUSHED_LIFETIME, Pushed, Refusal};

use super::{OAuthError, Sent};
use crate::Error;
use crate::app::Auth;
use crate::domain::network;

/// What a program gets that has pushed a request.
#[derive(Debug)]
pub struct PushedAnswer {
    /// What the request is called.
    pub request_uri: String,
    /// Seconds until no browser can come with it any more.
    pub expires_in: i64,
}

const OTHER_KEY: Refusal = Refusal::new(
    openframe_oauth::Code::InvalidRequest,
    "the dpop_jkt is of another key than the DPoP proof",
);

impl Auth {
    /// Keeps a program's request.
    pub async fn push(&self, sent: &Sent) -> Result<PushedAnswer, OAuthError> {
        let mut form = sent.form()?;
        let client = self.client(&form, sent).await?;
        // Who cannot show to be the client is anybody.
        let near = network(&sent.origin.remote_address);
        let asks = || self.program_asks.take(&near, None, self.now());
        if !client.is_confidential() && asks().is_err() {
            return Err(OAuthError::Failed(Error::Busy));
        }
        if let Some(key) = self.proven(sent, "par").await? {
            if form.get("dpop_jkt").is_some_and(|asked| asked != key) {
                return Err(OTHER_KEY.into());
            }
            form = form.with("dpop_jkt", &key);
        }
        let at = (PushedId::new(), self.now());
        let (pushed, request_uri) = Pushed::push(form, &client, &self.issuer(), at, &mut random)?;
        if !self.store.pushed.add(&pushed).await? {
            return Err(openframe_oauth::BAD_CLIENT.into());
        }
        Ok(PushedAnswer { request_uri, expires_in: PUSHED_LIFETIME.as_secs() })
    }
}
