//! Mail that waits to be sent.

use jiff::Timestamp;
use openframe_ids::TenantId;
use uuid::Uuid;

/// What waits in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// Somebody has asked for a link to choose a new password: whether it becomes a letter is decided
    /// when it is its turn, so that whoever asks can tell nothing by the answer.
    LinkAsked,
    /// A letter with a link for a new password.
    PasswordLink,
    /// A letter with a link by which an invited person joins.
    Invitation,
    /// A letter with a link that shows that its address is read.
    EmailLink,
    /// A letter that tells of a change.
    Notice,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::LinkAsked, Self::PasswordLink, Self::Invitation, Self::EmailLink, Self::Notice];

    /// Its name, as it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LinkAsked => "password_link_asked",
            Self::PasswordLink => "password_link",
            Self::Invitation => "invitation",
            Self::EmailLink => "email_link",
            Self::Notice => "notice",
        }
    }

    /// The kind of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Something in the outbox. What it says can be read by the auth service only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedMail {
    /// The id.
    pub id: Uuid,
    /// The tenant.
    pub tenant: TenantId,
    /// What it is.
    pub kind: MailKind,
    /// A [`Letter`], or the address that somebody has typed; sealed.
    pub sealed: Vec<u8>,
    /// When it was put there.
    pub created: Timestamp,
    /// When it is worth nothing any more.
    pub ends: Timestamp,
    /// How often it was tried, this time included.
    pub tries: u32,
}

/// A letter in plain text.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Whom it is for: a mail address as [`super::email`] writes it.
    pub to: String,
    /// What it is about, in one line.
    pub subject: String,
    /// What it says.
    pub text: String,
}

// It may hold a link.
impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letter(***)")
    }
}

impl Letter {
    /// The letter as it is sealed: two lines, and the text.
    pub fn written(&self) -> String {
        format!("{}\n{}\n{}", self.to, self.subject, self.text)
    }

    /// Reads what [`Letter::written`] has written.
    pub fn read(written: &str) -> Option<Self> {
        let mut parts = written.splitn(3, '\n').map(str::to_owned);
        Some(Self { to: parts.next()?, subject: parts.next()?, text: parts.next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_reads_back() {
        let (to, subject) = ("ann@example.org".to_owned(), "A thing".to_owned());
        let letter = Letter { to, subject, text: "One line.\n\nAnother.\n".to_owned() };
        assert_eq!(Letter::read(&letter.written()), Some(letter.clone()));
        assert_eq!(Letter::read("ann@example.org\nA thing"), None);
        assert_eq!(format!("{letter:?}"), "Letter(***)");
    }

    #[test]
    fn kinds_read_back() {
        for kind in MailKind::ALL {
            assert_eq!(MailKind::of(kind.as_str()), Some(kind));
        }
        assert_eq!(MailKind::of("letter"), None);
    }
}
