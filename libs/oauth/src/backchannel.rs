//! What a client is told once a session has ended (OpenID Connect Back-Channel Logout 1.0).

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{ClientId, SessionId, UserId};
use serde_json::json;

use crate::id_token::SigningKey;

/// How long a logout token is good (Back-Channel Logout, 2.4 recommends two minutes at most).
pub const LOGOUT_LIFETIME: SignedDuration = SignedDuration::from_mins(2);
/// The kind of a logout token: it is no ID token.
const KIND: &str = "logout+jwt";
/// What has happened.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Whose session has ended, for whom it is to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Who is told.
    pub client: ClientId,
    /// Whose session it was.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
}

impl SigningKey {
    /// The logout token called `jti` that says so in the name of `issuer`.
    pub fn sign_logout(&self, issuer: &str, ended: Ended, (jti, now): (&str, Timestamp)) -> String {
        let Ended { client, user, session } = ended;
        let claims = json!({
            "iss": issuer, "aud": client, "sub": user, "sid": session, "jti": jti,
            "iat": now.as_second(), "exp": (now + LOGOUT_LIFETIME).as_second(),
            "events": { EVENT: {} },
        });
        self.signed(KIND, &claims)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_logout_token_says_which_session_has_ended_and_is_no_id_token() {
        let key = SigningKey::generate();
        let ended =
            Ended { client: ClientId::new(), user: UserId::new(), session: SessionId::new() };
        let now = Timestamp::UNIX_EPOCH;
        let token = key.sign_logout("https://id.example.org", ended, ("one", now));
        let part = |place| -> Value {
            let text = URL_SAFE_NO_PAD.decode(token.split('.').nth(place).unwrap()).unwrap();
            serde_json::from_slice(&text).unwrap()
        };
        assert_eq!(part(0), json!({ "typ": "logout+jwt", "alg": "ES256", "kid": key.kid() }));
        let wanted = json!({
            "iss": "https://id.example.org", "aud": ended.client, "sub": ended.user,
            "sid": ended.session, "jti": "one", "iat": 0, "exp": 120, "events": { EVENT: {} },
        });
        assert_eq!(part(1), wanted);
        assert_eq!(key.verify(&token, "https://id.example.org"), None, "as an id_token_hint");
    }
}
