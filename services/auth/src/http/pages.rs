//! The pages that a person sees who came from another program. Made here; they work without a script.

use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use openframe_auth_api::PROVIDER_SIGN_IN;
use openframe_oauth::{Client, Refusal, Scopes, family, scope};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::app::{ConsentAsked, DeviceConsent, Enrolment, LogoutAsked, Ways};

const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{max-width:28rem;margin:10vh auto;padding:0 1rem}\
h1{font-size:1.4rem}li{margin:.3rem 0}a{color:inherit}\
form{display:flex;gap:.75rem;margin-top:1.5rem}\
input[name=user_code]{text-transform:uppercase}\
button{font:inherit;padding:.5rem 1.2rem;border:1px solid;border-radius:.4rem;cursor:pointer}\
form.fields{flex-direction:column}\
a.button{display:block;padding:.5rem 1.2rem;border:1px solid;border-radius:.4rem;text-align:center}\
input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem;margin-top:.2rem}\
code{overflow-wrap:anywhere}ol code{font-size:1.1rem}\
svg{display:block;margin:1rem auto;max-width:100%}\
[role=alert]{border-left:.25rem solid #c92a2a;padding-left:.75rem}\
.main{background:#1864ab;border-color:#1864ab;color:#fff}\
[hidden]{display:none!important}\
.quiet{opacity:.8;font-size:.9rem}";

/// Asks a person whether a program may have what it wants. `query` is its request.
pub(super) fn consent(asked: &ConsentAsked, query: &str) -> Response {
    let ConsentAsked { client, ask, person, csrf_token } = asked;
    let to = place(&ask.redirect_uri);
    let body = html! {
        h1 { "Allow " strong { (client.name) } " access?" }
        p { "You are signed in as " (person.email) ". " (client.name) " wants to:" }
        ul { @for scope in ask.scopes.iter() { li { (meaning(scope)) } } }
        p { (how_long(client, &ask.scopes)) }
        p.quiet {
            "Afterwards you go on at " strong { (to) }
            ". You can take this back at any time, under Access."
        }
        form method="post" action="authorize" {
            input type="hidden" name="request" value=(query);
            input type="hidden" name="csrf_token" value=(csrf_token);
            button.main type="submit" name="answer" value="allow" { "Allow" }
            button type="submit" name="answer" value="deny" { "Do not allow" }
        }
        (sign_out())
    };
    page(StatusCode::OK, "Allow access", &body, Some(&ask.redirect_uri))
}

/// Has a person type in the code that a program shows.
pub(super) fn enter_code(wrong: bool) -> Response {
    let body = html! {
        h1 { "Connect a device" }
        @if wrong { p { strong { "No program waits with this code." } " It may be too old." } }
        p { "Type in the code that the program shows on the other device." }
        form method="get" action="device" {
            input name="user_code" aria-label="Code" autocomplete="off" maxlength="16" required;
            button.main type="submit" { "Go on" }
        }
    };
    page(StatusCode::OK, "Connect a device", &body, None)
}

/// Tells a person that too many codes were wrong.
pub(super) fn too_many_codes() -> Response {
    let body = html! {
        h1 { "Too many wrong codes" }
        p { "Wait ten minutes, and have the program show a new one." }
        (sign_out())
    };
    page(StatusCode::TOO_MANY_REQUESTS, "Too many wrong codes", &body, None)
}

/// Asks a person whether a program on another device may have what it wants.
pub(super) fn device_consent(asked: &DeviceConsent, typed: &str) -> Response {
    let DeviceConsent { client, grant, person, csrf_token } = asked;
    let (address, agent) = &grant.asked_from;
    let body = html! {
        h1 { "Allow " strong { (client.name) } " access on another device?" }
        p { "You are signed in as " (person.email) ". " (client.name) " wants to:" }
        ul { @for scope in grant.scopes.iter() { li { (meaning(scope)) } } }
        p { (how_long(client, &grant.scopes)) }
        p {
            "It asked from " strong { (address) }
            @if !agent.is_empty() { " (" (agent) ")" }
            " at " (grant.created.strftime("%H:%M UTC")) "."
        }
        p.quiet {
            "Allow it only if you see this code on a device in front of you: whoever has sent it to you "
            "would get your access. You can take this back at any time, under Access."
        }
        form method="post" action="device" {
            input type="hidden" name="user_code" value=(typed);
            input type="hidden" name="csrf_token" value=(csrf_token);
            button.main type="submit" name="answer" value="allow" { "Allow" }
            button type="submit" name="answer" value="deny" { "Do not allow" }
        }
        (sign_out())
    };
    page(StatusCode::OK, "Allow access", &body, None)
}

/// How long a program keeps what it is given.
fn how_long(client: &Client, scopes: &Scopes) -> String {
    if scopes.iter().any(|it| it == scope::OFFLINE_ACCESS) {
        let days = client.family_lifetime().as_hours() / 24;
        return format!("It keeps this for {days} days at most, also while you are away.");
    }
    let minutes = family::ACCESS_LIFETIME.as_mins();
    format!("It keeps this for {minutes} minutes, and has to send you here again after that.")
}

/// What leads whoever is signed in out again.
fn sign_out() -> Markup {
    html! { p.quiet { a href=(openframe_auth_api::PROVIDER_LOGOUT) { "Sign out" } } }
}

/// Tells a person that the program has its answer.
pub(super) fn device_answered(allowed: bool) -> Response {
    let title = if allowed { "The device is connected" } else { "The device has no access" };
    let body = html! {
        h1 { (title) }
        p { "Go on there; you can close this page." }
        (sign_out())
    };
    page(StatusCode::OK, title, &body, None)
}

/// Asks a person whether to log out. `query` is the request of whoever has sent the browser.
pub(super) fn logout(asked: &LogoutAsked, query: &str) -> Response {
    let LogoutAsked { client, to, person, csrf_token } = asked;
    let body = html! {
        h1 { "Log out of OpenFrame?" }
        p { "You are signed in as " (person.email) "." }
        @if let Some(client) = client {
            p { strong { (client.name) } " has sent you here to log out." }
        }
        p.quiet {
            "What programs were allowed in this session ends with it."
            @if let Some(to) = to { " Afterwards you go on at " strong { (place(to)) } "." }
        }
        form method="post" action="logout" {
            input type="hidden" name="request" value=(query);
            input type="hidden" name="csrf_token" value=(csrf_token);
            button.main type="submit" name="answer" value="leave" { "Log out" }
            button type="submit" name="answer" value="stay" { "Stay signed in" }
        }
    };
    page(StatusCode::OK, "Log out", &body, to.as_deref())
}

/// Tells a person whether somebody is signed in now.
pub(super) fn logged_out(signed_in: bool) -> Response {
    let title = if signed_in { "You are still signed in" } else { "You are logged out" };
    let body = html! {
        h1 { (title) }
        p { a href="/" { @if signed_in { "Go to OpenFrame" } @else { "Sign in again" } } }
    };
    page(StatusCode::OK, title, &body, None)
}

/// Where a person goes on after signing in.
pub(super) struct Onward {
    /// The address.
    pub(super) to: String,
    /// Who has sent the person here, and where that program wants the answer.
    pub(super) program: Option<(String, String)>,
    /// Other providers to sign in at, and where the browser goes for that.
    pub(super) elsewhere: Vec<(String, String)>,
}

/// What the sign-in page shows.
pub(super) enum Shows {
    /// Mail address and password; and, where mail is sent, a way to a new one.
    Password(bool),
    /// What asks for a link by mail.
    Forgot,
    /// That a link is on its way, if anybody has the address.
    LinkAsked,
    /// What the person has: a code, or a passkey.
    Code(Ways),
    /// That the person needs a second factor here.
    MustEnrol,
    /// The secret of an app, and what confirms it.
    Enrol(Enrolment),
    /// What confirms it, once more.
    Confirm,
    /// Recovery codes, once.
    RecoveryCodes(Vec<String>),
}

/// A passkey as a way to take the step that is shown.
pub(super) struct Offer {
    /// What the browser is asked for, as JSON.
    pub(super) options: String,
    /// Where the script is that asks it: the only one that the page may run.
    pub(super) script: String,
}

/// One step of signing in, and what was wrong with the one before.
pub(super) fn sign_in(
    status: StatusCode,
    shows: &Shows,
    onward: &Onward,
    wrong: Option<&str>,
    offer: Option<&Offer>,
) -> Response {
    let next = &onward.to;
    let program = onward.program.as_ref();
    let goes_to = program.map(|(_, address)| address.as_str());
    let body = html! {
        h1 { "Sign in" }
        @if let Some(wrong) = wrong { p role="alert" { (wrong) } }
        @match shows {
            Shows::Password(mail) => {
                (who_asks(program))
                form.fields method="post" action=(PROVIDER_SIGN_IN) {
                    (hidden("password", next))
                    label { "E-mail"
                        input type="email" name="email" autocomplete="username" required autofocus; }
                    label { "Password"
                        input type="password" name="password" autocomplete="current-password" required; }
                    button.main type="submit" { "Sign in" }
                }
                @if let Some(offer) = offer { (passkey_form("passkey", next, offer)) }
                (ways_elsewhere(onward))
                @if *mail { (button_form("forgot", next, "Forgot your password?")) }
            }
            Shows::Forgot => {
                p { "Type your mail address: a link by which you choose a new password is sent there." }
                (mail_form(next))
                (start_over(next))
            }
            Shows::LinkAsked => {
                p { "If anybody has this mail address here, a link is on its way. It is good for 15 minutes." }
                (start_over(next))
            }
            Shows::Code(ways) => {
                p { (wanted(*ways)) }
                @if let Some(offer) = offer { (passkey_form("code-passkey", next, offer)) }
                (code_form("code", next, "Sign in"))
                (start_over(next))
            }
            Shows::MustEnrol => {
                p { "Everybody needs a second factor here, and you have none yet." }
                form method="post" action=(PROVIDER_SIGN_IN) {
                    (hidden("enrol", next))
                    button.main type="submit" { "Enrol an authenticator app" }
                }
                (start_over(next))
            }
            Shows::Enrol(enrolment) => {
                p { "Scan this with an authenticator app, or type the key: it is shown once." }
                (PreEscaped(&enrolment.qr_svg))
                p { "Key: " code { (enrolment.secret) } }
                p { "Then type the code that the app shows." }
                (code_form("confirm", next, "Confirm"))
            }
            Shows::Confirm => {
                p { "Type the code that the app shows for the key that you have just put in." }
                (code_form("confirm", next, "Confirm"))
                (button_form("enrol", next, "Show another key"))
            }
            Shows::RecoveryCodes(codes) => {
                p { "You are signed in. Keep these recovery codes: each lets you in once without the app, \
                     and they are shown this once." }
                ol { @for code in codes { li { code { (code) } } } }
                p { a href=(next) { "Go on" } }
            }
        }
    };
    let script = offer.map(|offer| offer.script.as_str());
    page_with(status, "Sign in", &body, (goes_to, script))
}

/// Who has sent the person here, if a program has.
fn who_asks(program: Option<&(String, String)>) -> Markup {
    html! {
        @if let Some((who, _)) = program {
            p { strong { (who) } " wants to know who you are. After signing in you are asked whether it may." }
        } @else {
            p { "Sign in to go on." }
        }
    }
}

/// Links, which need no script.
fn ways_elsewhere(onward: &Onward) -> Markup {
    html! {
        @for (name, href) in &onward.elsewhere {
            p { a.button href=(href) { "Sign in with " (name) } }
        }
    }
}

/// What somebody is asked for who has these.
fn wanted(ways: Ways) -> &'static str {
    if ways.app {
        "Type the code of your authenticator app, or one of your recovery codes."
    } else {
        "Show your passkey, or type one of your recovery codes."
    }
}

/// Hidden until the script has found that the browser knows passkeys.
fn passkey_form(step: &str, next: &str, offer: &Offer) -> Markup {
    html! {
        form.fields #passkey method="post" action=(PROVIDER_SIGN_IN) hidden data-options=(offer.options) {
            (hidden(step, next))
            input type="hidden" name="credential";
            p #passkey-told role="alert" hidden {
                "No passkey was shown. Try again, or sign in another way."
            }
            button type="submit" { "Sign in with a passkey" }
        }
    }
}

