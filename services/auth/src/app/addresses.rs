//! A person's own mail address: another one is the person's once somebody has shown to read what is sent
//! there. Nobody is found by an address before.

use jiff::SignedDuration;
use openframe_ids::UserId;
use openframe_tokens::opaque::{Purpose, mint, read};

use super::people::checked_email;
use super::{Asked, Auth, Origin, in_session};
use crate::Error;
use crate::domain::{EmailLink, Letter, MailKind, User};
use crate::store::EmailUsed;

/// How long a link is good that shows that an address is read.
pub(super) const EMAIL_LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

impl Auth {
    /// Has a link sent to an address that is to be the one of the person who asks, or is and was never
    /// verified. The answer is the same when somebody else has it: only who reads its mail is told.
    pub async fn ask_email(&self, asked: &Asked, typed: &str) -> Result<(), Error> {
        let (id, _) = in_session(&asked.caller)?;
        self.fresh(asked).await?;
        if !self.sends_mail() {
            return Err(Error::NoMail);
        }
        let email = checked_email(typed)?;
        let user = self.enabled(asked.caller.tenant, id).await?;
        let event = self.event(asked, "email.ask", id);
        self.may_ask_for_mail(&email, &asked.origin, &event).await?;
        let minted = mint(Purpose::EmailLink, id.0);
        let expires = self.now() + EMAIL_LINK_LIFETIME;
        let letter = self.email_letter(&email, &minted.text).written();
        let letter = self.sealed_mail(MailKind::EmailLink, &letter, expires);
        let link = EmailLink { user: id, secret: minted.hash, email, expires };
        if !self.store.email_links.add_email_link(user.tenant, &link, &letter, &event).await? {
            return Err(Error::NotSignedIn);
        }
        if link.email != user.email {
            let what = "Another mail address was asked for";
            self.tell_by_mail(&user, what, &asked.origin).await;
        }
        Ok(())
    }

    fn email_letter(&self, to: &str, token: &str) -> Letter {
        let own = self.own_url();
        let text = format!(
            "Somebody, you we hope, wants {to} to be the own mail address at {own}\n\n\
             Confirm it here within 24 hours. The link is good once:\n\n\
             {own}/email#token={token}\n\n\
             If it was not you, there is nothing to do.\n"
        );
        Letter { to: to.to_owned(), subject: "Confirm your mail address".to_owned(), text }
    }

    /// Gives a person the address that a link went to. Signs nobody in.
    pub async fn use_email_link(&self, token: &str, origin: &Origin) -> Result<(), Error> {
        let using = self.use_email_link_now(token, origin);
        self.limited("email.verify", None, origin, using).await
    }

    async fn use_email_link_now(&self, token: &str, origin: &Origin) -> Result<(), Error> {
        let Some(shown) = read(Purpose::EmailLink, token) else {
            self.refuse_link("email.verify", String::new(), origin).await;
            return Err(Error::BadEmailLink);
        };
        let id = UserId(shown.id);
        let event = self.event_by(("user", id.to_string()), origin, "email.verify", id);
        let whose = (self.tenant, id);
        match self.store.email_links.use_email_link(whose, shown.hash, &event).await? {
            EmailUsed::Done(people) => {
                let (before, now) = *people;
                if before.email != now.email {
                    self.tell_moved(&before, origin).await;
                }
                Ok(())
            }
            EmailUsed::NotGood => {
                self.refuse_link("email.verify", id.to_string(), origin).await;
                Err(Error::BadEmailLink)
            }
            EmailUsed::Taken => {
                self.refused(event, None).await;
                Err(Error::EmailTaken)
            }
        }
    }

    /// Tells a person at the address of before that it is another one now.
    pub(super) async fn tell_moved(&self, before: &User, origin: &Origin) {
        self.tell_by_mail(before, "Your mail address was changed", origin).await;
    }
}
