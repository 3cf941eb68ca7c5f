//! Second factors, as a browser meets them.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_auth_api::{CSRF_HEADER, HALF_COOKIE, SESSION_COOKIE};
use openframe_fault::body;
use openframe_system::program::{self, Program, answer_of, ask, without_own_script};
use openframe_system::{Server, until};
use serde_json::{Value, json};

use crate::roles::{PASSWORD, log_in, person};

const EMAIL: &str = "technician@example.org";
pub(crate) const ME: (&str, &str) = ("GET", "/api/auth/v1/me");

/// The value of a cookie that an answer sets; none when it takes the cookie away.
pub(crate) fn cookie(answer: &Response, name: &str) -> Option<String> {
    let mut set = answer.headers().get_all(header::SET_COOKIE).into_iter();
    let own = set.find_map(|it| it.to_str().ok()?.strip_prefix(name)?.strip_prefix('='))?;
    assert!(own.contains("; Path=/; Secure; HttpOnly; SameSite="), "{own}");
    own.split(';').next().filter(|value| !value.is_empty()).map(str::to_owned)
}

fn with_cookie(name: &str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let cookie = HeaderValue::from_str(&format!("{name}={value}")).unwrap();
    headers.insert(header::COOKIE, cookie);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

pub(crate) async fn post(server: &Server, path: &str, who: &HeaderMap, body: &Value) -> Response {
    let mut headers = who.clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ask(server, ("POST", &format!("/api/auth/v1{path}")), &headers, &body.to_string()).await
}

/// A browser's headers after an answer that has opened a session; and the answer.
pub(crate) async fn signed_in(answer: Response) -> (HeaderMap, Value) {
    assert_eq!(answer.status(), StatusCode::OK);
    let mut headers = with_cookie(SESSION_COOKIE, &cookie(&answer, SESSION_COOKIE).unwrap());
    let answer = answer_of(answer).await;
    let me = answer.get("me").unwrap_or(&answer);
    let csrf = HeaderValue::from_str(me["csrf_token"].as_str().unwrap()).unwrap();
    headers.insert(CSRF_HEADER, csrf);
    (headers, answer)
}

/// What the app shows now, `steps` later.
fn code(secret: &str, steps: u64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let now = openframe_clock::Clock::system().now().as_second();
    totp.generate(u64::try_from(now).unwrap() + 30 * steps).to_string()
}

/// A technician with an app.
struct Armed {
    /// The session's headers.
    here: HeaderMap,
    /// The secret of the app.
    secret: String,
    /// The recovery codes.
    codes: Vec<String>,
    /// The code that has confirmed the app.
    used: String,
}

fn text<'a>(of: &'a Value, place: &str) -> &'a str {
    of.pointer(place).and_then(Value::as_str).unwrap()
}

async fn armed(server: &Server) -> Armed {
    let here = person(server, "technician").await;
    let enrolment = post(server, "/me/factors/totp", &here, &json!({})).await;
    assert_eq!(enrolment.status(), StatusCode::CREATED);
    let enrolment = answer_of(enrolment).await;
    let secret = text(&enrolment, "/secret").to_owned();
    assert!(text(&enrolment, "/uri").starts_with("otpauth://totp/OpenFrame:"));
    assert!(text(&enrolment, "/qr_svg").starts_with("<svg "));
    let used = code(&secret, 0);
    let confirm = json!({ "code": used });
    let confirmed = post(server, "/me/factors/totp/confirm", &here, &confirm).await;
    let (here, answer) = signed_in(confirmed).await;
    let codes: Vec<String> =
        serde_json::from_value(answer.pointer("/recovery_codes").unwrap().clone()).unwrap();
    assert_eq!(codes.len(), 10);
    Armed { here, secret, codes, used }
}

