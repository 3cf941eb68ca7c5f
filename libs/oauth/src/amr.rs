//! How a person has shown to be that person, as ID tokens say it (OpenID Connect Core, 2; RFC 8176).

/// What a sign-in was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amr {
    /// A password, and nothing else.
    Password,
    /// A password and a one-time code.
    TwoFactors,
}

impl Amr {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Password, Self::TwoFactors];

    /// Its words (RFC 8176, 2).
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["pwd"],
            Self::TwoFactors => &["pwd", "otp", "mfa"],
        }
    }

    /// How much it is worth: the authenticator assurance level of NIST SP 800-63B, section 4.
    pub fn acr(self) -> &'static str {
        match self {
            Self::Password => "aal1",
            Self::TwoFactors => "aal2",
        }
    }

    /// The text to keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::TwoFactors => "mfa",
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
        }
        assert_eq!(Amr::read("otp"), None);
    }
}
