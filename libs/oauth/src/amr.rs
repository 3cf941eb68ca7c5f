//! How a person has shown to be that person, as ID tokens say it (OpenID Connect Core, 2; RFC 8176).

/// What a sign-in was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amr {
    /// A password, and nothing else.
    Password,
    /// A password and a one-time code.
    TwoFactors,
    /// A passkey, whose authenticator has verified the person.
    Passkey,
    /// A password and a passkey.
    PasswordAndPasskey,
}

impl Amr {
    /// Every way.
    pub const ALL: [Self; 4] =
        [Self::Password, Self::TwoFactors, Self::Passkey, Self::PasswordAndPasskey];
    /// What they can be worth.
    pub const WORTH: [&'static str; 2] = ["aal1", "aal2"];

    /// Its words (RFC 8176, 2). A passkey is `pop`, and not `hwk` or `swk`: no attestation is asked for, so
    /// nobody knows where its key is.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["pwd"],
            Self::TwoFactors => &["pwd", "otp", "mfa"],
            Self::Passkey => &["pop", "user", "mfa"],
            Self::PasswordAndPasskey => &["pwd", "pop", "user", "mfa"],
        }
    }

    /// How much it is worth: the authenticator assurance level of NIST SP 800-63B, section 4.
    pub fn acr(self) -> &'static str {
        match self {
            Self::Password => "aal1",
            Self::TwoFactors | Self::Passkey | Self::PasswordAndPasskey => "aal2",
        }
    }

    /// The text to keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::TwoFactors => "mfa",
            Self::Passkey => "passkey",
            Self::PasswordAndPasskey => "pwd+passkey",
        }
    }

    /// What a text means that [`Amr::as_str`] has made.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|amr| amr.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back() {
        for amr in Amr::ALL {
            assert_eq!(Amr::read(amr.as_str()), Some(amr));
            assert!(Amr::WORTH.contains(&amr.acr()), "{amr:?}");
        }
        assert_eq!(Amr::read("otp"), None);
    }
}
