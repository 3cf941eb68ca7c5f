//! The first owner, and signing in.

use jiff::SignedDuration;
use openframe_ids::{ApiKeyId, SessionId, UserId};
use openframe_tokens::opaque::{Presented, Purpose, SecretHash, csrf_token, mint, read};
use openframe_tokens::{Permission, Role, Subject};

use super::{Auth, NewPerson, Origin};
use crate::Error;
use crate::domain::{ApiKey, Session, SetupToken, User, email, network};
use crate::store::SetUp;

/// A session just opened.
pub struct SignedIn {
    /// Whose it is.
    pub user: User,
    /// The session.
    pub session: SessionId,
    /// The cookie's value: the only time it is seen.
    pub secret: String,
    /// What `x-csrf-token` must be.
    pub csrf_token: String,
}

/// How long a setup token is good.
const SETUP_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How long the key of `--bootstrap-key` lasts.
const BOOTSTRAP_LIFE: SignedDuration = SignedDuration::from_hours(24 * 365);

impl Auth {
    /// Whether the first owner who can sign in is still to be made. An owner who exists only by an
    /// API key does not count: people could never get in.
    pub async fn setup_needed(&self) -> Result<bool, Error> {
        Ok(!self.store.people.owner_signs_in(self.tenant).await?)
    }

    /// Makes a token with which the first owner is made. It is good for a day beside the newest of
    /// those before: each replica that starts shows its own. `None` when there is an owner who can
    /// sign in already.
    pub async fn issue_setup_token(&self) -> Result<Option<String>, Error> {
        let minted = mint(Purpose::Setup, self.tenant.0);
        let event = self.own_event("setup_token.create", "");
        let token = SetupToken { secret: minted.hash, expires: self.now() + SETUP_LIFE };
        let added = self.store.people.add_setup_token(self.tenant, token, &event).await?;
        Ok(added.then_some(minted.text))
    }

    /// Makes the first owner and signs in. Every setup token is dead afterwards.
    pub async fn set_up(
        &self,
        token: &str,
        person: NewPerson,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        self.limited("setup", None, origin, self.set_up_now(token, person, origin)).await
    }

    async fn set_up_now(
        &self,
        token: &str,
        person: NewPerson,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let people = &self.store.people;
        // Nothing has the hash of what is not a token.
        let shown = read(Purpose::Setup, token).map_or(SecretHash([0; 32]), |shown| shown.hash);
        let good = people.has_setup_token(self.tenant, shown, self.now()).await?;
        if !good || !self.setup_needed().await? {
            let event = self.event_by(("nobody", String::new()), origin, "setup", "");
            self.refused(event, None).await;
            return Err(Error::NoSetup);
        }
        let user = self.new_user(self.tenant, NewPerson { role: Role::Owner, ..person }).await?;
        let event = self.event_by(("nobody", String::new()), origin, "setup", user.id);
        match people.set_up(&user, shown, &event).await? {
            SetUp::Done => {}
            SetUp::Refused => return Err(Error::NoSetup),
            SetUp::EmailTaken => return Err(Error::EmailTaken),
        }
        tracing::info!(user.id = %user.id, "made the first owner {}", user.id);
        self.open_session(user, origin).await
    }

    /// Makes an owner who acts by `secret` only: a key that may do everything, for whoever can read
    /// the machine's files. Says `false` when there is somebody already. The caller keeps the
    /// secret before it asks, so that a crash in between costs nothing: asking again is harmless.
    pub async fn bootstrap(&self, secret: &str) -> Result<bool, Error> {
        let shown = read(Purpose::ApiKey, secret)
            .ok_or_else(|| Error::Invalid("the bootstrap key is damaged".to_owned()))?;
        let (id, now) = (ApiKeyId(shown.id), self.now());
        let user = User {
            id: UserId::new(),
            tenant: self.tenant,
            email: "bootstrap@openframe.invalid".to_owned(),
            name: "bootstrap".to_owned(),
            role: Role::Owner,
            disabled: false,
            // No password matches an empty hash.
            password: Vec::new(),
            created: now,
        };
        let key = ApiKey {
            id,
            tenant: self.tenant,
            owner: user.id,
            name: "bootstrap".to_owned(),
            scopes: Permission::ALL.map(|it| it.as_str().to_owned()).to_vec(),
            secret: shown.hash,
            created: now,
            expires: now + BOOTSTRAP_LIFE,
            last_used: None,
        };
        let mut event = self.own_event("bootstrap", user.id);
        event.detail = format!("key {id}");
        Ok(self.store.people.bootstrap(&user, &key, &event).await?)
    }