/// The half sign-in of whoever knows the password.
async fn begun(server: &Server) -> HeaderMap {
    let answer = log_in(server, EMAIL, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(cookie(&answer, SESSION_COOKIE), None);
    let half = with_cookie(HALF_COOKIE, &cookie(&answer, HALF_COOKIE).unwrap());
    assert_eq!(answer_of(answer).await, json!({ "next": "code", "app": true, "passkey": false }));
    half
}

// B23.once, B24, B26.password, B36.factors
#[tokio::test]
async fn a_sign_in_takes_two_steps() {
    let server = Server::start().unwrap();
    let Armed { here, secret, codes, used } = armed(&server).await;
    let half = begun(&server).await;
    // Half a sign-in is none: not as its own cookie, and not as a session's.
    assert_eq!(ask(&server, ME, &half, "").await.status(), StatusCode::UNAUTHORIZED);
    let text = half[header::COOKIE].to_str().unwrap().replace(HALF_COOKIE, SESSION_COOKIE);
    let mut posing = half.clone();
    posing.insert(header::COOKIE, HeaderValue::from_str(&text).unwrap());
    assert_eq!(ask(&server, ME, &posing, "").await.status(), StatusCode::UNAUTHORIZED);
    let other = post(&server, "/login/totp", &half, &json!({})).await;
    assert_eq!(other.status(), StatusCode::UNAUTHORIZED, "there is a factor already");

    let used = post(&server, "/login/code", &half, &json!({ "code": used })).await;
    assert_eq!(answer_of(used).await["code"], "wrong_code", "it has confirmed the app");
    let next = json!({ "code": code(&secret, 1) });
    let nobody = post(&server, "/login/code", &HeaderMap::new(), &next).await;
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED, "bound to the browser");
    let (session, _) = signed_in(post(&server, "/login/code", &half, &next).await).await;
    assert_eq!(ask(&server, ME, &session, "").await.status(), StatusCode::OK);
    let again = post(&server, "/login/code", &half, &json!({ "code": codes[0] })).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED, "half a sign-in is good once");
    let half = begun(&server).await;
    signed_in(post(&server, "/login/code", &half, &json!({ "code": codes[1] })).await).await;
    let half = begun(&server).await;
    let spent = post(&server, "/login/code", &half, &json!({ "code": codes[1] })).await;
    assert_eq!(spent.status(), StatusCode::BAD_REQUEST);

    let own = answer_of(ask(&server, ("GET", "/api/auth/v1/me/factors"), &session, "").await).await;
    assert_eq!((&own["recovery_codes"], &own["required"]), (&json!(9), &json!(false)));
    let sessions = ask(&server, ("GET", "/api/auth/v1/sessions"), &here, "").await;
    let sessions = answer_of(sessions).await;
    let all = sessions["items"].as_array().unwrap();
    assert!(all.iter().all(|it| it["amr"] == json!(["pwd", "otp", "mfa"])), "{all:?}");
    // Nothing that is a secret is told again, or is on the trail.
    let trail = server.auth().unwrap().audit(None, 200).await.unwrap().items;
    let told = format!("{own} {sessions} {trail:?}");
    assert!(!told.contains(&secret) && !codes.iter().any(|code| told.contains(code)));
    assert!(trail.iter().any(|it| it.action == "recovery_code.use"));
    assert!(trail.iter().any(|it| it.action == "totp.confirm"));
}

