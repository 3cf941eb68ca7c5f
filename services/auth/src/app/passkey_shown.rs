//! Passkeys that a browser shows: what it is asked for, and what that is worth.
//!
//! A challenge is held by the browser that is to answer it, sealed, so that strangers who ask for many fill
//! no store. It opens for what it was made for and nothing else: this browser's registration, sign-in,
//! second step or step-up, in this session or half sign-in. It is used up by the first answer, right or
//! wrong, whichever replica that comes to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use openframe_ids::{SessionId, SignInId, UserId};
use openframe_oauth::{Amr, OneTime};
use openframe_passkeys::{Asked as AskedFor, Passkeys, Refusal, Shown};
use openframe_tokens::opaque::SecretHash;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Asked, Auth, Origin, SignedIn, in_session};
use crate::Error;
use crate::domain::{Event, Passkey, User};
use crate::store::Use;

/// How long a challenge waits for its answer.
pub(super) const CHALLENGE_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// The longest challenge that a browser brings back, in characters: none that we made is longer.
const HELD_MAX: usize = 4096;

/// What its person is told of by mail.
const COPIED: &str = "A passkey was refused, because there may be a copy of it";

/// What a passkey is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceremony {
    /// To be registered in a session.
    Register(SessionId),
    /// To sign in, by it alone.
    SignIn,
    /// To sign in after a password.
    SecondStep(SignInId),
    /// To make a session fresh.
    StepUp(SessionId),
}

impl Ceremony {
    /// What its challenges belong to.
    fn place(self) -> String {
        match self {
            Self::Register(session) => format!("passkey to register {session}"),
            Self::SignIn => "passkey to sign in".to_owned(),
            Self::SecondStep(half) => format!("passkey after a password {half}"),
            Self::StepUp(session) => format!("passkey to step up {session}"),
        }
    }
}

/// What a browser is asked for.
#[derive(Debug)]
pub struct PasskeyAsked {
    /// For `navigator.credentials`.
    pub options: Value,
    /// The challenge as the browser holds it until it answers; nobody else can read it.
    pub held: String,
}

/// What a browser answers.
#[derive(Debug, Clone, Copy)]
pub struct PasskeyShown<'a> {
    /// What `navigator.credentials` has given.
    pub credential: &'a Value,
    /// The challenge that it holds.
    pub held: Option<&'a str>,
}

/// Why a passkey gets nobody in, and whose it is if that is sure.
struct Denied {
    why: String,
    user: Option<User>,
    copied: bool,
}

impl Denied {
    fn by(why: &impl ToString, user: Option<User>) -> Self {
        Self { why: why.to_string(), user, copied: false }
    }
}

impl Auth {
    /// Whether there are passkeys here: the platform is reached by a name, over TLS.
    pub fn has_passkeys(&self) -> bool {
        self.passkeys.is_some()
    }

    pub(super) fn site(&self) -> Result<&Passkeys, Error> {
        self.passkeys.as_ref().ok_or(Error::NoPasskeys)
    }

    /// Asks for any passkey of this site, to sign in by it alone. The answer tells nothing of anybody.
    pub fn ask_passkey(&self) -> Result<PasskeyAsked, Error> {
        Ok(self.held(Ceremony::SignIn, self.site()?.ask(&[]).map_err(unmade)?))
    }

    /// Asks whoever has begun to sign in for one of the own passkeys.
    pub async fn ask_second_passkey(&self, half: Option<&str>) -> Result<PasskeyAsked, Error> {
        let (half, user) = self.half(half).await?;
        self.ask_own(Ceremony::SecondStep(half.id), user.id).await
    }

    /// Asks whoever is signed in for one of the own passkeys.
    pub async fn ask_step_up_passkey(&self, asked: &Asked) -> Result<PasskeyAsked, Error> {
        let (user, session) = in_session(&asked.caller)?;
        self.ask_own(Ceremony::StepUp(session), user).await
    }

    async fn ask_own(&self, ceremony: Ceremony, user: UserId) -> Result<PasskeyAsked, Error> {
        let own = self.store.passkeys.list(user).await?;
        if own.is_empty() {
            return Err(Error::Missing("passkey"));
        }
        let ids: Vec<_> = own.into_iter().map(|it| it.credential).collect();
        Ok(self.held(ceremony, self.site()?.ask(&ids).map_err(unmade)?))
    }

    pub(super) fn held(&self, ceremony: Ceremony, asked: AskedFor) -> PasskeyAsked {
        let until = self.now() + CHALLENGE_LIFETIME;
        let kept = [&until.as_millisecond().to_be_bytes(), asked.state.as_slice()].concat();
        let sealed = self.challenges.seal(&ceremony.place(), &kept);
        PasskeyAsked { options: asked.options, held: URL_SAFE_NO_PAD.encode(sealed) }
    }

    /// Uses up the challenge that a browser holds.
    pub(super) async fn challenge(
        &self,
        ceremony: Ceremony,
        held: Option<&str>,
    ) -> Result<Vec<u8>, Error> {
        let sealed = held.filter(|it| it.len() <= HELD_MAX).and_then(decoded);
        let kept = sealed.and_then(|it| self.challenges.open(&ceremony.place(), &it).ok());
        let kept = kept.ok_or(Error::LatePasskey)?;
        let (until, state) = kept.split_first_chunk().ok_or(Error::LatePasskey)?;
        let until = Timestamp::from_millisecond(i64::from_be_bytes(*until)).unwrap_or_default();
        if until <= self.now() {
            return Err(Error::LatePasskey);
        }
        let hash = Sha256::new().chain_update("passkey challenge\0").chain_update(state).finalize();
        let once = OneTime { hash: SecretHash(hash.into()), until };
        if !self.store.one_times.spend(&once).await? {
            return Err(Error::LatePasskey);
        }
        Ok(state.to_vec())
    }

