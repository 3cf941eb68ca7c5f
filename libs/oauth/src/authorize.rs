//! A client sends a person's browser to ask for access (RFC 6749, 4.1.1; OpenID Connect Core, 3.1.2).

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{ClientId, SessionId, UserId};
use url::Url;

use crate::id_token::Said;
use crate::pkce::Challenge;
use crate::scope::OPENID;
use crate::{Amr, Client, Code, Demand, Form, GrantType, Pkce, Refusal, Scopes};

/// A request that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub client: ClientId,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// What is asked for, and the client may have.
    pub scopes: Scopes,
    /// Comes back with the answer.
    pub state: Option<String>,
    /// Comes back in the ID token.
    pub nonce: Option<String>,
    /// What whoever shows the code must prove.
    pub challenge: Option<Challenge>,
    /// The key that has to go with the code, by its thumbprint (RFC 9449, 10).
    pub key: Option<String>,
    /// Whom the client thinks the person to be.
    pub login_hint: Option<String>,
    /// Who the person has to be, as an ID token says that the client was given.
    hint: Option<UserId>,
    prompt: Prompt,
    max_age: Option<SignedDuration>,
    opened: Option<Timestamp>,
    /// Whether another program can pose as the client: then the person is asked each time (RFC 8252,
    /// 8.6).
    imitable: bool,
}

/// What the client wants the person to be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Prompt {
    none: bool,
    login: bool,
    consent: bool,
}

/// Why a request is not answered as it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Told to the person: where the client is, nobody can tell.
    Here(Refusal),
    /// Told to the client.
    Sent {
        /// At this address, which says so.
        to: String,
        /// Why.
        refusal: Refusal,
    },
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The person.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// When the person last showed to be that person.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Amr,
    /// What the person has allowed the client before.
    pub allowed: Scopes,
}

/// What comes before the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The person signs in, anew if need be.
    SignIn,
    /// The person is asked whether the client may.
    Consent,
    /// Nothing.
    Grant,
}

/// The client that a request names.
pub fn client_of(form: &Form) -> Result<ClientId, Refusal> {
    let id = form.need("client_id", "the client is not named (client_id)")?;
    id.parse().map_err(|_| UNKNOWN)
}

/// No such client.
pub const UNKNOWN: Refusal = Refusal::invalid("nobody has registered this client (client_id)");

impl Ask {
    /// Reads the request of `client`, which [`client_of`] has named. `issuer` is told with each answer
    /// (RFC 9207), so that a client of several cannot mistake one for the other. `opened` is when a browser
    /// first came with it, where the client has pushed it ahead.
    pub fn read(
        form: &Form,
        client: &Client,
        (issuer, opened): (&str, Option<Timestamp>),
    ) -> Result<Self, Refused> {
        let redirect_uri = redirect_uri(form, client).map_err(Refused::Here)?;
        let state = form.get("state").map(str::to_owned);
        let to_client = |refusal: Refusal| {
            let to = error_address((&redirect_uri, issuer), state.as_deref(), refusal);
            Refused::Sent { to, refusal }
        };
        client.needs(GrantType::AuthorizationCode).map_err(to_client)?;
        if opened.is_none() && client.demands.contains(&Demand::PushedRequests) {
            return Err(to_client(Refusal::invalid("push the request ahead, to the endpoint par")));
        }
        let (challenge, nonce) =
            supported(form).and_then(|()| proof(form, client)).map_err(to_client)?;
        let scopes = scopes(form, client).map_err(to_client)?;
        let prompt = prompt(form).map_err(to_client)?;
        let max_age = max_age(form).map_err(to_client)?;
        let login_hint = form.get("login_hint").map(str::to_owned);
        let key = thumbprint(form).map_err(to_client)?;
        Ok(Self {
            client: client.id,
            redirect_uri: redirect_uri.clone(),
            scopes,
            state: state.clone(),
            nonce,
            challenge,
            key,
            login_hint,
            hint: None,
            prompt,
            max_age,
            opened,
            imitable: !client.is_confidential(),
        })
    }

    /// The same request about nobody but whom an ID token names (OpenID Connect Core, 3.1.2.1:
    /// `id_token_hint`).
    #[must_use]
    pub fn about(mut self, said: Option<&Said>) -> Self {
        self.hint = said.map(|said| said.user);
        self
    }

    /// What comes before the answer, or what the client is told where it wants nobody asked.
    pub fn next(&self, who: Option<&SignedIn>, now: Timestamp) -> Result<Next, Refusal> {
        let young = |who: &SignedIn| {
            self.max_age.is_none_or(|most| now.duration_since(who.auth_time) <= most)
        };
        // Who has signed in for this very request need not once more.
        let anew = |who: &SignedIn| self.opened.is_some_and(|opened| who.auth_time >= opened);
        let fits = |who: &&SignedIn| anew(who) || (young(who) && !self.prompt.login);
        let Some(who) = who.filter(fits) else {
            let refusal = Refusal::new(Code::LoginRequired, "the person has to sign in");
            return if self.prompt.none { Err(refusal) } else { Ok(Next::SignIn) };
        };
        // Whoever has just signed in and is somebody else is not asked over and over.
        if self.hint.is_some_and(|user| user != who.user) {
            let other = "somebody else is signed in than the id_token_hint says";
            return Err(Refusal::new(Code::LoginRequired, other));
        }
        let asks = self.prompt.consent || self.imitable;
        if self.scopes.within(&who.allowed) && !asks {
            return Ok(Next::Grant);
        }
        let refusal = Refusal::new(Code::ConsentRequired, "the person has to be asked");
        if self.prompt.none { Err(refusal) } else { Ok(Next::Consent) }
    }

