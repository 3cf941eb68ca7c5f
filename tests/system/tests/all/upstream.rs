//! Signing in at another provider: at another OpenFrame, which is a real one, and at providers that lie.

use aws_lc_rs::hmac;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode, header};
use openframe_auth_api::{
    AuditEntry, AuditFilter, HALF_COOKIE, IdentityProvider, IdentityProviderChange, NewInvitation,
    SESSION_COOKIE, UPSTREAM_COOKIE, User, UserChange,
};
use openframe_system::program::{Program, answer_of, ask, location, text, value_of};
use openframe_system::provider::{Provider, Reply};
use openframe_system::signer::Signer;
use openframe_system::{Encrypts, MailServer, Server, until};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::factors::{ME, cookie, post, signed_in};
use crate::mail::post as send;
use crate::roles::{PASSWORD, log_in};

pub(crate) const CALLBACK: &str = "/login/upstream/callback";

/// A browser that is on its way.
struct Going {
    to: Url,
    held: HeaderMap,
}

impl Going {
    fn of(answer: &Response) -> Self {
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let held = browser(&[(UPSTREAM_COOKIE, &cookie(answer, UPSTREAM_COOKIE).unwrap())]);
        Self { to: Url::parse(&location(answer)).unwrap(), held }
    }

    fn param(&self, name: &str) -> String {
        let mut pairs = self.to.query_pairs().filter(|(key, _)| key == name);
        pairs.next().unwrap().1.into_owned()
    }

    /// The browser comes back with these.
    async fn back(&self, server: &Server, pairs: &[(&str, &str)]) -> Response {
        come_back(server, &self.held, pairs).await
    }

    /// The browser comes back as a good provider sends it.
    async fn home(&self, server: &Server) -> Response {
        self.back(server, &[("state", &self.param("state")), ("code", "c")]).await
    }
}

async fn come_back(server: &Server, held: &HeaderMap, pairs: &[(&str, &str)]) -> Response {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    ask(server, ("GET", &format!("{CALLBACK}?{query}")), held, "").await
}

fn browser(cookies: &[(&str, &str)]) -> HeaderMap {
    let pairs: Vec<String> =
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, pairs.join("; ").parse().unwrap());
    headers
}

async fn add(server: &Server, issuer: &str, with: &Value) -> IdentityProvider {
    let mut new = json!({
        "name": "Corp", "issuer": issuer, "client_id": "me", "client_secret": "a secret",
        "allowed_domains": ["example.org"],
    });
    new.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    let new = serde_json::from_value(new).unwrap();
    server.auth().unwrap().create_identity_provider(&new).await.unwrap()
}

async fn begin(server: &Server, at: &IdentityProvider) -> Going {
    let path = format!("/login/upstream/{}", at.id);
    Going::of(&ask(server, ("GET", &path), &HeaderMap::new(), "").await)
}

/// What comes of a sign-in of which the provider says this.
async fn said(
    server: &Server,
    (at, provider): (&IdentityProvider, &Provider),
    changes: &Value,
) -> Response {
    let going = begin(server, at).await;
    let claims = provider.claims(("me", &going.param("nonce")), changes);
    provider.reply(Reply::Token(provider.signed(&claims)));
    going.home(server).await
}

/// Whose session an answer has opened.
async fn whose(server: &Server, answer: &Response) -> User {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let session = cookie(answer, SESSION_COOKIE).unwrap();
    let me = ask(server, ME, &browser(&[(SESSION_COOKIE, &session)]), "").await;
    assert_eq!(me.status(), StatusCode::OK);
    let me = answer_of(me).await;
    serde_json::from_value(me.get("user").cloned().unwrap()).unwrap()
}

/// Nobody is signed in, the page says what to do, and the try is over.
async fn refused(answer: Response, status: StatusCode, told: &str) {
    assert_eq!(answer.status(), status);
    let sets: Vec<_> = answer.headers().get_all(header::SET_COOKIE).iter().collect();
    assert_eq!((sets.len(), cookie(&answer, UPSTREAM_COOKIE)), (1, None), "{sets:?}");
    let page = text(answer).await;
    assert!(page.contains(told) && page.contains("<h1>You are not signed in</h1>"), "{page}");
}

