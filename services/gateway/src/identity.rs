//! Who asks: a cookie or a key, resolved by the auth service, then carried by an internal token.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::{HeaderMap, Method, Request};
use moka::future::Cache;
use openframe_auth_api::internal::{AuditRecord, ResolveRequest, Shown};
use openframe_auth_api::{AuthClient, BadProof, CSRF_HEADER, DPOP, SESSION_COOKIE, proof_of_key};
use openframe_clock::Clock;
use openframe_fault::{Fault, Kind};
use openframe_tokens::Caller;
use openframe_tokens::internal::Minter;
use openframe_tokens::opaque::Purpose;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use crate::ended::Beginning;

/// Secrets remembered at most.
const REMEMBERED: u64 = 20_000;
/// How long a minted token is used again; half of its life.
const TOKEN_REUSE: Duration = Duration::from_secs(30);
/// While the auth service does not answer, whoever it knew is believed for so long: a failover of its
/// database shall stop nobody who is signed in. As long as a token lives, which cannot be called back.
const LAST_KNOWN: Duration = Duration::from_mins(1);
/// How long the auth service is waited for when there is somebody to believe.
const PATIENCE: Duration = Duration::from_secs(1);

/// A caller, and what a page of theirs must send back.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Who asks.
    pub caller: Caller,
    csrf_token: Option<String>,
}

/// The secret that a request showed, kept by what outlives the request.
pub struct Kept {
    shown: Shown,
    remote_address: String,
}

type Secret = [u8; 32];

/// Finds out who asks. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    auth: AuthClient,
    beginning: Beginning,
    minter: Minter,
    clock: Clock,
    resolved: Cache<Secret, Result<Arc<Resolved>, Kind>>,
    last_known: Cache<Secret, Arc<Resolved>>,
    tokens: Cache<(Caller, &'static str), Arc<str>>,
    /// Tells whoever waits for an end that there may be one.
    doubts: watch::Sender<()>,
}

impl Identity {
    /// Asks `auth`, and remembers each answer for as long as `believe`.
    pub fn new(auth: AuthClient, minter: Minter, clock: Clock, believe: Duration) -> Self {
        let resolved = Cache::builder().max_capacity(REMEMBERED).time_to_live(believe).build();
        let tokens = Cache::builder().max_capacity(REMEMBERED).time_to_live(TOKEN_REUSE).build();
        let last_known = Cache::builder().max_capacity(REMEMBERED).time_to_live(LAST_KNOWN).build();
        let (doubts, _) = watch::channel(());
        let beginning = Beginning::new(auth.clone());
        Self { auth, beginning, minter, clock, resolved, last_known, tokens, doubts }
    }

    /// From where on ends are heard.
    pub(crate) fn beginning(&self) -> Beginning {
        self.beginning.clone()
    }

    /// Somebody's access has ended or changed: all are asked about anew.
    pub(crate) fn doubt(&self) {
        self.resolved.invalidate_all();
        self.doubts.send_replace(());
    }

    /// The caller that a request's headers name, and the secret that said so. Also removes those
    /// headers.
    ///
    /// # Errors
    /// Unauthenticated when the request shows no secret, or one that is nobody's; invalid when it shows
    /// two; unavailable when the auth service does not answer and nobody is remembered.
    pub async fn resolve<B>(
        &self,
        request: &mut Request<B>,
        remote_address: &str,
    ) -> Result<(Arc<Resolved>, Kept), Fault> {
        let kept = Kept { shown: shown(request)?, remote_address: remote_address.to_owned() };
        match &kept.shown {
            Shown::BoundToken { token, .. } => {
                // A proof is for this request alone: nothing that is remembered answers it.
                let resolved = self.ask_auth(&kept).await?;
                Ok((resolved, Kept { shown: Shown::ProvenToken(token.clone()), ..kept }))
            }
            Shown::Session(_)
            | Shown::ApiKey(_)
            | Shown::AccessToken(_)
            | Shown::ProvenToken(_) => Ok((self.ask(&kept).await?, kept)),
        }
    }

    /// Returns once the secret no longer names `caller`: it was revoked, or its role has changed.
    /// Asks when somebody's access has ended, and each time that `every` has passed; an auth service
    /// that does not answer ends nothing.
    pub(crate) async fn ended(&self, kept: Kept, caller: Caller, every: Duration) {
        let mut doubts = self.doubts.subscribe();
        loop {
            // Whichever: a sender that is gone sends no more, and time passes.
            tokio::time::timeout(every, doubts.changed()).await.ok();
            match self.ask(&kept).await {
                Ok(now) if now.caller == caller => {}
                Ok(_) => return,
                Err(fault) if fault.kind() == Kind::Unauthenticated => return,
                Err(_) => {}
            }
        }
    }