// ASVS 6.3.4
// B26.password, B26.link, B26.programs, B26.key, B26.device
/// The page that programs send people to, and a link for a new password.
#[tokio::test]
async fn no_way_in_gets_past_the_second_factor() {
    let server = Server::start().unwrap();
    let Armed { here, secret, codes, .. } = armed(&server).await;
    let app = Program::register(&server, &json!({})).await;
    let half = begun(&server).await;
    let to_sign_in = app.authorize(&server, &[], &half).await;
    let page = program::location(&to_sign_in);
    assert!(page.starts_with("/t/main/sign-in?next="), "{page}");
    let silent = app.authorize(&server, &[("prompt", "none")], &half).await;
    let refused = program::value_of(&silent, "error");
    assert_eq!(refused.as_deref(), Some("login_required"));
    let device = ask(&server, ("GET", "/t/main/device?user_code=BCDF-GHJK"), &half, "").await;
    assert!(program::location(&device).starts_with("/t/main/sign-in?next="));
    for path in ["/api-keys", "/me/password", "/me/step-up", "/me/factors/totp"] {
        let answer = post(&server, path, &half, &json!({})).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    let people = server.auth().unwrap().users().await.unwrap().items;
    let technician = people.iter().find(|user| user.email == EMAIL).unwrap();
    let link = server.auth().unwrap().create_password_link(technician.id).await.unwrap();
    let (_, token) = link.url.split_once("/password#token=").unwrap();
    let choice = json!({ "token": token, "password": "a better long one" });
    let chosen = post(&server, "/password", &HeaderMap::new(), &choice).await;
    assert_eq!(chosen.status(), StatusCode::ACCEPTED);
    assert_eq!(cookie(&chosen, SESSION_COOKIE), None);
    let half = with_cookie(HALF_COOKIE, &cookie(&chosen, HALF_COOKIE).unwrap());
    until("the old session to end", || async {
        let status = ask(&server, ME, &here, "").await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    let shown = json!({ "code": codes[0] });
    let (session, _) = signed_in(post(&server, "/login/code", &half, &shown).await).await;
    // What a program is told of it.
    let code = app.code(&server, &session).await;
    let tokens = answer_of(app.exchange(&server, &code).await).await;
    let id_token = program::claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(id_token["amr"], json!(["pwd", "otp", "mfa"]));
    assert_eq!(id_token["acr"], "aal2");
    assert!(!tokens.to_string().contains(&secret));
}

/// What a form of the sign-in page sends.
pub(crate) async fn submit(server: &Server, who: &HeaderMap, pairs: &[(&str, &str)]) -> Response {
    let mut headers = who.clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(program::FORM));
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let form = form.extend_pairs(pairs).finish();
    ask(server, ("POST", "/t/main/sign-in"), &headers, &form).await
}

async fn page_of(server: &Server, answer: Response) -> String {
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    let policy = without_own_script(server, policy);
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let page = body::read(answer.into_body(), 1 << 18).await.unwrap();
    let page = without_own_script(server, std::str::from_utf8(&page).unwrap());
    assert!(!page.contains("<script") && !page.contains(" style="), "{page}");
    page
}

// B20.csp, B20.see-other
#[tokio::test]
async fn a_program_sends_people_to_a_page_without_scripts() {
    let server = Server::start().unwrap();
    let Armed { secret, .. } = armed(&server).await;
    let app = Program::register(&server, &json!({ "name": "<b>Wiki</b>" })).await;
    let nobody = HeaderMap::new();
    let to = program::location(&app.authorize(&server, &[], &nobody).await);
    let shown = ask(&server, ("GET", &to), &nobody, "").await;
    let policy = shown.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self' https://app.example.org;"), "{policy}");
    let page = page_of(&server, shown).await;
    assert!(page.contains("&lt;b&gt;Wiki&lt;/b&gt;") && page.contains("type=\"password\""));
    let next = url::form_urlencoded::parse(to.split_once('?').unwrap().1.as_bytes());
    let next = next.into_iter().next().unwrap().1.into_owned();
    let typed = |password| {
        [("step", "password"), ("next", next.as_str()), ("email", EMAIL), ("password", password)]
    };
    let wrong = submit(&server, &nobody, &typed("wrong wrong")).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(page_of(&server, wrong).await.contains("role=\"alert\""));
    let answer = submit(&server, &nobody, &typed(PASSWORD)).await;
    let half = with_cookie(HALF_COOKIE, &cookie(&answer, HALF_COOKIE).unwrap());
    assert!(page_of(&server, answer).await.contains("one-time-code"));
    let again = ask(&server, ("GET", &to), &half, "").await;
    assert!(page_of(&server, again).await.contains("one-time-code"), "loaded anew it goes on");
    let step = |code| [("step", "code"), ("next", next.as_str()), ("code", code)];
    let wrong = submit(&server, &half, &step("000000")).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    assert!(page_of(&server, wrong).await.contains("one-time-code"));
    let done = submit(&server, &half, &step(&code(&secret, 1))).await;
    assert_eq!((done.status(), program::location(&done)), (StatusCode::SEE_OTHER, next.clone()));
    let session = with_cookie(SESSION_COOKIE, &cookie(&done, SESSION_COOKIE).unwrap());
    let consent = ask(&server, ("GET", &next), &session, "").await;
    assert_eq!(consent.status(), StatusCode::OK);

    // Nobody is sent elsewhere by it, and no other page may send the form.
    let elsewhere = ["https://evil.example/", "//evil.example/", "/t/main/sign-in", ""];
    for elsewhere in elsewhere {
        let shown = submit(&server, &nobody, &[("step", "again"), ("next", elsewhere)]).await;
        assert!(page_of(&server, shown).await.contains("name=\"next\" value=\"/\""), "{elsewhere}");
    }
    let mut foreign = HeaderMap::new();
    foreign.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
    let forged = submit(&server, &foreign, &typed(PASSWORD)).await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn owners_ask_it_of_everybody_and_let_in_who_has_lost_it() {
    let server = Server::start().unwrap();
    let auth = server.auth().unwrap();
    let Armed { here, .. } = armed(&server).await;
    let bob = person(&server, "read_only").await;
    let required = |second_factor_required| openframe_auth_api::Settings { second_factor_required };
    auth.change_settings(required(true)).await.unwrap();
    until("who has no factor to be signed out", || async {
        let status = ask(&server, ME, &bob, "").await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(ask(&server, ME, &here, "").await.status(), StatusCode::OK);
    let removed = ask(&server, ("DELETE", "/api/auth/v1/me/factors/totp"), &here, "").await;
    assert_eq!(removed.status(), StatusCode::CONFLICT);

    // On the page for programs, without a script.
    let typed = [("step", "password"), ("email", "read_only@example.org"), ("password", PASSWORD)];
    let answer = submit(&server, &HeaderMap::new(), &typed).await;
    let half = with_cookie(HALF_COOKIE, &cookie(&answer, HALF_COOKIE).unwrap());
    assert!(page_of(&server, answer).await.contains("you have none yet"));
    let page = page_of(&server, submit(&server, &half, &[("step", "enrol")]).await).await;
    assert!(page.contains("<svg "), "{page}");
    let secret = page.split_once("Key: <code>").unwrap().1.split('<').next().unwrap();
    let wrong = submit(&server, &half, &[("step", "confirm"), ("code", "000000")]).await;
    assert!(page_of(&server, wrong).await.contains("role=\"alert\""));
    let shown = code(secret, 0);
    let done = submit(&server, &half, &[("step", "confirm"), ("code", &shown)]).await;
    let bob = with_cookie(SESSION_COOKIE, &cookie(&done, SESSION_COOKIE).unwrap());
    assert_eq!(page_of(&server, done).await.matches("<li>").count(), 10);
    assert_eq!(ask(&server, ME, &bob, "").await.status(), StatusCode::OK);

    auth.change_settings(required(false)).await.unwrap();
    let people = auth.users().await.unwrap().items;
    let technician = people.iter().find(|user| user.email == EMAIL).unwrap();
    auth.reset_factors(technician.id).await.unwrap();
    assert!(auth.reset_factors(technician.id).await.is_err(), "there is none");
    assert_eq!(log_in(&server, EMAIL, PASSWORD).await.status(), StatusCode::OK);
    until("the session of who has lost it to end", || async {
        let status = ask(&server, ME, &here, "").await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}

// B24
#[tokio::test]
async fn a_session_is_made_fresh_by_a_code_and_has_another_secret() {
    let server = Server::start().unwrap();
    let Armed { here: old, secret, codes, .. } = armed(&server).await;
    let by_password = post(&server, "/me/step-up", &old, &json!({ "password": PASSWORD })).await;
    assert_eq!(by_password.status(), StatusCode::BAD_REQUEST);
    let shown = json!({ "code": code(&secret, 1) });
    let (new, _) = signed_in(post(&server, "/me/step-up", &old, &shown).await).await;
    assert_eq!(ask(&server, ME, &new, "").await.status(), StatusCode::OK);
    until("the old secret to be worth nothing", || async {
        let status = ask(&server, ME, &old, "").await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    let made = post(&server, "/me/factors/recovery-codes", &new, &json!({})).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let half = begun(&server).await;
    let dead = post(&server, "/login/code", &half, &json!({ "code": codes[0] })).await;
    assert_eq!(dead.status(), StatusCode::BAD_REQUEST);
    let removed = ask(&server, ("DELETE", "/api/auth/v1/me/factors/totp"), &new, "").await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(log_in(&server, EMAIL, PASSWORD).await.status(), StatusCode::OK);
}