pub(crate) async fn trail(server: &Server, action: &str) -> Vec<AuditEntry> {
    let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
    server.auth().unwrap().search_audit(&filter, None, 500).await.unwrap().items
}

/// Goes to the real provider, where somebody signs in and allows it, and comes back.
async fn through(home: &Server, company: &Server, at: &IdentityProvider, email: &str) -> Response {
    let going = begin(home, at).await;
    let (_, query) = going.to.as_str().split_once('?').unwrap();
    let path = format!("{}?{query}", going.to.path());
    let there = session_at(company, email).await;
    let page = ask(company, ("GET", &path), &there, "").await;
    let app =
        Program { id: String::new(), secret: None, issuer: String::new(), redirect: String::new() };
    let sent = app.allow(company, (&there, page), query).await;
    let back = Url::parse(&location(&sent)).unwrap();
    assert_eq!(back.as_str().split('?').next(), Some(at.redirect_uri.as_str()));
    assert!(value_of(&sent, "iss").is_some(), "it says who it is");
    let path = format!("{}?{}", back.path(), back.query().unwrap());
    ask(home, ("GET", &path), &going.held, "").await
}

async fn session_at(server: &Server, email: &str) -> HeaderMap {
    let answer = log_in(server, email, PASSWORD).await;
    browser(&[(SESSION_COOKIE, &cookie(&answer, SESSION_COOKIE).unwrap())])
}

/// A server that calls itself by its address: the name `localhost` is none to send browsers back to.
fn named(more: &[&str]) -> Server {
    let own = format!("http://{}", MailServer::place().unwrap());
    let (url, listen) = (format!("url={own}"), format!("listen={own}"));
    let mut server = Server::start_with(&[&[url.as_str(), &listen], more].concat()).unwrap();
    server.url = own;
    server
}

/// Another OpenFrame that sends mail, and a program there that is `home`.
async fn company(home: &Server, place: &str) -> (Server, Program) {
    let mail = format!("auth.mail.server={place}");
    let company = named(&[&mail, "auth.mail.tls=none", "auth.mail.from=of@example.org"]);
    let back = format!("{}{CALLBACK}", home.url);
    let with = json!({ "name": "home", "redirect_uris": [back], "scopes": ["openid", "profile", "email"] });
    let program = Program::register(&company, &with).await;
    (company, program)
}

/// Somebody at the company whose address is verified there.
async fn joins(company: &Server, mail: &mut MailServer, email: &str) {
    let new = NewInvitation { email: email.to_owned(), role: "technician".to_owned() };
    company.auth().unwrap().invite(&new).await.unwrap();
    let letter = mail.letter().unwrap();
    let link = letter.link.unwrap();
    let (_, token) = link.split_once("#token=").unwrap();
    let accepted = json!({ "token": token, "name": "Ann of Corp", "password": PASSWORD });
    let joined = send(company, "/api/auth/v1/invitation", &accepted).await;
    assert_eq!(joined.status(), StatusCode::OK);
}

