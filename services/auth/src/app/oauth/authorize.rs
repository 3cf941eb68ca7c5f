//! A person's browser comes with a program's request, and goes back with a code.

use openframe_ids::{ClientId, FamilyId, PushedId, random};
use openframe_oauth::{
    Ask, Client, Code, Family, Form, Next, Pushed, Refusal, Refused, Said, SignedIn,
    UNKNOWN_CLIENT, client_of,
};

use super::ELSEWHERE;
use super::browser::Here;
use crate::Error;
use crate::app::{Asked, Auth, Origin};
use crate::domain::User;

/// What the browser is told.
#[derive(Debug)]
pub enum Answered {
    /// To go to this address.
    Redirect(String),
    /// To sign in first, and then to come back with this query: the request, without the wish to sign
    /// in anew.
    SignIn(String),
    /// To ask the person.
    Consent(Box<ConsentAsked>),
    /// That there is nothing to be done, and why.
    Refused(Refusal),
}

/// What a person is asked.
#[derive(Debug)]
pub struct ConsentAsked {
    /// Who wants access.
    pub client: Client,
    /// What for.
    pub ask: Ask,
    /// Who is asked.
    pub person: User,
    /// Comes back with the answer: no page of another origin knows it.
    pub csrf_token: String,
}

/// A request that can be answered.
struct Asking {
    /// What the browser came with.
    form: Form,
    client: Client,
    ask: Ask,
    /// What the client had pushed ahead.
    pushed: Option<PushedId>,
}

