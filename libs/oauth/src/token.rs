//! What a client asks of the token endpoint (RFC 6749, 3.2) and of those beside it.

use openframe_ids::FamilyId;
use openframe_tokens::opaque::{Purpose, Secret, SecretHash, open, read};

use crate::{Client, Code, Form, GrantType, Refusal, Scopes};

/// A request for tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRequest {
    /// For a code.
    Code {
        /// The family that the code names.
        family: FamilyId,
        /// The code.
        code: SecretHash,
        /// Where it was sent.
        redirect_uri: Option<String>,
        /// The proof.
        verifier: Option<String>,
    },
    /// For a refresh token.
    Refresh {
        /// The family that the token names.
        family: FamilyId,
        /// The token.
        secret: Secret,
        /// What is wanted; all if nothing is said.
        scopes: Option<Scopes>,
    },
    /// For what a person allows on another device (RFC 8628, 3.4).
    Device {
        /// The family that it becomes.
        family: FamilyId,
        /// The device code.
        code: SecretHash,
    },
    /// For the client itself.
    OwnBehalf {
        /// What is wanted; all if nothing is said.
        scopes: Option<Scopes>,
    },
}

impl TokenRequest {
    /// Reads a request.
    pub fn read(form: &Form) -> Result<Self, Refusal> {
        let grant = form.need("grant_type", "the grant_type is missing")?;
        let unknown = Refusal::new(Code::UnsupportedGrantType, "there is no such grant_type here");
        match GrantType::read(grant).ok_or(unknown)? {
            GrantType::AuthorizationCode => {
                let code = form.need("code", "the code is missing")?;
                let shown = read(Purpose::AuthorizationCode, code).ok_or(Refusal::grant())?;
                let text = |name| form.get(name).map(str::to_owned);
                let (redirect_uri, verifier) = (text("redirect_uri"), text("code_verifier"));
                Ok(Self::Code {
                    family: FamilyId(shown.id),
                    code: shown.hash,
                    redirect_uri,
                    verifier,
                })
            }
            GrantType::RefreshToken => {
                let token = form.need("refresh_token", "the refresh_token is missing")?;
                let (id, secret) = open(Purpose::RefreshToken, token).ok_or(Refusal::grant())?;
                Ok(Self::Refresh { family: FamilyId(id), secret, scopes: scopes(form)? })
            }
            GrantType::DeviceCode => {
                let code = form.need("device_code", "the device_code is missing")?;
                let shown = read(Purpose::DeviceCode, code).ok_or(Refusal::grant())?;
                Ok(Self::Device { family: FamilyId(shown.id), code: shown.hash })
            }
            GrantType::ClientCredentials => Ok(Self::OwnBehalf { scopes: scopes(form)? }),
        }
    }
}

fn scopes(form: &Form) -> Result<Option<Scopes>, Refusal> {
    form.get("scope").map(Scopes::read).transpose()
}

impl Client {
    /// What the client may have for itself, of what it wants. Scopes about a person are none: there is
    /// no person.
    pub fn own_scopes(
        &self,
        wanted: Option<&Scopes>,
        key: Option<&str>,
    ) -> Result<Scopes, Refusal> {
        self.needs(GrantType::ClientCredentials)?;
        self.needs_key(None, key)?;
        if !self.is_confidential() {
            let open = "a client without a secret cannot show that it is itself";
            return Err(Refusal::new(Code::UnauthorizedClient, open));
        }
        let own = self.scopes.without_personal();
        let scopes = wanted.unwrap_or(&own);
        if scopes.is_empty() || !scopes.within(&own) {
            let more = "the client may not have all of these scopes for itself";
            return Err(Refusal::new(Code::InvalidScope, more));
        }
        Ok(scopes.clone())
    }
}

/// A token that is shown to be looked at (RFC 7662) or revoked (RFC 7009). What its maker calls it is
/// not needed: the token says so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownToken {
    /// An access token.
    Access {
        /// The family that it names.
        family: FamilyId,
        /// Its hash.
        hash: SecretHash,
    },
    /// A refresh token.
    Refresh {
        /// The family that it names.
        family: FamilyId,
        /// Its hash.
        hash: SecretHash,
    },
}

impl ShownToken {
    /// The token in a form; `Ok(None)` if it cannot be one of ours, which is no mistake of the form.
    pub fn read(form: &Form) -> Result<Option<Self>, Refusal> {
        let text = form.need("token", "the token is missing")?;
        let access = read(Purpose::AccessToken, text)
            .map(|shown| Self::Access { family: FamilyId(shown.id), hash: shown.hash });
        let refresh = || {
            let shown = read(Purpose::RefreshToken, text)?;
            Some(Self::Refresh { family: FamilyId(shown.id), hash: shown.hash })
        };
        Ok(access.or_else(refresh))
    }

