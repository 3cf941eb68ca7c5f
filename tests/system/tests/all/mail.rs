//! Mail to people, by a real mail server that is away now and then.

use std::fs;
use std::path::PathBuf;

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use openframe_fault::body;
use openframe_pki::{Authority, DeviceKey};
use openframe_platform_api::Health;
use openframe_system::{Encrypts, Letter, MailServer, Server, until};
use serde_json::json;

use crate::roles::{PASSWORD, log_in, person};

pub(crate) const EMAIL: &str = "technician@example.org";
pub(crate) const NEW: &str = "a better long one";
/// What links begin with: the address of the settings.
const LINK: &str = "https://openframe.example/password#token=";

/// A server that sends mail to `place`, and a person. Where it is reached is not what it calls itself.
pub(crate) struct Sending {
    pub(crate) server: Server,
    url: String,
}

impl Sending {
    pub(crate) async fn start(place: &str, tls: &str, more: &[&str]) -> Self {
        let own = format!("http://{}", MailServer::place().unwrap());
        let (mail, tls) = (format!("auth.mail.server={place}"), format!("auth.mail.tls={tls}"));
        let (from, listen) = ("auth.mail.from=openframe@example.org", format!("listen={own}"));
        let mut settings = vec!["url=https://openframe.example", &listen, &mail, from, &tls];
        settings.extend(more);
        let mut server = Server::start_with(&settings).unwrap();
        server.url.clone_from(&own);
        person(&server, "technician").await;
        Self { server, url: own }
    }

    fn crash_and_restart(&mut self) {
        self.server.crash_and_restart().unwrap();
        self.server.url.clone_from(&self.url);
    }
}

/// Asks as a page would whose address somebody has made up.
pub(crate) async fn post(server: &Server, path: &str, body: &serde_json::Value) -> Response {
    let request = Request::post(path)
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    server.peer().unwrap().call(request).await.unwrap()
}

pub(crate) async fn ask(server: &Server, email: &str) -> (StatusCode, String) {
    let answer = post(server, "/api/auth/v1/password/forgot", &json!({ "email": email })).await;
    let status = answer.status();
    let text = body::read(answer.into_body(), 4096).await.unwrap();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

async fn choose(server: &Server, letter: &Letter) -> StatusCode {
    let token = letter.link.as_deref().and_then(|link| link.strip_prefix(LINK)).unwrap();
    let choice = json!({ "token": token, "password": NEW });
    post(server, "/api/auth/v1/password", &choice).await.status()
}

/// Waits until the platform's health says why no mail is taken.
async fn fails(server: &Server) -> String {
    until("the failure to be part of the platform's health", || async {
        let health: Health = server.client().ok()?.get("/api/platform/v1/health").await.ok()?;
        let mut parts = health.replicas.into_iter().flat_map(|replica| replica.parts);
        parts.find(|part| part.name == "auth.mail" && !part.detail.is_empty()).map(|it| it.detail)
    })
    .await
}

// ASVS 6.4.1, 6.4.3
// B27.host, B27.once, B27.older
#[tokio::test]
async fn a_mailed_link_leads_here_and_is_good_once() {
    let place = MailServer::place().unwrap();
    let mut mail = MailServer::start(&place, Encrypts::No).unwrap();
    let Sending { server, .. } = Sending::start(&place, "none", &[]).await;
    let mut letters = Vec::new();
    for _ in 0..2 {
        assert_eq!(ask(&server, EMAIL).await, (StatusCode::NO_CONTENT, String::new()));
        letters.push(mail.letter().unwrap());
    }
    assert!(letters.iter().all(|letter| letter.to == EMAIL));
    assert_eq!(choose(&server, &letters[0]).await, StatusCode::UNAUTHORIZED, "there is another");
    assert_eq!(choose(&server, &letters[1]).await, StatusCode::OK);
    assert_eq!(choose(&server, &letters[1]).await, StatusCode::UNAUTHORIZED, "it was used");
    assert_eq!(log_in(&server, EMAIL, PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(log_in(&server, EMAIL, NEW).await.status(), StatusCode::OK);
    let told = mail.letter().unwrap();
    assert_eq!((told.to.as_str(), told.subject.as_str()), (EMAIL, "Your password was changed"));
    let said = mail.said();
    assert!(!said.contains("evil.example") && !said.contains(NEW), "{said}");
}

// B21.mail
#[tokio::test]
async fn whoever_asks_is_not_told_who_is_here() {
    let place = MailServer::place().unwrap();
    let mut mail = MailServer::start(&place, Encrypts::No).unwrap();
    let Sending { server, .. } = Sending::start(&place, "none", &[]).await;
    let nobody = ask(&server, "nobody@example.org").await;
    assert_eq!(nobody, ask(&server, EMAIL).await);
    assert_eq!(nobody.0, StatusCode::NO_CONTENT);
    // What was asked for first has its turn first.
    assert_eq!(mail.letter().unwrap().to, EMAIL);
    assert!(!mail.said().contains("nobody"), "{}", mail.said());
}

/// Each file of the data folder that holds people.
fn kept(server: &Server) -> Vec<PathBuf> {
    let files = fs::read_dir(server.data()).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.to_str().unwrap().contains("auth.db")).collect()
}

/// T25 besides: what waits cannot be read in the store.
#[tokio::test]
async fn mail_waits_for_its_server_through_a_crash() {
    let place = MailServer::place().unwrap();
    let mut sending = Sending::start(&place, "none", &[]).await;
    ask(&sending.server, EMAIL).await;
    fails(&sending.server).await;
    let files = kept(&sending.server);
    assert!(!files.is_empty());
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let found = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!found("#token=") && !found("Choose a new password"), "{}", file.display());
    }
    sending.crash_and_restart();
    fails(&sending.server).await;
    let mut mail = MailServer::start(&place, Encrypts::No).unwrap();
    let letter = mail.letter().unwrap();
    assert_eq!(choose(&sending.server, &letter).await, StatusCode::OK);
    assert_eq!(mail.letter().unwrap().subject, "Your password was changed");
    assert_eq!(mail.said().matches("MESSAGE FOLLOWS").count(), 2, "none came twice");
}