// ASVS 6.8.1, 10.5.2
#[tokio::test]
async fn people_sign_in_at_another_openframe() {
    let home = named(&[]);
    let place = MailServer::place().unwrap();
    let mut mail = MailServer::start(&place, Encrypts::No).unwrap();
    let (company, program) = company(&home, &place).await;
    let secret = program.secret.clone().unwrap();
    let with =
        json!({ "client_id": program.id, "client_secret": secret, "creates_people": "technician" });
    let at = add(&home, &program.issuer, &with).await;
    // Its button is where people sign in, without a script.
    let page = ask(&home, ("GET", "/t/main/sign-in"), &HeaderMap::new(), "").await;
    let button = format!("href=\"/login/upstream/{}\"", at.id);
    assert!(text(page).await.contains(&button));

    joins(&company, &mut mail, "ann@example.org").await;
    let ann = whose(&home, &through(&home, &company, &at, "ann@example.org").await).await;
    assert_eq!((ann.email.as_str(), ann.name.as_str()), ("ann@example.org", "Ann of Corp"));
    assert_eq!((ann.role.as_str(), ann.email_verified), ("technician", true));
    let again = whose(&home, &through(&home, &company, &at, "ann@example.org").await).await;
    assert_eq!(again.id, ann.id, "the same person");
    let entries = trail(&home, "session.create").await;
    assert!(entries.iter().any(|it| it.detail == "federated" && it.actor == ann.id.to_string()));
    let links = trail(&home, "identity.link").await;
    assert_eq!(links.len(), 1, "{links:?}");

    // Whom the company does not vouch for is not let in.
    let user = json!({ "email": "bob@example.org", "name": "Bob", "role": "technician", "password": PASSWORD });
    company.auth().unwrap().create_user(&serde_json::from_value(user).unwrap()).await.unwrap();
    let bob = through(&home, &company, &at, "bob@example.org").await;
    refused(bob, StatusCode::UNAUTHORIZED, "You are not known here").await;

    // Whom home shuts out stays out.
    let change = UserChange { disabled: Some(true), ..UserChange::default() };
    home.auth().unwrap().change_user(ann.id, &change).await.unwrap();
    let shut = through(&home, &company, &at, "ann@example.org").await;
    refused(shut, StatusCode::UNAUTHORIZED, "Sign-in is refused to you here").await;
}