    /// Signs in by a passkey alone: it is something that one has, and its authenticator has seen to who
    /// has it. The session that the same browser had before ends.
    pub async fn sign_in_by_passkey(
        &self,
        shown: PasskeyShown<'_>,
        old_session: Option<&str>,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let signing_in = async {
            let action = ("session.create", origin);
            let user = self.use_passkey(Ceremony::SignIn, shown, None, action).await?;
            self.open_session(user, (Amr::Passkey, self.now()), origin).await
        };
        let opened = self.limited("session.create", None, origin, signing_in).await?;
        if let Some(old) = old_session {
            self.end_session_of(old, origin).await?;
        }
        Ok(opened)
    }

    /// Ends a sign-in that a browser shows with one of the person's passkeys.
    pub async fn finish_by_passkey(
        &self,
        half: Option<&str>,
        shown: PasskeyShown<'_>,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let finishing = async {
            let (half, user) = self.half(half).await?;
            let (ceremony, whose) = (Ceremony::SecondStep(half.id), Some(user.id));
            let action = ("session.create", origin);
            let user = self.use_passkey(ceremony, shown, whose, action).await?;
            if !self.store.sign_ins.end(half.id).await? {
                return Err(Error::BadSignIn);
            }
            self.open_session(user, (half.amr.with_passkey(), self.now()), origin).await
        };
        self.limited("session.create", None, origin, finishing).await
    }

    /// Uses a passkey, of this person if it must be one's, for an action. Whoever shows one that is not
    /// good learns nothing of why: neither whether there is such a one, nor whose.
    pub(super) async fn use_passkey(
        &self,
        ceremony: Ceremony,
        shown: PasskeyShown<'_>,
        whose: Option<UserId>,
        (action, origin): (&str, &Origin),
    ) -> Result<User, Error> {
        let site = self.site()?;
        let state = self.challenge(ceremony, shown.held).await?;
        let denied = match self.check_passkey((site, &state), shown.credential, whose).await? {
            Ok(user) => return Ok(user),
            Err(denied) => denied,
        };
        let known = denied.user.as_ref().map(|user| user.id).or(whose);
        let who = known.map_or(("nobody", String::new()), |user| ("user", user.to_string()));
        let target = known.map(|user| user.to_string()).unwrap_or_default();
        let event = self.event_by(who, origin, action, target);
        self.metrics.sign_ins_refused.inc();
        self.refused(Event { detail: denied.why, ..event }, None).await;
        if let Some(user) = denied.user.filter(|_| denied.copied) {
            self.tell_by_mail(&user, COPIED, origin).await;
        }
        Err(if ceremony == Ceremony::SignIn { Error::BadPasskey } else { Error::WrongPasskey })
    }

    async fn check_passkey(
        &self,
        (site, state): (&Passkeys, &[u8]),
        credential: &Value,
        whose: Option<UserId>,
    ) -> Result<Result<User, Denied>, Error> {
        let shown = match Shown::read(credential) {
            Ok(shown) => shown,
            Err(refusal) => return Ok(Err(Denied::by(&refusal, None))),
        };
        let kept = self.store.passkeys.by_credential(self.tenant, shown.id()).await?;
        let checked = site.check(state, &shown, kept.as_ref().map(|it| it.key.as_str()));
        let Some(kept) = kept else {
            return Ok(Err(Denied::by(&"nobody's passkey", None)));
        };
        match checked {
            Ok((key, counter)) => {
                let to = Use { key: &key, counter, at: self.now() };
                self.owner_of(&kept, &shown, whose, to).await
            }
            Err(Refusal::Copied) => Ok(Err(self.copied(&kept).await?)),
            Err(refusal) => Ok(Err(Denied::by(&refusal, None))),
        }
    }

    /// Whom a passkey lets in whose signature is right.
    async fn owner_of(
        &self,
        kept: &Passkey,
        shown: &Shown,
        whose: Option<UserId>,
        to: Use<'_>,
    ) -> Result<Result<User, Denied>, Error> {
        // By itself it has to say whose it is (WebAuthn, 7.2, step 6).
        let own = match shown.user() {
            Ok(said) => said.or(whose) == Some(kept.user) && whose.is_none_or(|it| it == kept.user),
            Err(_) => false,
        };
        if !own {
            return Ok(Err(Denied::by(&"another person's passkey", None)));
        }
        let Some(user) = self.if_enabled(kept.tenant, kept.user).await? else {
            return Ok(Err(Denied::by(&"sign-in is refused to its person", None)));
        };
        // One that is shown twice at once has one counter: one of both is the copy.
        if !self.store.passkeys.used(kept.id, to).await? {
            return Ok(Err(self.copied(kept).await?));
        }
        Ok(Ok(user))
    }

    async fn copied(&self, kept: &Passkey) -> Result<Denied, Error> {
        let user = self.store.people.get(kept.tenant, kept.user).await?;
        Ok(Denied { copied: true, ..Denied::by(&Refusal::Copied, user) })
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// What is asked for cannot be made: nothing that a browser has sent.
pub(super) fn unmade(refusal: Refusal) -> Error {
    Error::Damaged(Box::new(refusal))
}
