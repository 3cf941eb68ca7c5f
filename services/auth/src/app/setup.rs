//! The first owner.

use jiff::SignedDuration;
use openframe_ids::{ApiKeyId, UserId};
use openframe_tokens::opaque::{Purpose, SecretHash, mint, read};
use openframe_tokens::{Permission, Role, Subject};

use super::{Auth, Entered, NewPerson, Origin};
use crate::Error;
use crate::domain::{ApiKey, SetupToken, User};
use crate::store::SetUp;

/// How long a setup token is good.
pub(super) const SETUP_LIFE: SignedDuration = SignedDuration::from_hours(24);
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
    ) -> Result<Entered, Error> {
        self.limited("setup", None, origin, self.set_up_now(token, person, origin)).await
    }

    async fn set_up_now(
        &self,
        token: &str,
        person: NewPerson,
        origin: &Origin,
    ) -> Result<Entered, Error> {
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
        self.after_password(user, origin).await
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
            email_verified: false,
            name: "bootstrap".to_owned(),
            role: Role::Owner,
            disabled: false,
            // No password matches an empty hash.
            password: Vec::new(),
            created: now,
            invited: None,
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
}

/// A secret for [`Auth::bootstrap`].
pub fn new_bootstrap_secret() -> String {
    mint(Purpose::ApiKey, ApiKeyId::new().0).text
}

/// The platform itself, as the audit trail names it.
pub(super) fn itself() -> Subject {
    Subject::Service { name: "openframe".to_owned() }
}
