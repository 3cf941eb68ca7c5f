//! Links by which a person chooses a new password: who manages people may hand one out, and never
//! learns the password (OWASP ASVS 5.0, 6.4.6); who has forgotten a password asks for one by mail.

use jiff::{SignedDuration, Timestamp};
use openframe_ids::UserId;
use openframe_tokens::Permission;
use openframe_tokens::opaque::{Purpose, mint, read};

use super::people::checked_email;
use super::{Asked, Auth, Entered, Origin, need_whole};
use crate::Error;
use crate::domain::{Letter, MailKind, PasswordLink, password_fault};
use crate::store::Turn;

/// How long a link is good: it is handed over by a person.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// How long one is good that comes by mail.
const MAILED_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// A link just made.
#[derive(Debug)]
pub struct MadeLink {
    /// Where the person goes: the only time it is seen.
    pub url: String,
    /// When it is good no more.
    pub expires: Timestamp,
}

impl Auth {
    /// Makes a link for a person. The one before is dead; the password stays until it is used.
    pub async fn create_password_link(&self, asked: &Asked, id: UserId) -> Result<MadeLink, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        self.need_not_below(asked, id).await?;
        let minted = mint(Purpose::PasswordLink, id.0);
        let expires = self.now() + LIFETIME;
        let link = PasswordLink { user: id, secret: minted.hash, mailed: false, expires };
        let event = self.event(asked, "password_link.create", id);
        if !self.store.people.add_password_link(asked.caller.tenant, link, &event).await? {
            return Err(Error::Missing("person who may sign in"));
        }
        Ok(MadeLink { url: self.password_url(&minted.text), expires })
    }

    /// Where a link leads: below the address of the settings, whatever address was asked at.
    fn password_url(&self, token: &str) -> String {
        format!("{}/password#token={token}", self.own_url())
    }

    /// Has a link sent to whoever has this mail address. Whether anybody has is decided later: the answer
    /// and the work are the same.
    pub async fn ask_password_link(&self, typed: &str, origin: &Origin) -> Result<(), Error> {
        if !self.sends_mail() {
            return Err(Error::NoMail);
        }
        let account = checked_email(typed)?;
        let who = ("nobody", account.clone());
        let event = self.event_by(who, origin, "password_link.ask", "");
        self.may_ask_for_mail(&account, origin, &event).await?;
        let ends = self.now() + MAILED_LIFETIME;
        let wish = self.sealed_mail(MailKind::LinkAsked, &account, ends);
        Ok(self.store.mails.add(&wish, Some(&event)).await?)
    }

    /// Makes the letter that somebody has asked for, if anybody has the address.
    pub(super) async fn answer_wish(&self, turn: Turn, account: &str) -> Result<(), Error> {
        let mails = &self.store.mails;
        let user = self.store.people.by_email(self.tenant, account).await?;
        let Some(user) = user.filter(|user| !user.disabled) else {
            mails.remove(turn, self.tenant, None).await?;
            return Ok(());
        };
        let minted = mint(Purpose::PasswordLink, user.id.0);
        let expires = self.now() + MAILED_LIFETIME;
        let link = PasswordLink { user: user.id, secret: minted.hash, mailed: true, expires };
        let (own, url) = (self.own_url(), self.password_url(&minted.text));
        let text = format!(
            "Somebody, you we hope, has asked for a new password for {account} at {own}\n\n\
             Choose it here within 15 minutes. The link is good once:\n\n{url}\n\n\
             If it was not you, there is nothing to do: your password stays as it is.\n"
        );
        let subject = "Choose a new password".to_owned();
        let letter = Letter { to: user.email, subject, text }.written();
        let letter = self.sealed_mail(MailKind::PasswordLink, &letter, expires);
        let event = self.own_event("password_link.create", user.id);
        if !mails.answer_wish(turn, link, &letter, &event).await? {
            // The person has just been disabled or has not joined yet, or it is another replica's turn, which says so too.
            mails.remove(turn, self.tenant, None).await?;
        }
        Ok(())
    }

    /// Sets the password that the holder of a link chooses, and signs in: as far as a password goes. All
    /// other sessions of that person end.
    pub async fn use_password_link(
        &self,
        token: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<Entered, Error> {
        let choosing = self.use_password_link_now(token, password, origin);
        self.limited("password_link.use", None, origin, choosing).await
    }

    async fn use_password_link_now(
        &self,
        token: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<Entered, Error> {
        if let Some(fault) = password_fault(password) {
            return Err(Error::Invalid(fault.to_owned()));
        }
        let shown = read(Purpose::PasswordLink, token).ok_or(Error::BadPasswordLink)?;
        let (id, to) = (UserId(shown.id), self.passwords.hash(password).await?);
        let who = ("user", id.to_string());
        let event = self.event_by(who, origin, "password_link.use", id);
        let whose = (self.tenant, id);
        let used = self.store.people.use_password_link(whose, shown.hash, &to, &event).await?;
        let Some(user) = used else {
            let nobody = ("nobody", String::new());
            self.refused(self.event_by(nobody, origin, "password_link.use", id), None).await;
            return Err(Error::BadPasswordLink);
        };
        self.tell_by_mail(&user, "Your password was changed", origin).await;
        self.after_password(user, origin).await
    }
}