    async fn ask(&self, kept: &Kept) -> Result<Arc<Resolved>, Fault> {
        let secret = secret(&kept.shown);
        if let Some(known) = self.resolved.get(&secret).await {
            return known.map_err(|_| unauthenticated());
        }
        let last_known = self.last_known.get(&secret).await;
        let answer = match &last_known {
            None => self.ask_auth(kept).await,
            Some(_) => match tokio::time::timeout(PATIENCE, self.ask_auth(kept)).await {
                Ok(answer) => answer,
                Err(_) => Err(Fault::unavailable("auth_away", "the auth service does not answer")),
            },
        };
        let resolved = match (answer, last_known) {
            (Ok(resolved), _) => {
                self.last_known.insert(secret, Arc::clone(&resolved)).await;
                resolved
            }
            (Err(fault), _) if fault.kind() == Kind::Unauthenticated => {
                self.last_known.invalidate(&secret).await;
                self.resolved.insert(secret, Err(Kind::Unauthenticated)).await;
                return Err(unauthenticated());
            }
            (Err(fault), Some(known)) if fault.kind() == Kind::Unavailable => known,
            (Err(fault), _) => return Err(fault),
        };
        self.resolved.insert(secret, Ok(Arc::clone(&resolved))).await;
        Ok(resolved)
    }

    async fn ask_auth(&self, kept: &Kept) -> Result<Arc<Resolved>, Fault> {
        self.beginning.place().await?;
        let (shown, remote_address) = (kept.shown.clone(), kept.remote_address.clone());
        let answer = self.auth.resolve(&ResolveRequest { shown, remote_address }).await?;
        let caller = serde_json::from_value(answer.caller).map_err(|error| {
            Fault::new(Kind::Internal, "bad_answer", "something went wrong on our side")
                .because(error)
        })?;
        Ok(Arc::new(Resolved { caller, csrf_token: answer.csrf_token }))
    }

    /// Puts something on the audit trail.
    pub(crate) async fn record(&self, record: &AuditRecord) -> Result<(), Fault> {
        self.auth.record(record).await
    }

    /// Forgets what is known of a request's session: it is about to end.
    pub(crate) async fn forget(&self, headers: &HeaderMap) {
        if let Some(session) = session_cookie(headers) {
            let secret: Secret = Sha256::digest(session).into();
            self.resolved.invalidate(&secret).await;
            self.last_known.invalidate(&secret).await;
        }
    }

    /// A token that tells the service `audience` who asks.
    pub(crate) async fn token(&self, caller: &Caller, audience: &'static str) -> Arc<str> {
        let mint = async || Arc::from(self.minter.mint(caller, audience, self.clock.now()));
        self.tokens.get_with((caller.clone(), audience), mint()).await
    }
}

/// What an answer about it is remembered by. What was proven for one request is not good for another.
fn secret(shown: &Shown) -> Secret {
    match shown {
        Shown::Session(text) | Shown::ApiKey(text) | Shown::AccessToken(text) => {
            Sha256::digest(text).into()
        }
        Shown::ProvenToken(text) | Shown::BoundToken { token: text, .. } => {
            Sha256::new().chain_update("proven ").chain_update(text).finalize().into()
        }
    }
}

/// The one secret that a request shows.
fn shown<B>(request: &mut Request<B>) -> Result<Shown, Fault> {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let headers = request.headers_mut();
    let proof = proof(headers)?;
    let session = session_cookie(headers);
    let bearer = headers.remove(AUTHORIZATION);
    headers.remove(COOKIE);
    match (session, bearer) {
        (Some(_), Some(_)) => {
            Err(Fault::invalid("two_identities", "send a session cookie or an API key, not both"))
        }
        (Some(session), None) => Ok(Shown::Session(session)),
        (None, Some(bearer)) => {
            let text = bearer.to_str().ok().ok_or_else(unauthenticated)?;
            if let (Some(proof), Some(token)) = (proof, token(text, "dpop")) {
                return Ok(Shown::BoundToken { token: token.to_owned(), proof, method, path });
            }
            let token = token(text, "bearer").ok_or_else(unauthenticated)?;
            Ok(if token.starts_with(Purpose::AccessToken.prefix()) {
                Shown::AccessToken(token.to_owned())
            } else {
                Shown::ApiKey(token.to_owned())
            })
        }
        (None, None) => Err(unauthenticated()),
    }
}

/// What follows this scheme, whose case says nothing (RFC 9110, section 11.1).
fn token<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| token.trim_start_matches(' '))
}

/// The proof of a key that a request comes with, taken from its headers.
fn proof(headers: &mut HeaderMap) -> Result<Option<String>, Fault> {
    let bad = |BadProof| Fault::invalid("bad_proof", "send one DPoP proof, plain ASCII");
    let proof = proof_of_key(headers).map_err(bad)?.map(str::to_owned);
    headers.remove(DPOP);
    Ok(proof)
}