    /// Whether `secret` is an API key that is good now.
    pub async fn holds(&self, secret: &str) -> Result<bool, Error> {
        match self.resolve_key(secret).await {
            Ok(_) => Ok(true),
            Err(Error::NotSignedIn) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Signs in. Unknown people, wrong passwords and disabled people cost the same work and get the
    /// same answer. The session that the same browser had before ends.
    pub async fn log_in(
        &self,
        (typed, password): (&str, &str),
        old_session: Option<&str>,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let account = email(typed).unwrap_or_default();
        let signing_in = self.log_in_now(&account, password, origin);
        let signed_in = self.limited("session.create", Some(&account), origin, signing_in).await?;
        if let Some(old) = old_session {
            self.end_session_of(old, origin).await?;
        }
        Ok(signed_in)
    }

    async fn log_in_now(
        &self,
        account: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let user = self.store.people.by_email(self.tenant, account).await?;
        let kept = user.as_ref().map(|user| user.password.as_slice());
        let right = self.passwords.verify(password, kept).await?;
        let Some(user) = user.filter(|user| right && !user.disabled) else {
            self.metrics.sign_ins_refused.inc();
            let who = ("nobody", account.to_owned());
            self.refused(self.event_by(who, origin, "session.create", ""), None).await;
            return Err(Error::BadLogin);
        };
        self.open_session(user, origin).await
    }

    /// Lets a stranger try to get in, unless there were too many tries: then nothing is done for
    /// them at all. What failed for our own reasons is not counted as a try.
    pub(super) async fn limited(
        &self,
        action: &str,
        account: Option<&str>,
        origin: &Origin,
        trying: impl Future<Output = Result<SignedIn, Error>>,
    ) -> Result<SignedIn, Error> {
        let network = network(&origin.remote_address);
        if let Err(wait) = self.sign_ins.take(&network, account, self.now()) {
            self.metrics.sign_ins_refused.inc();
            let who = ("nobody", account.unwrap_or_default().to_owned());
            let mut event = self.event_by(who, origin, action, "");
            "too many tries".clone_into(&mut event.detail);
            self.refused(event, Some(&network)).await;
            return Err(Error::TooManyLogins(wait));
        }
        let tried = trying.await;
        match &tried {
            Ok(_) => self.sign_ins.forgive(&network, account, self.now()),
            Err(Error::Busy | Error::Store(_)) => {
                self.sign_ins.give_back(&network, account, self.now());
            }
            Err(_) => {}
        }
        tried
    }

    pub(super) async fn open_session(
        &self,
        user: User,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let (id, now) = (SessionId::new(), self.now());
        let minted = mint(Purpose::Session, id.0);
        let session = Session {
            id,
            tenant: user.tenant,
            user: user.id,
            secret: minted.hash,
            created: now,
            last_seen: now,
            expires: now + SignedDuration::from_hours(i64::from(self.config.session_hours)),
            remote_address: origin.remote_address.clone(),
            user_agent: origin.user_agent.chars().take(300).collect(),
        };
        let event = self.event_by(("user", user.id.to_string()), origin, "session.create", id);
        self.store.sessions.add(&session, &event).await?;
        self.metrics.sign_ins.inc();
        let csrf_token = csrf_token(&Presented { id: id.0, hash: minted.hash });
        Ok(SignedIn { user, session: id, secret: minted.text, csrf_token })
    }
}

/// A secret for [`Auth::bootstrap`].
pub fn new_bootstrap_secret() -> String {
    mint(Purpose::ApiKey, ApiKeyId::new().0).text
}

/// The platform itself, as the audit trail names it.
pub(super) fn itself() -> Subject {
    Subject::Service { name: "openframe".to_owned() }
}