fn hidden(step: &str, next: &str) -> Markup {
    html! {
        input type="hidden" name="step" value=(step);
        input type="hidden" name="next" value=(next);
    }
}

fn code_form(step: &str, next: &str, verb: &str) -> Markup {
    html! {
        form.fields method="post" action=(PROVIDER_SIGN_IN) {
            (hidden(step, next))
            label { "Code"
                input type="text" name="code" autocomplete="one-time-code" required autofocus; }
            button.main type="submit" { (verb) }
        }
    }
}

fn mail_form(next: &str) -> Markup {
    html! {
        form.fields method="post" action=(PROVIDER_SIGN_IN) {
            (hidden("ask", next))
            label { "E-mail"
                input type="email" name="email" autocomplete="username" required autofocus; }
            button.main type="submit" { "Send the link" }
        }
    }
}

fn start_over(next: &str) -> Markup {
    button_form("again", next, "Begin again")
}

fn button_form(step: &str, next: &str, verb: &str) -> Markup {
    html! {
        form method="post" action=(PROVIDER_SIGN_IN) {
            (hidden(step, next))
            button type="submit" { (verb) }
        }
    }
}

/// Tells a person why signing in at another provider comes to nothing.
pub(super) fn not_signed_in(status: StatusCode, why: &str) -> Response {
    let body = html! {
        h1 { "You are not signed in" }
        p role="alert" { (why) }
        p { a href="/" { "Sign in again" } }
    };
    page(status, "You are not signed in", &body, None)
}