fn session_cookie(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == SESSION_COOKIE).then(|| value.to_owned())
    });
    pairs.next()
}

/// Refuses a change that a page of another origin asked for: it does not know the token, and the
/// browser says where it is from.
pub(crate) fn check_csrf(
    resolved: &Resolved,
    method: &Method,
    headers: &HeaderMap,
    https: bool,
) -> Result<(), Fault> {
    let Some(token) = &resolved.csrf_token else { return Ok(()) };
    if method.is_safe() {
        return Ok(());
    }
    let sent = headers.get(CSRF_HEADER).map(http::HeaderValue::as_bytes).unwrap_or_default();
    let same_token: bool = sent.ct_eq(token.as_bytes()).into();
    if same_token && is_own_page(headers, https) {
        return Ok(());
    }
    let message = "the request did not come from a page of this console; load the page anew";
    Err(Fault::new(Kind::Forbidden, "csrf", message))
}

/// Whether a page of this console sends the request, or no page does. `https` is what the browser
/// speaks, which a proxy may have ended.
pub(crate) fn is_own_page(headers: &HeaderMap, https: bool) -> bool {
    let scheme = if https { "https" } else { "http" };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = format!("{scheme}://{host}");
    headers.get(ORIGIN).is_none_or(|origin| origin.as_bytes() == own.as_bytes())
}

fn unauthenticated() -> Fault {
    Fault::new(Kind::Unauthenticated, "not_signed_in", "sign in, or send an API key")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use openframe_ids::TenantId;
    use openframe_tokens::Subject;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    /// What a request with these headers shows. None of them is left then.
    fn shows(pairs: &[(&'static str, &str)]) -> Result<Shown, Fault> {
        let mut request = Request::post("/api/x?y").body(()).unwrap();
        *request.headers_mut() = headers(pairs);
        let shown = shown(&mut request)?;
        assert!(request.headers().is_empty());
        Ok(shown)
    }

    #[test]
    fn one_secret_is_shown() {
        let session = ("cookie", "a=b; __Host-of_sid=s1");
        let both = shows(&[session, ("authorization", "Bearer k")]);
        assert_eq!(both.err().unwrap().code(), "two_identities");
        assert!(matches!(shows(&[session]), Ok(Shown::Session(text)) if text == "s1"));
        for bearer in ["Bearer k", "bearer k", "BEARER  k"] {
            let key = shows(&[("authorization", bearer)]);
            assert!(matches!(key, Ok(Shown::ApiKey(text)) if text == "k"), "{bearer}");
        }
        let token = shows(&[("authorization", "Bearer of_at_1")]);
        assert!(matches!(token, Ok(Shown::AccessToken(_))));
        for bearer in ["", "Basic x", "k", "Bearerk", "DPoP of_at_1"] {
            let bad = shows(&[("authorization", bearer)]);
            assert_eq!(bad.err().unwrap().kind(), Kind::Unauthenticated, "{bearer}");
        }
    }

    #[test]
    fn a_token_that_is_bound_to_a_key_comes_with_one_proof() {
        let bound = shows(&[("authorization", "DPoP of_at_1"), ("dpop", "a.b.c")]).ok().unwrap();
        let Shown::BoundToken { token, proof, method, path } = &bound else { unreachable!() };
        assert_eq!([token, proof, method, path], ["of_at_1", "a.b.c", "POST", "/api/x"]);
        // What is remembered of a token without proof says nothing of one with it.
        assert_ne!(secret(&bound), secret(&Shown::AccessToken("of_at_1".to_owned())));
        let mut two = Request::get("/").body(()).unwrap();
        two.headers_mut().append(DPOP, HeaderValue::from_static("a"));
        two.headers_mut().append(DPOP, HeaderValue::from_static("b"));
        assert_eq!(shown(&mut two).err().unwrap().code(), "bad_proof");
    }

    #[test]
    fn a_change_needs_token_and_origin() {
        let subject = Subject::Service { name: "x".to_owned() };
        let caller = Caller { tenant: TenantId::new(), subject };
        let resolved = Resolved { caller, csrf_token: Some("t".to_owned()) };
        let check = |method: &Method, pairs: &[(&'static str, &str)]| {
            check_csrf(&resolved, method, &headers(pairs), true).is_ok()
        };
        let host = ("host", "h:1");
        assert!(check(&Method::GET, &[host]));
        assert!(!check(&Method::POST, &[host]));
        assert!(check(&Method::POST, &[host, (CSRF_HEADER, "t")]));
        assert!(!check(&Method::POST, &[host, (CSRF_HEADER, "u")]));
        assert!(check(&Method::DELETE, &[host, (CSRF_HEADER, "t"), ("origin", "https://h:1")]));
        assert!(!check(&Method::DELETE, &[host, (CSRF_HEADER, "t"), ("origin", "https://x")]));
    }
}
