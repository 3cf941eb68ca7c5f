//! Bodies of the paths about second factors, and of sign-ins in two steps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Me;

/// The answer (202) to a right password, where a second factor is to come. The browser holds a cookie that
/// is good for five minutes and for nothing else.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInStep {
    /// `code`: `POST /login/code` with a code of the authenticator app, a recovery code or a passkey.
    /// `enrol`: the person has no second factor and needs one here, `POST /login/totp`.
    pub next: String,
    /// Whether the person has an authenticator app.
    pub app: bool,
    /// Whether the person has a passkey: `POST /login/code/options` says what the browser is to be asked.
    pub passkey: bool,
}

/// `POST /login/code`: one of both.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondStep {
    /// Six digits of the authenticator app, or a recovery code.
    pub code: Option<String>,
    /// What `navigator.credentials.get()` has given, by its `toJSON()`.
    #[schema(value_type = Option<Object>)]
    pub passkey: Option<Value>,
}

/// `POST /login/totp/confirm` and `POST /me/factors/totp/confirm`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorCode {
    /// Six digits of the authenticator app.
    pub code: String,
}

/// `POST /me/step-up`: one of these.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// A code of the authenticator app or a recovery code: whoever has a second factor.
    pub code: Option<String>,
    /// The password: whoever has none.
    pub password: Option<String>,
    /// What `navigator.credentials.get()` has given, by its `toJSON()`, for what
    /// `POST /me/step-up/options` has asked.
    #[schema(value_type = Option<Object>)]
    pub passkey: Option<Value>,
    /// With a passkey: what came with the options.
    pub held: Option<String>,
}

/// `GET /me/factors`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Factors {
    /// Since when there is an authenticator app.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub totp_since: Option<Timestamp>,
    /// How many passkeys there are.
    pub passkeys: u64,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
    /// Whether everybody needs a second factor here.
    pub required: bool,
}

/// The secret of an authenticator app that is to be confirmed: the only time it is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TotpEnrolment {
    /// The secret in base32, to be typed.
    pub secret: String,
    /// The same as a link, `otpauth://…`.
    pub uri: String,
    /// The same as a picture to be scanned, SVG.
    pub qr_svg: String,
}

/// Recovery codes: the only time they are shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten; each is good once, in the place of a code of the app.
    pub codes: Vec<String>,
}

/// The answer to a confirmed authenticator app.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TotpConfirmed {
    /// Who is signed in now, with another CSRF token.
    pub me: Me,
    /// Recovery codes: the only time they are shown.
    pub recovery_codes: Vec<String>,
}

/// `GET` and `PUT /settings`: what owners decide for everybody.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether everybody who signs in needs a second factor. Who has none can then only enrol one.
    pub second_factor_required: bool,
}
