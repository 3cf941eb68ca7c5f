//! A client, what is kept of its family, and the time.

use std::collections::BTreeSet;

use openframe_tokens::opaque::{Purpose, open, read};

use super::super::*;
use crate::{Form, Pkce, RedirectUri};

pub(super) const REDIRECT: &str = "https://app.example.org/cb";
/// The example of RFC 7636, appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[derive(Clone)]
pub(super) struct World {
    pub(super) client: Client,
    pub(super) family: Option<Family>,
    pub(super) now: Timestamp,
    pub(super) noted: Vec<Noted>,
    /// The key that the client shows proof of.
    pub(super) key: Option<&'static str>,
    code: String,
    drawn: u64,
}

impl World {
    /// Somebody has just allowed the client something.
    pub(super) fn new() -> Self {
        Self::with_challenge(Some(CHALLENGE))
    }

    pub(super) fn with_challenge(challenge: Option<&str>) -> Self {
        Self::with(challenge, "")
    }

    /// A request with more parameters.
    pub(super) fn with(challenge: Option<&str>, more: &str) -> Self {
        let scopes = Scopes::read("openid offline_access devices:read").unwrap();
        let client = Client {
            id: ClientId::new(),
            tenant: TenantId::new(),
            name: "app".to_owned(),
            secret: Some(Secret::new([1; 32]).hash()),
            redirect_uris: vec![RedirectUri::register(REDIRECT).unwrap()],
            post_logout_uris: Vec::new(),
            backchannel_logout_uri: None,
            grants: BTreeSet::from(GrantType::ALL),
            scopes: scopes.clone(),
            keys: None,
            pkce: Pkce::Waived,
            demands: [].into(),
            created: Timestamp::UNIX_EPOCH,
        };
        let proof = challenge.map(|it| format!("&code_challenge={it}&code_challenge_method=S256"));
        let request = format!(
            "response_type=code&redirect_uri={REDIRECT}&nonce=n&scope={}{}{more}",
            scopes.to_string().replace(' ', "+"),
            proof.unwrap_or_default()
        );
        let form = Form::read(request.as_bytes()).unwrap();
        let ask = Ask::read(&form, &client, ("https://id.example.org", None)).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let who = SignedIn {
            user: UserId::new(),
            session: SessionId::new(),
            auth_time: now,
            amr: Amr::TwoFactors,
            allowed: Scopes::default(),
        };
        let at = (FamilyId::new(), now);
        let (family, code) = Family::granted((&ask, &client), &who, at, &mut || [0; 32]);
        Self { client, family: Some(family), now, noted: Vec::new(), key: None, code, drawn: 0 }
    }

    pub(super) fn wait(&mut self, time: SignedDuration) {
        self.now += time;
    }

    pub(super) fn exchange(&mut self, verifier: &str) -> Result<Issued, Refusal> {
        self.exchange_with(Some(verifier), Some(REDIRECT))
    }

    pub(super) fn exchange_with(
        &mut self,
        verifier: Option<&str>,
        redirect_uri: Option<&str>,
    ) -> Result<Issued, Refusal> {
        let code = read(Purpose::AuthorizationCode, &self.code).unwrap().hash;
        let shown = Exchange { code, redirect_uri, verifier, key: self.key };
        self.step(|family, client, now, random| family.exchange(client, shown, now, random))
    }

    pub(super) fn refresh(&mut self, held: &Issued) -> Result<Issued, Refusal> {
        self.refresh_for(held, None)
    }

    pub(super) fn refresh_for(
        &mut self,
        held: &Issued,
        scopes: Option<&Scopes>,
    ) -> Result<Issued, Refusal> {
        let key = self.key;
        let (_, secret) = open(Purpose::RefreshToken, held.refresh.as_ref().unwrap()).unwrap();
        self.step(|family, client, now, random| {
            family.refresh(client, (&secret, scopes, key), now, random)
        })
    }

    fn step(
        &mut self,
        take: impl FnOnce(&Family, &Client, Timestamp, Random<'_>) -> Step,
    ) -> Result<Issued, Refusal> {
        let Some(family) = &self.family else { return Err(Refusal::grant()) };
        let mut drawn = self.drawn;
        let mut random = || {
            drawn += 1;
            let mut bytes = [2; 32];
            bytes[..8].copy_from_slice(&drawn.to_be_bytes());
            bytes
        };
        let step = take(family, &self.client, self.now, &mut random);
        self.drawn = drawn;
        match step.write {
            Some(Write::Keep(next)) => {
                assert_eq!(next.version, family.version + 1);
                assert_eq!(Phase::from_text(&next.phase.to_text()).unwrap(), next.phase);
                self.family = Some(*next);
            }
            Some(Write::End) => self.family = None,
            None => {}
        }
        self.noted.extend(step.noted);
        step.answer
    }

    /// Whether an access token is good; like every use, proof that it has arrived.
    pub(super) fn reaches(&mut self, access: &str) -> bool {
        let hash = read(Purpose::AccessToken, access).unwrap().hash;
        let Some(family) = &self.family else { return false };
        let good = family.access(hash, self.now).is_some();
        if let Some(next) = good.then(|| family.received(hash)).flatten() {
            self.family = Some(next);
        }
        good
    }
}

pub(super) fn copy(issued: &Issued) -> Issued {
    Issued {
        access: issued.access.clone(),
        expires: issued.expires,
        bound: false,
        scopes: issued.scopes.clone(),
        refresh: issued.refresh.clone(),
        about: issued.about.clone(),
    }
}
