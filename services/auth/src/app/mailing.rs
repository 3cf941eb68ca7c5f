//! Mail that waits to be sent, and sending it.
//!
//! What is to be sent is kept first, sealed, and forgotten once the server has taken it: nothing is lost
//! when either side is away. Of several replicas one takes a letter and has a while to send it. What a
//! replica that died has sent may be sent once more, with the same id.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use openframe_fault::chain;
use openframe_ids::random;
use openframe_pki::Authority;
use openframe_tokens::sealing::Sealer;
use uuid::Uuid;

use super::limits::Limits;
use super::{Auth, Origin, backoff};
use crate::Error;
use crate::domain::{Event, Letter, MailKind, SealedMail, User, network};
use crate::mail::{Mailer, Post};

/// How long a replica has for what it took: longer than the server may take.
const LEASE: SignedDuration = SignedDuration::from_mins(1);
/// How long a letter without a link is worth sending.
const NOTICE_LIFETIME: SignedDuration = SignedDuration::from_hours(72);

/// What this replica knows of mail. Clones share it.
#[derive(Clone)]
pub(super) struct Mailing {
    post: Option<Arc<dyn Post>>,
    sealer: Sealer,
    /// This replica, as the outbox knows it.
    own: Uuid,
    failing: Arc<Mutex<String>>,
    /// How much one network may ask for.
    asked: Limits,
    /// How much may be asked for one account, from wherever.
    accounts: Limits,
}

impl Mailing {
    pub(super) fn new(authority: &Authority) -> Self {
        Self {
            post: None,
            sealer: Sealer::new(&authority.derived_key("mail that waits to be sent")),
            own: Uuid::from_bytes(random()),
            failing: Arc::default(),
            asked: Limits::of_mail_asked(),
            accounts: Limits::of_mail_accounts(),
        }
    }

    pub(super) fn by(self, mailer: &Mailer) -> Self {
        Self { post: mailer.0.clone(), ..self }
    }

    fn failing(&self) -> MutexGuard<'_, String> {
        // Poisoned by a panicking test at most: a text is a whole text.
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets budgets that are whole again.
    pub(super) fn forget_whole(&self, now: Timestamp) {
        self.asked.forget_whole(now);
        self.accounts.forget_whole(now);
    }
}

impl Auth {
    /// Whether mail is sent here.
    pub fn sends_mail(&self) -> bool {
        self.mailing.post.is_some()
    }

    /// Why the server takes no mail of this replica; empty when it does. `None` where none is sent.
    pub fn mail_failing(&self) -> Option<String> {
        self.mailing.post.as_ref().map(|_| self.mailing.failing().clone())
    }

    /// Takes one mail for `account` from the budgets, whether or not anybody has it.
    pub(super) async fn may_ask_for_mail(
        &self,
        account: &str,
        origin: &Origin,
        event: &Event,
    ) -> Result<(), Error> {
        let (network, now) = (network(&origin.remote_address), self.now());
        let taken = self.mailing.asked.take(&network, Some(account), now);
        let taken = taken.and_then(|()| self.mailing.accounts.take(account, None, now));
        let Err(wait) = taken else { return Ok(()) };
        let detail = "too many mails".to_owned();
        self.refused(Event { detail, ..event.clone() }, Some(&network)).await;
        Err(Error::TooManyMails(wait))
    }

    /// What is kept of `content`.
    pub(super) fn sealed_mail(&self, kind: MailKind, content: &str, ends: Timestamp) -> SealedMail {
        let id = Uuid::from_bytes(random());
        let sealed = self.mailing.sealer.seal(&place(id), content.as_bytes());
        SealedMail { id, tenant: self.tenant, kind, sealed, created: self.now(), ends, tries: 0 }
    }

    fn opened_mail(&self, mail: &SealedMail) -> Result<String, Error> {
        let content = self.mailing.sealer.open(&place(mail.id), &mail.sealed);
        let content = content.map_err(|error| Error::Damaged(Box::new(error)))?;
        String::from_utf8(content).map_err(|error| Error::Damaged(Box::new(error)))
    }