// ASVS 6.8.4
// B26.provider
#[tokio::test]
async fn another_provider_is_one_factor() {
    let (server, provider) = (Server::start().unwrap(), Provider::start().await);
    let at = add(&server, &provider.url, &json!({ "creates_people": "technician" })).await;
    let mfa = json!({ "amr": ["pwd", "otp", "mfa"] });
    let first = said(&server, (&at, &provider), &mfa).await;
    let session = cookie(&first, SESSION_COOKIE).unwrap();
    let ann = whose(&server, &first).await;
    assert!(provider.form().contains("code_verifier="));
    let details = async || -> Vec<String> {
        let entries = trail(&server, "session.create").await;
        entries.into_iter().map(|it| it.detail).collect()
    };
    assert_eq!(details().await.first().unwrap(), "federated", "not trusted with several");

    // Where everybody needs a second factor, what it says is half of it.
    let required = json!({ "second_factor_required": true });
    let owner = server.key.clone();
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {owner}").parse().unwrap());
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    let set = ask(&server, ("PUT", "/api/auth/v1/settings"), &headers, &required.to_string()).await;
    assert_eq!(set.status(), StatusCode::OK);
    let before = browser(&[(SESSION_COOKIE, &session)]);
    until("the session before to be worth too little", || async {
        let me = ask(&server, ME, &before, "").await;
        (me.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    let half = said(&server, (&at, &provider), &mfa).await;
    assert_eq!((half.status(), cookie(&half, SESSION_COOKIE)), (StatusCode::OK, None));
    let held = browser(&[(HALF_COOKIE, &cookie(&half, HALF_COOKIE).unwrap())]);
    assert!(text(half).await.contains("Everybody needs a second factor here"));

    // A provider that is trusted to ask for several is believed.
    let change =
        IdentityProviderChange { trusts_mfa: Some(true), ..IdentityProviderChange::default() };
    server.auth().unwrap().change_identity_provider(at.id, &change).await.unwrap();
    assert_eq!(whose(&server, &said(&server, (&at, &provider), &mfa).await).await.id, ann.id);
    assert_eq!(details().await.first().unwrap(), "federated mfa");
    let alone = said(&server, (&at, &provider), &json!({ "amr": ["pwd"] })).await;
    assert_eq!(cookie(&alone, SESSION_COOKIE), None, "one factor");

    // Whoever has a factor here shows it all the same.
    let enrolled = answer_of(post(&server, "/login/totp", &held, &json!({})).await).await;
    let code = totp(enrolled["secret"].as_str().unwrap());
    let confirmed = post(&server, "/login/totp/confirm", &held, &json!({ "code": code })).await;
    signed_in(confirmed).await;
    assert_eq!(details().await.first().unwrap(), "federated otp mfa");
    let half = said(&server, (&at, &provider), &mfa).await;
    assert_eq!(cookie(&half, SESSION_COOKIE), None);
    assert!(cookie(&half, HALF_COOKIE).is_some());
    assert!(text(half).await.contains("Type the code of your authenticator app"));
}

fn totp(secret: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let now = openframe_clock::Clock::system().now().as_second();
    totp.generate(u64::try_from(now).unwrap()).to_string()
}

// ASVS 6.8.1, 10.5.2
/// Nobody gets another's account by an address, whichever side has not shown to read it.
#[tokio::test]
async fn an_address_that_nobody_has_read_links_nothing() {
    let (server, provider) = (Server::start().unwrap(), Provider::start().await);
    let at = add(&server, &provider.url, &json!({ "creates_people": "read_only" })).await;
    let owner =
        json!({ "email": "ann@example.org", "name": "Ann", "role": "owner", "password": PASSWORD });
    let owner = serde_json::from_value(owner).unwrap();
    server.auth().unwrap().create_user(&owner).await.unwrap();
    let status = StatusCode::UNAUTHORIZED;
    // Not verified here.
    refused(said(&server, (&at, &provider), &json!({})).await, status, "has not shown to read it")
        .await;
    // Not verified there, of another domain, or none at all.
    for changes in [
        json!({ "email_verified": false, "email": "new@example.org" }),
        json!({ "email_verified": null, "email": "new@example.org" }),
        json!({ "email": "new@evil.example" }),
        json!({ "email": "new@evil.example@example.org" }),
        json!({ "email": "new@sub.example.org" }),
        json!({ "email": null }),
    ] {
        let told = "does not vouch for a mail address";
        refused(said(&server, (&at, &provider), &changes).await, status, told).await;
    }
    assert!(trail(&server, "identity.link").await.is_empty());

    // A name there is one person's for ever, and a person has one.
    let eve = json!({ "sub": "s-2", "email": "eve@example.org", "name": "Eve" });
    let made = whose(&server, &said(&server, (&at, &provider), &eve).await).await;
    let moved = json!({ "sub": "s-2", "email": "other@example.org" });
    assert_eq!(whose(&server, &said(&server, (&at, &provider), &moved).await).await.id, made.id);
    let heir = json!({ "sub": "s-3", "email": "eve@example.org" });
    let told = "Another account of this provider";
    refused(said(&server, (&at, &provider), &heir).await, status, told).await;

    // By another provider, the address that Eve has shown to read is hers.
    let second = Provider::start().await;
    let other = add(&server, &second.url, &json!({ "name": "Other" })).await;
    let linked = json!({ "sub": "x", "email": "EVE@example.org" });
    assert_eq!(whose(&server, &said(&server, (&other, &second), &linked).await).await.id, made.id);
    // There nobody is made; who is invited joins.
    let unknown = json!({ "sub": "y", "email": "bob@example.org" });
    let refusal = said(&server, (&other, &second), &unknown).await;
    refused(refusal, status, "Ask whoever manages people to invite you").await;
    let new = NewInvitation { email: "bob@example.org".to_owned(), role: "technician".to_owned() };
    let invited = server.auth().unwrap().invite(&new).await.unwrap().user;
    let bob = whose(&server, &said(&server, (&other, &second), &unknown).await).await;
    assert_eq!((bob.id, bob.role.as_str(), bob.email_verified), (invited.id, "technician", true));
}

// ASVS 6.8.2, 10.5.1, 10.5.4
#[tokio::test]
async fn a_provider_that_lies_lets_nobody_in() {
    let (server, provider) = (Server::start().unwrap(), Provider::start().await);
    let at = add(&server, &provider.url, &json!({ "creates_people": "technician" })).await;
    let bad = StatusCode::UNAUTHORIZED;
    let told = "answer is not good; begin again";
    for lie in [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "aud": "another" }),
        json!({ "aud": ["me", "another"] }),
        json!({ "azp": "another" }),
        json!({ "iss": format!("{}/", provider.url) }),
        json!({ "exp": 1_000_000_000 }),
        json!({ "iat": 1_000_000_000 }),
    ] {
        refused(said(&server, (&at, &provider), &lie).await, bad, told).await;
    }
    let lies = async |make: &dyn Fn(&Value) -> Reply| {
        let going = begin(&server, &at).await;
        let claims = provider.claims(("me", &going.param("nonce")), &json!({}));
        provider.reply(make(&claims));
        going.home(&server).await
    };
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = |claims: &Value| {
        Reply::Token(format!("{}.{}.", part(&json!({ "alg": "none" })), part(claims)))
    };
    refused(lies(&none).await, bad, told).await;
    let key = provider.signer.jwk().to_string();
    let shared = |claims: &Value| {
        let text = format!("{}.{}", part(&json!({ "alg": "HS256", "kid": "one" })), part(claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes());
        Reply::Token(format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref())))
    };
    refused(lies(&shared).await, bad, told).await;
    let other = Signer::default();
    let head = json!({ "alg": "ES256", "kid": "one" });
    refused(lies(&|claims| Reply::Token(other.sign(&head, claims))).await, bad, told).await;
    refused(lies(&|_| Reply::No).await, bad, told).await;
    let away = StatusCode::SERVICE_UNAVAILABLE;
    refused(lies(&|_| Reply::Huge).await, away, "does not answer").await;
    let metadata = "http://169.254.169.254/latest/meta-data/";
    refused(lies(&|_| Reply::Elsewhere(metadata)).await, away, "does not answer").await;
    refused(lies(&|_| Reply::Never).await, away, "does not answer").await;
    let good = |claims: &Value| Reply::Token(provider.signed(claims));
    whose(&server, &lies(&good).await).await;
    let tries = trail(&server, "sign_in.upstream").await;
    let of = |outcome: &str| tries.iter().filter(|it| it.outcome == outcome).count();
    assert_eq!((of("refused"), of("failed"), of("done")), (12, 3, 1), "{tries:?}");
    assert!(tries.iter().all(|it| it.target == at.id.to_string()));
}