/// Tells a person why a program's request comes to nothing.
pub(super) fn refused(refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let body = html! {
        h1 { "This does not work" }
        p { "The program that sent you here asked for something that cannot be answered." }
        p { (refusal.description) }
        p.quiet { "Tell whoever runs that program: " code { (refusal.code.as_str()) } }
    };
    page(status, "This does not work", &body, None)
}

fn page(status: StatusCode, title: &str, body: &Markup, goes_to: Option<&str>) -> Response {
    page_with(status, title, body, (goes_to, None))
}

fn page_with(
    status: StatusCode,
    title: &str,
    body: &Markup,
    (goes_to, script): (Option<&str>, Option<&str>),
) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · OpenFrame" }
                style { (PreEscaped(STYLE)) }
                @if let Some(script) = script { script src=(script) defer {} }
            }
            body { main { (body) } }
        }
    };
    let mut response = (status, Html(page.into_string())).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy(goes_to, script)) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // The form's origin is checked, and told only where a referrer would be.
    let policy = HeaderValue::from_static("same-origin");
    response.headers_mut().insert(header::REFERRER_POLICY, policy);
    // Some pages show a secret, and each is of one moment.
    let store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, store);
    response
}

/// What the page may do: show itself, and send the form. Browsers hold where the answer to a form sends
/// them against the policy too, so the program's place is in it. A script is one file of ours, by its whole
/// address, and makes no scripts of texts.
fn policy(goes_to: Option<&str>, script: Option<&str>) -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let place = goes_to.and_then(source).map(|source| format!(" {source}")).unwrap_or_default();
    let script = script.map(|file| {
        format!("script-src {file}; require-trusted-types-for 'script'; trusted-types 'none'; ")
    });
    let script = script.unwrap_or_default();
    format!(
        "default-src 'none'; {script}style-src 'sha256-{style}'; form-action 'self'{place}; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

/// A registered address as a source of a policy (CSP 3, 2.3.1).
fn source(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let origin = url.origin();
    Some(if origin.is_tuple() {
        origin.ascii_serialization()
    } else {
        format!("{}:", url.scheme())
    })
}

/// What a person is told of an address.
fn place(address: &str) -> String {
    let host = Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "a program on this device".to_owned())
}

/// What a scope means to a person.
fn meaning(scope: &str) -> &str {
    match scope {
        scope::OPENID => "know who you are",
        scope::PROFILE => "see your name",
        scope::EMAIL => "see your mail address",
        scope::OFFLINE_ACCESS => "go on while you are away",
        "devices:read" => "see devices, their inventory and their commands",
        "devices:write" => "rename, tag and retire devices",
        "commands:run" => "run commands on devices",
        "telemetry:read" => "read telemetry, rules and alerts",
        "telemetry:write" => "send telemetry",
        "alerts:write" => "change alert rules and notification channels",
        "users:manage" => "manage people and sessions",
        "keys:manage" => "make and revoke API keys",
        "enrolment:manage" => "make and revoke enrolment tokens",
        "audit:read" => "read the audit trail",
        "platform:read" => "see the platform's own health",
        other => other,
    }
}