impl Auth {
    /// A request that a browser brings. `cookie` is its session's.
    pub async fn authorize(
        &self,
        query: &[u8],
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<Answered, Error> {
        let asking = match self.ask(query).await? {
            Ok(asking) => asking,
            Err(answered) => return Ok(answered),
        };
        let here = match self.here(cookie, origin).await? {
            Some(here) => Some((self.signed_in(&here, &asking.client).await?, here)),
            None => None,
        };
        let next = asking.ask.next(here.as_ref().map(|(who, _)| who), self.now());
        match (next, here) {
            (Err(refusal), _) => {
                self.used(asking.pushed).await?;
                Ok(self.told(&asking.ask, refusal))
            }
            (Ok(Next::SignIn), _) => {
                let back = asking.form.without(&["prompt", "max_age"]).to_query();
                Ok(Answered::SignIn(back))
            }
            (Ok(Next::Consent), Some((_, Here { person, csrf_token, .. }))) => {
                let Asking { client, ask, .. } = asking;
                let asked = ConsentAsked { client, ask, person, csrf_token };
                Ok(Answered::Consent(Box::new(asked)))
            }
            (Ok(Next::Grant), Some((who, here))) => self.grant(&asking, &who, &here.asked).await,
            (Ok(Next::Consent | Next::Grant), None) => Ok(self.told(&asking.ask, NOBODY)),
        }
    }

    /// What the person has answered: `allowed` or not, with the token of the page that asked.
    pub async fn consent(
        &self,
        (query, allowed): (&[u8], bool),
        csrf: &str,
        cookie: Option<&str>,
        origin: &Origin,
    ) -> Result<Answered, Error> {
        let asking = match self.ask(query).await? {
            Ok(asking) => asking,
            Err(answered) => return Ok(answered),
        };
        let here = self.here(cookie, origin).await?;
        let Some(here) = here.filter(|here| here.has_asked(csrf)) else {
            return Ok(Answered::Refused(ELSEWHERE));
        };
        if !allowed {
            self.used(asking.pushed).await?;
            let event = self.event(&here.asked, "consent.deny", asking.client.id);
            self.refused(event, None).await;
            return Ok(self.told(&asking.ask, DENIED));
        }
        let who = self.signed_in(&here, &asking.client).await?;
        self.grant(&asking, &who, &here.asked).await
    }

    /// Who has sent a person here with the request in `query`, and where it wants an answer; `None` when
    /// there is no such program, or it wants what it may not.
    pub async fn asking(&self, query: &[u8]) -> Result<Option<(Client, Ask)>, Error> {
        Ok(self.ask(query).await?.ok().map(|asking| (asking.client, asking.ask)))
    }

    /// The request in `query`, or what the browser is told because there is none.
    async fn ask(&self, query: &[u8]) -> Result<Result<Asking, Answered>, Error> {
        let refused = |refusal| Ok(Err(Answered::Refused(refusal)));
        let (form, id) = match Form::read(query).and_then(|form| Ok((client_of(&form)?, form))) {
            Ok((id, form)) => (form, id),
            Err(refusal) => return refused(refusal),
        };
        let client = self.store.clients.get(id).await?;
        let Some(client) = client.filter(|client| client.tenant == self.tenant) else {
            return refused(UNKNOWN_CLIENT);
        };
        let pushed = match form.get("request_uri") {
            None => None,
            Some(uri) => match self.pushed(uri, id).await? {
                Some(pushed) => Some(pushed),
                None => return refused(ENDED),
            },
        };
        let opened = pushed.as_ref().and_then(|(pushed, _)| pushed.opened);
        let whole = pushed.as_ref().map_or(&form, |(_, whole)| whole);
        match Ask::read(whole, &client, (&self.issuer(), opened)) {
            Ok(ask) => {
                let said = match self.hinted(whole).await? {
                    Ok(said) => said,
                    Err(refusal) => return Ok(Err(self.told(&ask, refusal))),
                };
                let ask = ask.about(said.as_ref());
                let pushed = pushed.map(|(pushed, _)| pushed.id);
                Ok(Ok(Asking { form, client, ask, pushed }))
            }
            Err(Refused::Here(refusal)) => refused(refusal),
            Err(Refused::Sent { to, .. }) => Ok(Err(Answered::Redirect(to))),
        }
    }

    /// Whom the ID token names that a request brings along, if it does.
    async fn hinted(&self, form: &Form) -> Result<Result<Option<Said>, Refusal>, Error> {
        if form.get("id_token_hint").is_none() {
            return Ok(Ok(None));
        }
        let keys = self.signing_keys().await?;
        Ok(Said::hinted(form, &self.issuer(), keys.iter()))
    }

    /// What `client` has pushed and called `uri`, and the request in it.
    async fn pushed(&self, uri: &str, client: ClientId) -> Result<Option<(Pushed, Form)>, Error> {
        let Some(shown) = Pushed::named(uri) else { return Ok(None) };
        let pushed = self.store.pushed.open(&shown, self.now()).await?;
        Ok(pushed.and_then(|pushed| {
            let form = pushed.form(&shown, client)?;
            Some((pushed, form))
        }))
    }

    /// Ends what was pushed ahead, which is answered once; whether it could still be.
    async fn used(&self, pushed: Option<PushedId>) -> Result<bool, Error> {
        match pushed {
            Some(id) => Ok(self.store.pushed.close(id).await?),
            None => Ok(true),
        }
    }

    async fn grant(
        &self,
        asking: &Asking,
        who: &SignedIn,
        asked: &Asked,
    ) -> Result<Answered, Error> {
        let Asking { client, ask, pushed, .. } = asking;
        if !self.used(*pushed).await? {
            return Ok(Answered::Refused(ENDED));
        }
        let at = (FamilyId::new(), self.now());
        let (family, code) = Family::granted((ask, client), who, at, &mut random);
        let mut event = self.event(asked, "consent.give", client.id);
        event.detail = format!("{} in {}", family.scopes, family.id);
        if !self.store.families.add(&family, Some(&event)).await? {
            // The session has ended, or the client is gone, since.
            return Ok(self.told(ask, NOBODY));
        }
        Ok(Answered::Redirect(ask.code_address(&self.issuer(), &code)))
    }

    /// Who is signed in, as a client may know it.
    pub(super) async fn signed_in(&self, here: &Here, client: &Client) -> Result<SignedIn, Error> {
        let (user, session) = (here.person.id, here.session.id);
        let allowed = self.store.families.allowed(user, client.id).await?;
        let (auth_time, amr) = (here.session.auth_time, here.session.amr);
        Ok(SignedIn { user, session, auth_time, amr, allowed })
    }

    fn told(&self, ask: &Ask, refusal: Refusal) -> Answered {
        Answered::Redirect(ask.refusal_address(&self.issuer(), refusal))
    }
}

const ENDED: Refusal = Refusal::new(
    Code::InvalidRequest,
    "the request was answered, or is too old (request_uri); start anew",
);
const NOBODY: Refusal = Refusal::new(Code::LoginRequired, "the person has to sign in");
const DENIED: Refusal = Refusal::new(Code::AccessDenied, "the person does not allow it");
