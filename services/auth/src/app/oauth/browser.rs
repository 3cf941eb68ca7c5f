//! Whose browser it is that a program has sent.

use openframe_tokens::opaque::{Purpose, csrf_token, read};
use openframe_tokens::{Caller, Subject};
use subtle::ConstantTimeEq as _;

use crate::Error;
use crate::app::{Asked, Auth, Origin};
use crate::domain::{Session, User};

/// A browser's session, by its cookie.
pub(super) struct Here {
    pub(super) session: Session,
    pub(super) person: User,
    /// Comes back with the answer to a page: no page of another origin knows it.
    pub(super) csrf_token: String,
    pub(super) asked: Asked,
}

impl Here {
    /// Whether an answer comes from a page that was made for this session.
    pub(super) fn has_asked(&self, csrf: &str) -> bool {
        csrf.as_bytes().ct_eq(self.csrf_token.as_bytes()).into()
    }
}

impl Auth {
    /// Whose session the browser has, if it has one.
    pub(super) async fn here(
        &self,
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<Option<Here>, Error> {
        let Some(cookie) = cookie else { return Ok(None) };
        let Some(shown) = read(Purpose::Session, cookie) else { return Ok(None) };
        let caller: Caller = match self.resolve_session(cookie, &origin.remote_address).await {
            Ok(resolved) => resolved.caller,
            Err(Error::NotSignedIn) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Subject::User { user, session, .. } = caller.subject else { return Ok(None) };
        let person = self.enabled(caller.tenant, user).await?;
        let Some(session) = self.store.sessions.get(session).await? else { return Ok(None) };
        let asked = Asked { caller, origin: origin.clone() };
        Ok(Some(Here { session, person, csrf_token: csrf_token(&shown), asked }))
    }
}