/// A try is good once, in the browser that began it, and the answer comes from whom it was sent to.
#[tokio::test]
async fn a_try_belongs_to_one_browser_and_one_provider() {
    let (server, provider) = (Server::start().unwrap(), Provider::start().await);
    provider.describe(&json!({ "authorization_response_iss_parameter_supported": true }));
    let at = add(&server, &provider.url, &json!({ "creates_people": "technician" })).await;
    let (bad, late) = (StatusCode::UNAUTHORIZED, "took too long, or was begun in another browser");
    let going = async || {
        let going = begin(&server, &at).await;
        let claims = provider.claims(("me", &going.param("nonce")), &json!({}));
        provider.reply(Reply::Token(provider.signed(&claims)));
        going
    };
    let (mine, theirs) = (going().await, going().await);
    let (state, iss) = (theirs.param("state"), provider.url.clone());
    let good = [("state", state.as_str()), ("code", "c"), ("iss", iss.as_str())];
    // Somebody else's code in my browser, or in one that has begun nothing.
    refused(mine.back(&server, &good).await, bad, "is not good").await;
    refused(come_back(&server, &HeaderMap::new(), &good).await, bad, late).await;
    refused(come_back(&server, &browser(&[(UPSTREAM_COOKIE, "x")]), &good).await, bad, late).await;
    let answer = theirs.back(&server, &good).await;
    let opened = whose(&server, &answer).await;
    assert_eq!(opened.email, "ann@example.org");
    refused(theirs.back(&server, &good).await, bad, late).await;
    // Mixed up: the answer names another provider, or none though this one always does.
    for pairs in [vec![("iss", "https://evil.example")], vec![]] {
        let going = going().await;
        let state = going.param("state");
        let mut all = vec![("state", state.as_str()), ("code", "c")];
        all.extend(pairs);
        refused(going.back(&server, &all).await, bad, "is not good").await;
    }
    // The session that the browser had before ends.
    let (next, before) = (going().await, cookie(&answer, SESSION_COOKIE).unwrap());
    let held = next.held.get(header::COOKIE).unwrap().to_str().unwrap().to_owned();
    let mut both = HeaderMap::new();
    both.insert(header::COOKIE, format!("{held}; {SESSION_COOKIE}={before}").parse().unwrap());
    let pairs = [("state", &*next.param("state")), ("code", "c"), ("iss", &*iss)];
    assert!(cookie(&come_back(&server, &both, &pairs).await, SESSION_COOKIE).is_some());
    let me = ask(&server, ME, &browser(&[(SESSION_COOKIE, &before)]), "").await;
    assert_eq!(me.status(), StatusCode::UNAUTHORIZED);

    // Onward to a program's request, and nowhere else.
    for (next, want) in [("https://evil.example/", "/"), ("//evil.example", "/"), ("/x", "/")] {
        let query = Serializer::new(String::new()).append_pair("next", next).finish();
        let path = format!("/login/upstream/{}?{query}", at.id);
        let going = Going::of(&ask(&server, ("GET", &path), &HeaderMap::new(), "").await);
        let claims = provider.claims(("me", &going.param("nonce")), &json!({}));
        provider.reply(Reply::Token(provider.signed(&claims)));
        let pairs = [("state", &*going.param("state")), ("code", "c"), ("iss", &*iss)];
        assert_eq!(location(&going.back(&server, &pairs).await), want);
    }
}

