//! A program sends a browser to end the person's session (OpenID Connect RP-Initiated Logout 1.0).
//!
//! What the program sends says where to go on, and which session it means. It never ends one: whose
//! session a browser has, only its cookie tells, and where the two differ the person is asked.

#[cfg(test)]
mod tests;

use openframe_ids::{ClientId, SessionId};

use crate::authorize::with_query;
use crate::id_token::{Said, SigningKey};
use crate::{Client, Form, Refusal, client_of};

/// What a program wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    /// Who wants it; none where the request does not say.
    pub client: Option<ClientId>,
    hint: Option<Said>,
    to: Option<String>,
    state: Option<String>,
}

impl Logout {
    /// Reads a request (RP-Initiated Logout, 2). An ID token that one of `keys` has not signed for
    /// `issuer` is refused, and one of another client than `client_id`; its age does not matter.
    pub fn read<'a>(
        form: &Form,
        issuer: &str,
        keys: impl IntoIterator<Item = &'a SigningKey>,
    ) -> Result<Self, Refusal> {
        let hint = Said::hinted(form, issuer, keys)?;
        let named = form.get("client_id").map(|_| client_of(form)).transpose()?;
        if let (Some(hint), Some(named)) = (&hint, named)
            && hint.client != named
        {
            let other = "the id_token_hint is another client's than client_id";
            return Err(Refusal::invalid(other));
        }
        let text = |name| form.get(name).map(str::to_owned);
        let client = named.or(hint.as_ref().map(|hint| hint.client));
        let to = text("post_logout_redirect_uri");
        if to.is_some() && client.is_none() {
            let whose = "say whose post_logout_redirect_uri it is: id_token_hint or client_id";
            return Err(Refusal::invalid(whose));
        }
        Ok(Self { client, hint, to, state: text("state") })
    }

    /// Where the browser goes on afterwards, if anywhere: an address that `client`, whom the request
    /// names, has registered letter by letter (RP-Initiated Logout, 3).
    pub fn address(&self, client: &Client) -> Result<Option<String>, Refusal> {
        let Some(to) = &self.to else { return Ok(None) };
        if !client.post_logout_uris.iter().any(|own| own.as_str() == to) {
            let unknown =
                "this address is not registered for the client (post_logout_redirect_uri)";
            return Err(Refusal::invalid(unknown));
        }
        let state = self.state.as_deref().map(|state| ("state", state));
        Ok(Some(state.map_or_else(|| to.clone(), |state| with_query(to, &[state]))))
    }

    /// Whether the program means this session, by an ID token that it was given in it. Then the person
    /// need not be asked.
    pub fn means(&self, session: SessionId) -> bool {
        self.hint.as_ref().is_some_and(|hint| hint.session == session)
    }
}