    /// Whether the person has to sign in anew although somebody is signed in. Once that is done the
    /// same request comes back without it.
    pub fn wants_login(&self) -> bool {
        self.prompt.login
    }

    /// The address that brings `code` to the client.
    pub fn code_address(&self, issuer: &str, code: &str) -> String {
        let mut pairs = vec![("code", code)];
        pairs.extend(self.state.as_deref().map(|state| ("state", state)));
        pairs.push(("iss", issuer));
        with_query(&self.redirect_uri, &pairs)
    }

    /// The address that tells the client why there is no code.
    pub fn refusal_address(&self, issuer: &str, refusal: Refusal) -> String {
        error_address((&self.redirect_uri, issuer), self.state.as_deref(), refusal)
    }
}

fn redirect_uri(form: &Form, client: &Client) -> Result<String, Refusal> {
    let missing = "where to send the answer is not said (redirect_uri)";
    let asked = form.need("redirect_uri", missing)?;
    if !client.redirect_uris.iter().any(|own| own.allows(asked)) {
        let unknown = "this address is not registered for the client (redirect_uri)";
        return Err(Refusal::invalid(unknown));
    }
    Ok(asked.to_owned())
}

/// Refuses what is not spoken here.
fn supported(form: &Form) -> Result<(), Refusal> {
    if form.get("request").is_some() {
        return Err(Refusal::new(Code::RequestNotSupported, "send plain parameters"));
    }
    if form.get("request_uri").is_some() {
        let refusal =
            Refusal::new(Code::RequestUriNotSupported, "send plain parameters, or push them");
        return Err(refusal);
    }
    if form.need("response_type", "the response_type is missing")? != "code" {
        return Err(Refusal::new(Code::UnsupportedResponseType, "the response_type is code"));
    }
    match form.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(Refusal::invalid("the response_mode is query")),
    }
}

/// What ties the code, or the ID token, to the client's own session.
fn proof(form: &Form, client: &Client) -> Result<(Option<Challenge>, Option<String>), Refusal> {
    let nonce = form.get("nonce").map(str::to_owned);
    let method = form.get("code_challenge_method");
    let Some(challenge) = form.get("code_challenge") else {
        if method.is_some() {
            return Err(Refusal::invalid("the code_challenge is missing"));
        }
        let waived = client.pkce == Pkce::Waived && client.is_confidential();
        if waived && nonce.is_some() {
            return Ok((None, nonce));
        }
        let missing =
            if waived { "send a nonce or a code_challenge" } else { "send a code_challenge" };
        return Err(Refusal::invalid(missing));
    };
    if method != Some("S256") {
        return Err(Refusal::invalid("the code_challenge_method is S256"));
    }
    let malformed = Refusal::invalid("the code_challenge is not a SHA-256 in base64url");
    Ok((Some(Challenge::read(challenge).ok_or(malformed)?), nonce))
}

/// What was asked for and the client may have; what it may not have is left out (RFC 6749, 3.3).
pub(crate) fn scopes(form: &Form, client: &Client) -> Result<Scopes, Refusal> {
    let asked = Scopes::read(form.get("scope").unwrap_or(OPENID))?.shared_with(&client.scopes);
    if asked.is_empty() {
        return Err(Refusal::new(Code::InvalidScope, "the client may have none of these scopes"));
    }
    Ok(asked)
}

/// RFC 9449, 10: the SHA-256 of a key, base64url.
fn thumbprint(form: &Form) -> Result<Option<String>, Refusal> {
    let malformed = Refusal::invalid("the dpop_jkt is not a SHA-256 in base64url");
    let Some(key) = form.get("dpop_jkt") else { return Ok(None) };
    Challenge::read(key).ok_or(malformed)?;
    Ok(Some(key.to_owned()))
}

fn prompt(form: &Form) -> Result<Prompt, Refusal> {
    let mut prompt = Prompt::default();
    for word in form.get("prompt").unwrap_or_default().split(' ') {
        match word {
            "" => {}
            "none" => prompt.none = true,
            // One person a browser: who chooses another account signs in as that.
            "login" | "select_account" => prompt.login = true,
            "consent" => prompt.consent = true,
            _ => return Err(Refusal::invalid("the prompt is not known")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent) {
        return Err(Refusal::invalid("the prompt none stands alone"));
    }
    Ok(prompt)
}

fn max_age(form: &Form) -> Result<Option<SignedDuration>, Refusal> {
    let seconds = form.get("max_age").map(str::parse::<u32>).transpose();
    let seconds = seconds.map_err(|_| Refusal::invalid("the max_age is a number of seconds"))?;
    Ok(seconds.map(|seconds| SignedDuration::from_secs(i64::from(seconds))))
}

fn error_address((to, issuer): (&str, &str), state: Option<&str>, refusal: Refusal) -> String {
    let mut pairs =
        vec![("error", refusal.code.as_str()), ("error_description", refusal.description)];
    pairs.extend(state.map(|state| ("state", state)));
    pairs.push(("iss", issuer));
    with_query(to, &pairs)
}

/// An address with more in its query.
pub(crate) fn with_query(to: &str, pairs: &[(&str, &str)]) -> String {
    // Registered addresses can be read.
    let Ok(mut url) = Url::parse(to) else { return to.to_owned() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.into()
}