/// A new key is found by its name; names that are made up have nobody asked for each.
#[tokio::test]
async fn keys_are_fetched_again_when_they_are_new_and_not_for_every_name() {
    let (server, provider) = (Server::start().unwrap(), Provider::start().await);
    let at = add(&server, &provider.url, &json!({ "creates_people": "technician" })).await;
    whose(&server, &said(&server, (&at, &provider), &json!({})).await).await;
    let before = provider.keys_asked();
    let next = Signer::default();
    provider.show_keys(&[("one", &provider.signer), ("two", &next)]);
    for n in 0..5 {
        let going = begin(&server, &at).await;
        let claims = provider.claims(("me", &going.param("nonce")), &json!({}));
        let head = json!({ "alg": "ES256", "kid": format!("made up {n}") });
        provider.reply(Reply::Token(next.sign(&head, &claims)));
        refused(going.home(&server).await, StatusCode::UNAUTHORIZED, "is not good").await;
    }
    assert!(provider.keys_asked() <= before + 1, "once a minute at most");
}

/// Whoever comes back too often is not even looked at, as with passwords.
#[tokio::test]
async fn tries_are_limited_as_sign_ins_are() {
    let few = ["auth.login_network_burst=3", "auth.login_network_per_minute=1"];
    let server = Server::start_with(&few).unwrap();
    let nobody = HeaderMap::new();
    for _ in 0..3 {
        let answer = come_back(&server, &nobody, &[("state", "x"), ("code", "c")]).await;
        refused(answer, StatusCode::UNAUTHORIZED, "took too long").await;
    }
    let answer = come_back(&server, &nobody, &[]).await;
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    refused(answer, StatusCode::TOO_MANY_REQUESTS, "too many tries").await;
    let typed = log_in(&server, "ann@example.org", PASSWORD).await;
    assert_eq!(typed.status(), StatusCode::TOO_MANY_REQUESTS, "one budget");
}