    /// The family that it names.
    pub fn family(&self) -> FamilyId {
        match self {
            Self::Access { family, .. } | Self::Refresh { family, .. } => *family,
        }
    }
}

#[cfg(test)]
mod tests {
    use openframe_tokens::opaque::mint;
    use uuid::Uuid;

    use super::*;

    fn request(form: &str) -> Result<TokenRequest, Refusal> {
        TokenRequest::read(&Form::read(form.as_bytes()).unwrap())
    }

    #[test]
    fn each_grant_is_read() {
        let id = Uuid::from_u128(7);
        let code = mint(Purpose::AuthorizationCode, id).text;
        let form = format!("grant_type=authorization_code&code={code}&code_verifier=v");
        assert!(matches!(
            request(&form),
            Ok(TokenRequest::Code { family: FamilyId(named), redirect_uri: None, verifier: Some(_), .. })
                if named == id
        ));
        let token = mint(Purpose::RefreshToken, id).text;
        let form = format!("grant_type=refresh_token&refresh_token={token}&scope=a");
        assert!(matches!(request(&form), Ok(TokenRequest::Refresh { scopes: Some(_), .. })));
        assert_eq!(
            request("grant_type=client_credentials"),
            Ok(TokenRequest::OwnBehalf { scopes: None })
        );
    }

    // ASVS 10.4.4
    #[test]
    fn what_is_no_grant_is_refused() {
        let access = mint(Purpose::AccessToken, Uuid::from_u128(7)).text;
        for (form, code) in [
            ("", Code::InvalidRequest),
            ("grant_type=password&username=a&password=b", Code::UnsupportedGrantType),
            ("grant_type=implicit", Code::UnsupportedGrantType),
            ("grant_type=authorization_code", Code::InvalidRequest),
            ("grant_type=authorization_code&code=x", Code::InvalidGrant),
            ("grant_type=refresh_token", Code::InvalidRequest),
            (&*format!("grant_type=refresh_token&refresh_token={access}"), Code::InvalidGrant),
            ("grant_type=client_credentials&scope=%22", Code::InvalidScope),
        ] {
            assert_eq!(request(form).unwrap_err().code, code, "{form}");
        }
    }

    // ASVS 10.4.4, 10.4.11
    #[test]
    fn a_client_with_a_secret_gets_for_itself_what_it_was_registered_for() {
        let client = Client {
            id: openframe_ids::ClientId::new(),
            tenant: openframe_ids::TenantId::new(),
            name: "app".to_owned(),
            secret: Some(SecretHash([1; 32])),
            redirect_uris: Vec::new(),
            post_logout_uris: Vec::new(),
            backchannel_logout_uri: None,
            grants: [GrantType::ClientCredentials].into(),
            scopes: Scopes::read("openid devices:read alerts:write").unwrap(),
            keys: None,
            pkce: crate::Pkce::Required,
            demands: [].into(),
            created: jiff::Timestamp::UNIX_EPOCH,
        };
        let own = |client: &Client, wanted: Option<&str>| {
            let wanted = wanted.map(|text| Scopes::read(text).unwrap());
            client.own_scopes(wanted.as_ref(), None).map(String::from).map_err(|it| it.code)
        };
        assert_eq!(own(&client, None).unwrap(), "alerts:write devices:read");
        assert_eq!(own(&client, Some("devices:read")).unwrap(), "devices:read");
        for more in ["", "openid", "users:manage", "devices:read users:manage"] {
            assert_eq!(own(&client, Some(more)), Err(Code::InvalidScope), "{more}");
        }
        let public = Client { secret: None, ..client.clone() };
        assert_eq!(own(&public, None), Err(Code::UnauthorizedClient));
        let other = Client { grants: [GrantType::AuthorizationCode].into(), ..client };
        assert_eq!(own(&other, None), Err(Code::UnauthorizedClient));
    }

    #[test]
    fn a_shown_token_says_what_it_is() {
        let id = Uuid::from_u128(7);
        for purpose in [Purpose::AccessToken, Purpose::RefreshToken] {
            let form = format!("token={}", mint(purpose, id).text);
            let shown = ShownToken::read(&Form::read(form.as_bytes()).unwrap()).unwrap().unwrap();
            let access = matches!(shown, ShownToken::Access { .. });
            assert_eq!((shown.family().0, access), (id, purpose == Purpose::AccessToken));
        }
        let other = Form::read(b"token=x").unwrap();
        assert_eq!(ShownToken::read(&other), Ok(None));
        assert!(ShownToken::read(&Form::default()).is_err());
    }
}
