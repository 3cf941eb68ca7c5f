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
    /// What another provider says, and nothing else.
    Federated,
    /// What another provider says, which is trusted to have asked for several factors.
    FederatedMfa,
    /// What another provider says, and a one-time code of ours.
    FederatedAndCode,
    /// What another provider says, and a passkey of ours.
    FederatedAndPasskey,
}

impl Amr {
    /// Every way.
    pub const ALL: [Self; 8] = [
        Self::Password,
        Self::TwoFactors,
        Self::Passkey,
        Self::PasswordAndPasskey,
        Self::Federated,
        Self::FederatedMfa,
        Self::FederatedAndCode,
        Self::FederatedAndPasskey,
    ];
    /// What they can be worth.
    pub const WORTH: [&'static str; 2] = ["aal1", "aal2"];

    /// Its words (RFC 8176, 2). A passkey is `pop`, and not `hwk` or `swk`: no attestation is asked for, so
    /// nobody knows where its key is. `federated` is a word of ours: none is registered for it.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["pwd"],
            Self::TwoFactors => &["pwd", "otp", "mfa"],
            Self::Passkey => &["pop", "user", "mfa"],
            Self::PasswordAndPasskey => &["pwd", "pop", "user", "mfa"],
            Self::Federated => &["federated"],
            Self::FederatedMfa => &["federated", "mfa"],
            Self::FederatedAndCode => &["federated", "otp", "mfa"],
            Self::FederatedAndPasskey => &["federated", "pop", "user", "mfa"],
        }
    }

    /// How much it is worth: the authenticator assurance level of NIST SP 800-63B, section 4.
    pub fn acr(self) -> &'static str {
        if self.is_one_factor() { "aal1" } else { "aal2" }
    }

    /// Whether one factor was shown, and no more.
    pub fn is_one_factor(self) -> bool {
        match self {
            Self::Password | Self::Federated => true,
            Self::TwoFactors
            | Self::Passkey
            | Self::PasswordAndPasskey
            | Self::FederatedMfa
            | Self::FederatedAndCode
            | Self::FederatedAndPasskey => false,
        }
    }

    /// Whether another provider has said who it is.
    pub fn is_federated(self) -> bool {
        match self {
            Self::Federated
            | Self::FederatedMfa
            | Self::FederatedAndCode
            | Self::FederatedAndPasskey => true,
            Self::Password | Self::TwoFactors | Self::Passkey | Self::PasswordAndPasskey => false,
        }
    }

    /// What it is with a one-time code shown after it.
    #[must_use]
    pub fn with_code(self) -> Self {
        if self.is_federated() { Self::FederatedAndCode } else { Self::TwoFactors }
    }

    /// What it is with a passkey shown after it.
    #[must_use]
    pub fn with_passkey(self) -> Self {
        match self {
            Self::Passkey => Self::Passkey,
            Self::Password | Self::TwoFactors | Self::PasswordAndPasskey => {
                Self::PasswordAndPasskey
            }
            Self::Federated
            | Self::FederatedMfa
            | Self::FederatedAndCode
            | Self::FederatedAndPasskey => Self::FederatedAndPasskey,
        }
    }

    /// The text to keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::TwoFactors => "mfa",
            Self::Passkey => "passkey",
            Self::PasswordAndPasskey => "pwd+passkey",
            Self::Federated => "fed",
            Self::FederatedMfa => "fed+mfa",
            Self::FederatedAndCode => "fed+otp",
            Self::FederatedAndPasskey => "fed+passkey",
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

    #[test]
    fn a_second_factor_makes_several() {
        for amr in Amr::ALL {
            for more in [amr.with_code(), amr.with_passkey()] {
                assert!(!more.is_one_factor() && more.words().contains(&"mfa"), "{amr:?}");
                assert!(amr == Amr::Passkey || more.is_federated() == amr.is_federated());
            }
            assert_eq!(amr.is_one_factor(), !amr.words().contains(&"mfa"), "{amr:?}");
        }
    }
}
