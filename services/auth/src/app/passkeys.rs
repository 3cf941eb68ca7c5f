//! The passkeys of people: registering, naming and removing them.

use openframe_ids::{PasskeyId, UserId};
use openframe_tokens::Permission;

use super::factors::new_codes;
use super::passkey_shown::{Ceremony, unmade};
use super::{Asked, Auth, Origin, PasskeyAsked, PasskeyShown, SignedIn, in_session, need_whole};
use crate::Error;
use crate::domain::{Event, PASSKEYS_MAX, Passkey, User, name};
use crate::store::{Added, Removed};

/// What people are told of by mail.
const ADDED: &str = "A passkey was added";
const GONE: &str = "A passkey was removed";

/// A passkey that was registered.
pub struct NewPasskey {
    /// It.
    pub passkey: Passkey,
    /// The session, with another secret.
    pub session: SignedIn,
    /// Recovery codes, if it is the person's first factor: the only time they are seen.
    pub recovery_codes: Vec<String>,
}

fn named(typed: &str) -> Result<String, Error> {
    let wrong = || Error::Invalid("a passkey has a name of 1 to 200 characters".to_owned());
    name(typed).ok_or_else(wrong)
}

impl Auth {
    /// The passkeys of the person who asks, oldest first.
    pub async fn passkeys(&self, asked: &Asked) -> Result<Vec<Passkey>, Error> {
        let (user, _) = in_session(&asked.caller)?;
        Ok(self.store.passkeys.list(user).await?)
    }

    /// Asks the browser of the person who asks for a new passkey.
    pub async fn ask_new_passkey(&self, asked: &Asked) -> Result<PasskeyAsked, Error> {
        let user = self.person_in_session(asked).await?;
        let (_, session) = in_session(&asked.caller)?;
        self.fresh(asked).await?;
        let site = self.site()?;
        let own = self.store.passkeys.list(user.id).await?;
        if own.len() >= PASSKEYS_MAX {
            return Err(Error::PasskeysFull);
        }
        let have: Vec<_> = own.into_iter().map(|it| it.credential).collect();
        let wanted = site.register(user.id, (&user.email, &user.name), &have);
        Ok(self.held(Ceremony::Register(session), wanted.map_err(unmade)?))
    }

    /// Registers the passkey that the browser has made. Every other session of the person ends; this one
    /// has another secret.
    pub async fn add_passkey(
        &self,
        asked: &Asked,
        typed: &str,
        shown: PasskeyShown<'_>,
    ) -> Result<NewPasskey, Error> {
        let user = self.person_in_session(asked).await?;
        let (_, session) = in_session(&asked.caller)?;
        self.fresh(asked).await?;
        let (site, name) = (self.site()?, named(typed)?);
        let event = self.event(asked, "passkey.add", user.id);
        let state = self.challenge(Ceremony::Register(session), shown.held).await?;
        let made = match site.registered(&state, shown.credential) {
            Ok(made) => made,
            Err(refusal) => {
                self.refused(Event { detail: refusal.to_string(), ..event }, None).await;
                return Err(Error::WrongPasskey);
            }
        };
        let passkey = Passkey {
            id: PasskeyId::new(),
            tenant: user.tenant,
            user: user.id,
            name,
            credential: made.id,
            key: made.key,
            counter: made.counter,
            created: self.now(),
            last_used: None,
        };
        let event = Event { target: passkey.id.to_string(), ..event };
        let (codes, hashes) = new_codes();
        let recovery_codes =
            match self.store.passkeys.add(&passkey, &hashes, session, &event).await? {
                Added::First => codes,
                Added::More => Vec::new(),
                Added::Full => return Err(Error::PasskeysFull),
                Added::Taken => return Err(Error::PasskeyTaken),
                Added::Refused => return Err(Error::NotSignedIn),
            };
        self.tell_by_mail(&user, ADDED, &asked.origin).await;
        let session = self.renew_with_passkey(asked, user).await?;
        Ok(NewPasskey { passkey, session, recovery_codes })
    }

    /// The session is worth what was shown in it, the new passkey included.
    async fn renew_with_passkey(&self, asked: &Asked, user: User) -> Result<SignedIn, Error> {
        let (_, session) = in_session(&asked.caller)?;
        let before = self.store.sessions.get(session).await?.ok_or(Error::NotSignedIn)?;
        self.renew_session(asked, user, before.amr.with_passkey()).await
    }

    /// Gives one of the own passkeys another name.
    pub async fn rename_passkey(
        &self,
        asked: &Asked,
        id: PasskeyId,
        typed: &str,
    ) -> Result<(), Error> {
        let (user, _) = in_session(&asked.caller)?;
        let (whose, name) = ((asked.caller.tenant, user), named(typed)?);
        let event = self.event(asked, "passkey.rename", id);
        let done = self.store.passkeys.rename(whose, id, &name, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("passkey")) }
    }

    /// Removes one of the own passkeys; with the last factor go the recovery codes. Every other session
    /// ends.
    pub async fn remove_passkey(&self, asked: &Asked, id: PasskeyId) -> Result<(), Error> {
        let (user, session) = in_session(&asked.caller)?;
        self.fresh(asked).await?;
        let person = self.person_in_session(asked).await?;
        let whose = (asked.caller.tenant, user);
        let required = self.store.settings.get(whose.0).await?.second_factor_required;
        let event = self.event(asked, "passkey.remove", id);
        let removed =
            self.store.passkeys.remove((whose, id), Some(session), required, &event).await?;
        gone(removed, "passkey")?;
        self.tell_by_mail(&person, GONE, &asked.origin).await;
        Ok(())
    }

    /// The passkeys of somebody, for who manages people.
    pub async fn passkeys_of(&self, asked: &Asked, id: UserId) -> Result<Vec<Passkey>, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        let person = self.store.people.get(asked.caller.tenant, id).await?;
        let person = person.ok_or(Error::Missing("person"))?;
        Ok(self.store.passkeys.list(person.id).await?)
    }

    /// Removes a passkey of somebody who has lost it; ends all of that person's sessions.
    pub async fn remove_passkey_of(
        &self,
        asked: &Asked,
        (user, id): (UserId, PasskeyId),
    ) -> Result<(), Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        let whose = (asked.caller.tenant, user);
        let event = self.event(asked, "passkey.remove", id);
        gone(self.store.passkeys.remove((whose, id), None, false, &event).await?, "passkey")?;
        // Who has done it is not where that person is.
        if let Some(person) = self.store.people.get(whose.0, user).await? {
            self.tell_by_mail(&person, GONE, &Origin::default()).await;
        }
        Ok(())
    }
}

/// What becomes of a removal, as the one who wanted it is told.
pub(super) fn gone(removed: Removed, what: &'static str) -> Result<(), Error> {
    match removed {
        Removed::Done => Ok(()),
        Removed::Missing => Err(Error::Missing(what)),
        Removed::Last => Err(Error::FactorRequired),
    }
}