    /// Tells a person by mail what became of the account, for when it was somebody else. What has been
    /// done stays done if this fails: only the log tells then.
    pub(super) async fn tell_by_mail(&self, user: &User, what: &str, origin: &Origin) {
        let own = self.own_url();
        let from = match origin.remote_address.as_str() {
            "" => String::new(),
            address => format!(" from the address {address}"),
        };
        let (email, now) = (&user.email, self.now().strftime("%Y-%m-%d %H:%M UTC"));
        let text = format!(
            "{what}: this was done for {email} at {own}\n\
             on {now}{from}.\n\n\
             If it was you, there is nothing to do.\n\n\
             If it was not you, ask for a new password at {own}/forgot at once,\n\
             and tell whoever manages people there.\n"
        );
        self.send_notice(user, what, text).await;
    }

    /// Tells a person whom a directory has added how to get in.
    pub(super) async fn tell_provisioned(&self, user: &User) {
        let (email, own) = (&user.email, self.own_url());
        let text = format!(
            "Your organisation has given you access to OpenFrame at {own}\n\n\
             You have no password yet. Ask for a link to choose one, for {email}, here:\n\n\
             {own}/forgot\n\n\
             If you expect nothing of the kind, there is nothing to do.\n"
        );
        self.send_notice(user, "You have access to OpenFrame", text).await;
    }

    async fn send_notice(&self, user: &User, subject: &str, text: String) {
        if !self.sends_mail() {
            return;
        }
        let letter = Letter { to: user.email.clone(), subject: subject.to_owned(), text };
        let ends = self.now() + NOTICE_LIFETIME;
        let mail = self.sealed_mail(MailKind::Notice, &letter.written(), ends);
        if let Err(error) = self.store.mails.add(&mail, None).await {
            tracing::warn!(user.id = %user.id, "a person is not told by mail: {}", chain(&error));
        }
    }

    /// Goes on with what is due, if anything is; says whether it was.
    pub(crate) async fn send_mail(&self) -> Result<bool, Error> {
        let Some(post) = &self.mailing.post else { return Ok(false) };
        let (mails, now) = (&self.store.mails, self.now());
        let times = (now, now + LEASE);
        let Some(mail) = mails.take(self.tenant, self.mailing.own, times).await? else {
            return Ok(false);
        };
        if mail.ends <= now {
            self.give_up(&mail).await?;
            return Ok(true);
        }
        let content = self.opened_mail(&mail)?;
        match mail.kind {
            MailKind::LinkAsked => self.answer_wish((mail.id, self.mailing.own), &content).await?,
            MailKind::PasswordLink
            | MailKind::Invitation
            | MailKind::EmailLink
            | MailKind::Notice => {
                self.hand_over(post.as_ref(), &mail, &content).await?;
            }
        }
        Ok(true)
    }

    async fn hand_over(
        &self,
        post: &dyn Post,
        mail: &SealedMail,
        content: &str,
    ) -> Result<(), Error> {
        let letter = Letter::read(content)
            .ok_or_else(|| Error::Damaged("a letter in the outbox is not one".into()))?;
        let turn = (mail.id, self.mailing.own);
        match post.post(mail.id, &letter, self.now()).await {
            Ok(()) => {
                self.mailing.failing().clear();
                self.metrics.mails_sent.inc();
                self.store.mails.remove(turn, mail.tenant, None).await?;
            }
            Err(why) => {
                let why = format!("the mail server takes no mail: {why}");
                tracing::warn!(mail.id = %mail.id, "{why}");
                *self.mailing.failing() = why;
                self.metrics.mails_failed.inc();
                let due = self.now() + backoff::wait(mail.tries.saturating_sub(1));
                self.store.mails.put_off(turn, due).await?;
            }
        }
        Ok(())
    }

    /// Forgets what could not be sent while it was worth something.
    async fn give_up(&self, mail: &SealedMail) -> Result<(), Error> {
        let mut event = self.own_event("mail.give_up", mail.kind.as_str());
        "failed".clone_into(&mut event.outcome);
        event.detail = format!("not sent in {} tries", mail.tries.saturating_sub(1));
        tracing::warn!(mail.id = %mail.id, "a mail was given up: {}", event.detail);
        self.metrics.mails_given_up.inc();
        let turn = (mail.id, self.mailing.own);
        self.store.mails.remove(turn, mail.tenant, Some(&event)).await?;
        Ok(())
    }
}

/// What sealed mail belongs to.
fn place(id: Uuid) -> String {
    format!("mail {id}")
}