/// Who takes STARTTLS out of what the server offers, or stands in its place, gets no letter.
#[tokio::test]
async fn no_letter_goes_where_nobody_is_known() {
    openframe_pki::install_provider();
    let now = openframe_clock::Clock::system().now();
    let (good, _) = Authority::create(now).unwrap();
    let (wrong, _) = Authority::create(now).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    for (authority, name) in [(&good, "good"), (&wrong, "wrong")] {
        let key = DeviceKey::generate().unwrap();
        let csr = key.csr_pem("mail").unwrap();
        let chain = authority.issue_server(&csr, vec!["127.0.0.1".to_owned()], now).unwrap();
        fs::write(file(&format!("{name}.pem")), chain).unwrap();
        fs::write(file(&format!("{name}.key")), key.to_pem()).unwrap();
    }
    fs::write(file("roots.pem"), good.root_pem()).unwrap();
    let roots = format!("webhook_roots={}", file("roots.pem").display());
    let place = MailServer::place().unwrap();
    let Sending { server, .. } = Sending::start(&place, "starttls", &[&roots]).await;
    let (chain, key) = (file("good.pem"), file("good.key"));
    let (wrong_chain, wrong_key) = (file("wrong.pem"), file("wrong.key"));
    for (encrypts, told) in
        [(Encrypts::No, "STARTTLS"), (Encrypts::Later(&wrong_chain, &wrong_key), "certificate")]
    {
        let mut mail = MailServer::start(&place, encrypts).unwrap();
        ask(&server, EMAIL).await;
        until("the refusal to be told", || async {
            fails(&server).await.contains(told).then_some(())
        })
        .await;
        assert!(!mail.said().contains("MESSAGE"), "{}", mail.said());
    }
    let mut mail = MailServer::start(&place, Encrypts::Later(&chain, &key)).unwrap();
    assert_eq!(mail.letter().unwrap().to, EMAIL);
}

#[tokio::test]
async fn tls_is_spoken_from_the_start() {
    openframe_pki::install_provider();
    let now = openframe_clock::Clock::system().now();
    let (authority, _) = Authority::create(now).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let key = DeviceKey::generate().unwrap();
    let csr = key.csr_pem("mail").unwrap();
    let chain = authority.issue_server(&csr, vec!["127.0.0.1".to_owned()], now).unwrap();
    fs::write(file("chain.pem"), chain).unwrap();
    fs::write(file("key.pem"), key.to_pem()).unwrap();
    fs::write(file("roots.pem"), authority.root_pem()).unwrap();
    let place = MailServer::place().unwrap();
    let (chain, key) = (file("chain.pem"), file("key.pem"));
    let mut mail = MailServer::start(&place, Encrypts::Always(&chain, &key)).unwrap();
    let roots = format!("webhook_roots={}", file("roots.pem").display());
    let Sending { server, .. } = Sending::start(&place, "tls", &[&roots]).await;
    ask(&server, EMAIL).await;
    assert_eq!(mail.letter().unwrap().to, EMAIL);
}
