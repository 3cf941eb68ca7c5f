//! A person's browser comes from a program to log out (OpenID Connect RP-Initiated Logout 1.0).

use openframe_oauth::{Client, Form, Logout, Refusal, UNKNOWN_CLIENT};

use super::browser::Here;
use crate::Error;
use crate::app::{Auth, Origin};
use crate::domain::{User, network};

/// What the browser is told.
#[derive(Debug)]
pub enum LoggedOut {
    /// To ask the person first.
    Ask(Box<LogoutAsked>),
    /// That nobody is signed in here any more, and where to go on.
    Done(Option<String>),
    /// That the person stays signed in.
    Stays,
    /// That there is nothing to be done, and why.
    Refused(Refusal),
}

/// What a person is asked.
#[derive(Debug)]
pub struct LogoutAsked {
    /// Who has sent the browser, if that is known.
    pub client: Option<Client>,
    /// Where it goes on afterwards.
    pub to: Option<String>,
    /// Who is asked.
    pub person: User,
    /// Comes back with the answer.
    pub csrf_token: String,
}

/// A request that can be answered.
struct Wanted {
    logout: Logout,
    client: Option<Client>,
    to: Option<String>,
}

impl Auth {
    /// A request that a browser brings. `cookie` is its session's: only that says who is logged out,
    /// and unless the program shows an ID token of this very session, the person is asked.
    pub async fn rp_logout(
        &self,
        query: &[u8],
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<LoggedOut, Error> {
        let Wanted { logout, client, to } = match self.wanted_logout(query, origin).await? {
            Ok(wanted) => wanted,
            Err(refusal) => return Ok(LoggedOut::Refused(refusal)),
        };
        let Some(here) = self.here(cookie, origin).await? else {
            return Ok(LoggedOut::Done(to));
        };
        if logout.means(here.session.id) {
            return self.end_here(&here, client.as_ref(), to).await;
        }
        let Here { person, csrf_token, .. } = here;
        Ok(LoggedOut::Ask(Box::new(LogoutAsked { client, to, person, csrf_token })))
    }

    /// What the person has answered: to `leave` or not, with the token of the page that asked.
    pub async fn confirm_logout(
        &self,
        (query, leave): (&[u8], bool),
        csrf: &str,
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<LoggedOut, Error> {
        let Wanted { client, to, .. } = match self.wanted_logout(query, origin).await? {
            Ok(wanted) => wanted,
            Err(refusal) => return Ok(LoggedOut::Refused(refusal)),
        };
        let Some(here) = self.here(cookie, origin).await? else {
            return Ok(LoggedOut::Done(to));
        };
        if !here.has_asked(csrf) {
            return Ok(LoggedOut::Refused(super::ELSEWHERE));
        }
        if leave { self.end_here(&here, client.as_ref(), to).await } else { Ok(LoggedOut::Stays) }
    }

    async fn end_here(
        &self,
        here: &Here,
        client: Option<&Client>,
        to: Option<String>,
    ) -> Result<LoggedOut, Error> {
        let id = here.session.id;
        let mut event = self.event(&here.asked, "session.end", id);
        event.detail =
            client.map(|client| format!("from client {}", client.id)).unwrap_or_default();
        self.store.sessions.remove(here.session.tenant, id, None, &event).await?;
        Ok(LoggedOut::Done(to))
    }

    /// The request in `query`, or why there is none. What is refused is on the audit trail: it may be
    /// somebody who wants to log others out, or to send them elsewhere.
    async fn wanted_logout(
        &self,
        query: &[u8],
        origin: &Origin,
    ) -> Result<Result<Wanted, Refusal>, Error> {
        let wanted = self.read_logout(query).await?;
        if let Err(refusal) = wanted {
            let mut event = self.event_by(("nobody", String::new()), origin, "session.end", "");
            refusal.description.clone_into(&mut event.detail);
            self.refused(event, Some(&network(&origin.remote_address))).await;
        }
        Ok(wanted)
    }

    async fn read_logout(&self, query: &[u8]) -> Result<Result<Wanted, Refusal>, Error> {
        let keys = self.signing_keys().await?;
        let read = |form: Form| Logout::read(&form, &self.issuer(), keys.iter());
        let logout = match Form::read(query).and_then(read) {
            Ok(logout) => logout,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(id) = logout.client else {
            return Ok(Ok(Wanted { logout, client: None, to: None }));
        };
        let client = self.store.clients.get(id).await?;
        let Some(client) = client.filter(|client| client.tenant == self.tenant) else {
            return Ok(Err(UNKNOWN_CLIENT));
        };
        Ok(logout.address(&client).map(|to| Wanted { logout, client: Some(client), to }))
    }
}
