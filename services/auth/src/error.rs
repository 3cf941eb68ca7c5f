//! What can go wrong in the auth service.

use std::time::Duration;

use openframe_agent_api::enrolment::WAITS;
use openframe_fault::{BoxError, Fault, Kind};

/// Every refusal of the auth service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret is nobody's, or its time is over.
    #[error("sign in, or send an API key")]
    NotSignedIn,
    /// Mail address or password is wrong; which of them is not said.
    #[error("the mail address or the password is wrong")]
    BadLogin,
    /// The password that was shown for a change is not the person's.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The half sign-in is unknown, over, or not this browser's; which of them is not said.
    #[error("this sign-in is not good any more; begin again with your password")]
    BadSignIn,
    /// The code is wrong, or was used before; which of them is not said.
    #[error("the code is wrong, or was used before; wait for the next one")]
    WrongCode,
    /// Too many wrong codes for this person.
    #[error("too many wrong codes; wait, or use a recovery code")]
    TooManyCodes(Duration),
    /// The passkey is nobody's, or is not good; which of them is not said.
    #[error("this passkey is not good here; sign in another way")]
    BadPasskey,
    /// The passkey is not one of the person's, or is not good; which of them is not said.
    #[error("this passkey is not good here; show another one, or another factor")]
    WrongPasskey,
    /// What was asked of the browser is over, was answered before, or was asked of another one.
    #[error("the passkey was not shown in time; try again")]
    LatePasskey,
    /// The person has as many passkeys as one may have.
    #[error("you have ten passkeys; remove one first")]
    PasskeysFull,
    /// The passkey was registered before.
    #[error("this passkey is registered already")]
    PasskeyTaken,
    /// The platform is reached by an address, or without TLS.
    #[error("there are no passkeys here: the platform's `url` must be https, and have a name")]
    NoPasskeys,
    /// The person has not shown for a while to be that person.
    #[error(
        "show first that it is you: POST /api/auth/v1/me/step-up with a code, or with your password \
         if you have no second factor"
    )]
    StepUpNeeded,
    /// Everybody needs a second factor here.
    #[error("everybody needs a second factor here; enrol another in the place of this one")]
    FactorRequired,
    /// Who asks everybody for a second factor has none.
    #[error("enrol a second factor of your own first; you would be signed out")]
    OwnFactorFirst,
    /// The link for a new password is unknown, used, or too old; which of them is not said.
    #[error("this link is not good any more; ask for a new one")]
    BadPasswordLink,
    /// The invitation is unknown, accepted, taken back, or too old; which of them is not said.
    #[error("this invitation is not good any more; ask whoever has invited you for a new one")]
    BadInvitation,
    /// The link for a mail address is unknown, used, or too old; which of them is not said.
    #[error("this link is not good any more; ask for a new one under Access")]
    BadEmailLink,
    /// What another provider says is not right; what of it is on the audit trail.
    #[error("the other provider's answer is not good; begin again, or sign in another way")]
    BadUpstream,
    /// The try is over, was used, or was begun in another browser; which of them is not said.
    #[error("this sign-in took too long, or was begun in another browser; begin again")]
    LateUpstream,
    /// Another provider says who it is, and that is nobody here.
    #[error("{0}")]
    UpstreamUnknown(&'static str),
    /// Another provider does not answer.
    #[error("the other provider does not answer; try again, or sign in another way")]
    ProviderAway,
    /// Another provider of the same name, or the same one, is there.
    #[error("there is an identity provider of this name, or this one; change that")]
    ProviderTaken,
    /// The enrolment token is unknown, used up, or too old; which of them is not said.
    #[error("the enrolment token cannot be used; make a new one")]
    BadEnrolmentToken,
    /// The device has enrolled, and nobody has let it in yet.
    #[error("the device waits until somebody lets it in; ask again")]
    DeviceWaits,
    /// The device is unknown or was revoked.
    #[error("the device is not known here; enrol it again")]
    BadDevice,
    /// The device has sent the same signed request before, or somebody has who saw it.
    #[error("this signed request was sent before; sign a new one")]
    NonceSeen,
    /// The caller may not do this.
    #[error("this needs the permission {0}")]
    NotPermitted(&'static str),
    /// Only a person in a session, or an owner's key that no scope holds back, may do this.
    #[error("this API key cannot do this; sign in, or use an owner's key that has every scope")]
    PeopleOnly,
    /// Only an API key may ask.
    #[error("this is for API keys with the scope people:provision; make one by an owner's session")]
    KeysOnly,
    /// A directory has no hand on whoever holds more than the settings say.
    #[error(
        "a directory changes nobody who holds more than the settings say (auth.scim.up_to), and \
         never an owner: this is for an owner to do"
    )]
    OutOfReach,
    /// The directory has given its id to another person or group.
    #[error("another one has this externalId already")]
    ExternalIdTaken,
    /// There are as many groups, or members of a group, as there may be.
    #[error("there are as many groups, or members of this group, as there may be; remove some")]
    GroupsFull,
    /// There are more people than are looked through.
    #[error("filter by userName or externalId: more than {0} people would be looked through")]
    TooManyPeople(usize),
    /// Only one of the platform's own services may ask.
    #[error("only the platform's own services may ask this")]
    ServicesOnly,
    /// The first owner exists, or the setup token is wrong.
    #[error("there is nothing to set up, or the link is not valid; a new start prints a new one")]
    NoSetup,
    /// No such person, session, key, token or device.
    #[error("no such {0}")]
    Missing(&'static str),
    /// Somebody has this mail address already.
    #[error("somebody has this mail address already")]
    EmailTaken,
    /// Somebody gives what they do not hold themselves.
    #[error(
        "nobody gives, takes or acts for what they do not hold themselves: this needs {0} there"
    )]
    NotHeld(&'static str),
    /// An owner would be denied something.
    #[error("an owner is denied nothing; give another role first, or take the denials back")]
    OwnerDenied,
    /// The person has as many grants as there may be.
    #[error("this person has as many grants as there may be; take some back")]
    TooManyGrants,
    /// Another place of the same parent has the name.
    #[error("another place beside this one is called so")]
    PlaceTaken,
    /// The place is not empty.
    #[error("something is in this place: other places, grants, enrolment tokens or devices")]
    PlaceInUse,
    /// There are as many places as there may be.
    #[error("there are as many places as there may be; remove some")]
    TooManyPlaces,
    /// The last owner who can sign in must stay one.
    #[error("this is the last owner who can sign in; make another owner first")]
    LastOwner,
    /// A field says something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Too many tries to sign in or to set up.
    #[error("too many tries to sign in; wait and try again")]
    TooManyLogins(Duration),
    /// Too many links were asked for by mail.
    #[error("too many mails were asked for; look into your mailbox, or wait and try again")]
    TooManyMails(Duration),
    /// This platform sends no mail.
    #[error("this platform sends no mail; ask whoever manages people for a link")]
    NoMail,
    /// Too many enrolments that were refused.
    #[error("too many enrolments were refused; wait and try again")]
    TooManyEnrolments(Duration),
    /// Every password hasher is busy.
    #[error("too many people are signing in; try again")]
    Busy,
    /// The store did not answer.
    #[error("the store of people and keys does not answer; try again")]
    Store(#[source] BoxError),
    /// The audit trail is not what its checkpoint of this place was made of.
    #[error("the audit trail was changed: its checkpoint of entry {0} does not fit; verify it")]
    Tampered(u64),
    /// What the store holds cannot be read.
    #[error("something went wrong on our side")]
    Damaged(#[source] BoxError),
}

impl Error {
    /// How a caller should treat it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotSignedIn
            | Self::BadLogin
            | Self::BadSignIn
            | Self::BadPasskey
            | Self::BadPasswordLink
            | Self::BadInvitation
            | Self::BadEmailLink
            | Self::BadUpstream
            | Self::LateUpstream
            | Self::UpstreamUnknown(_)
            | Self::BadEnrolmentToken
            | Self::BadDevice
            | Self::NonceSeen => Kind::Unauthenticated,
            Self::NotPermitted(_)
            | Self::NotHeld(_)
            | Self::PeopleOnly
            | Self::KeysOnly
            | Self::OutOfReach
            | Self::ServicesOnly
            | Self::StepUpNeeded => Kind::Forbidden,
            Self::NoSetup | Self::NoMail | Self::NoPasskeys | Self::Missing(_) => Kind::NotFound,
            Self::EmailTaken
            | Self::ExternalIdTaken
            | Self::GroupsFull
            | Self::LastOwner
            | Self::OwnerDenied
            | Self::TooManyGrants
            | Self::ProviderTaken
            | Self::PlaceTaken
            | Self::PlaceInUse
            | Self::TooManyPlaces
            | Self::FactorRequired
            | Self::OwnFactorFirst
            | Self::PasskeysFull
            | Self::DeviceWaits
            | Self::PasskeyTaken => Kind::Conflict,
            Self::Invalid(_)
            | Self::TooManyPeople(_)
            | Self::WrongPassword
            | Self::WrongCode
            | Self::WrongPasskey
            | Self::LatePasskey => Kind::Invalid,
            Self::TooManyLogins(_)
            | Self::TooManyCodes(_)
            | Self::TooManyMails(_)
            | Self::TooManyEnrolments(_) => Kind::TooMany,
            Self::Busy | Self::ProviderAway | Self::Store(_) => Kind::Unavailable,
            Self::Damaged(_) | Self::Tampered(_) => Kind::Internal,
        }
    }

    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSignedIn => "not_signed_in",
            Self::BadLogin => "bad_login",
            Self::WrongPassword => "wrong_password",
            Self::BadSignIn => "bad_sign_in",
            Self::WrongCode => "wrong_code",
            Self::TooManyCodes(_) => "too_many_codes",
            Self::BadPasskey => "bad_passkey",
            Self::WrongPasskey => "wrong_passkey",
            Self::LatePasskey => "late_passkey",
            Self::PasskeysFull => "passkeys_full",
            Self::PasskeyTaken => "passkey_taken",
            Self::NoPasskeys => "no_passkeys",
            Self::StepUpNeeded => "step_up_needed",
            Self::FactorRequired => "factor_required",
            Self::OwnFactorFirst => "own_factor_first",
            Self::BadPasswordLink => "bad_password_link",
            Self::BadInvitation => "bad_invitation",
            Self::BadEmailLink => "bad_email_link",
            Self::BadUpstream => "bad_upstream",
            Self::LateUpstream => "late_upstream",
            Self::UpstreamUnknown(_) => "upstream_unknown",
            Self::ProviderAway => "provider_away",
            Self::ProviderTaken => "provider_taken",
            Self::BadEnrolmentToken => "bad_enrolment_token",
            Self::DeviceWaits => WAITS,
            Self::BadDevice => "bad_device",
            Self::NonceSeen => "nonce_seen",
            Self::NotPermitted(_) => "not_permitted",
            Self::PeopleOnly => "people_only",
            Self::KeysOnly => "keys_only",
            Self::OutOfReach => "out_of_reach",
            Self::ExternalIdTaken => "external_id_taken",
            Self::GroupsFull => "groups_full",
            Self::TooManyPeople(_) => "too_many_people",
            Self::ServicesOnly => "services_only",
            Self::NoSetup => "no_setup",
            Self::Missing(_) => "not_found",
            Self::EmailTaken => "email_taken",
            Self::NotHeld(_) => "not_held",
            Self::OwnerDenied => "owner_denied",
            Self::TooManyGrants => "too_many_grants",
            Self::PlaceTaken => "place_taken",
            Self::PlaceInUse => "place_in_use",
            Self::TooManyPlaces => "too_many_places",
            Self::LastOwner => "last_owner",
            Self::Invalid(_) => "invalid",
            Self::TooManyLogins(_) => "too_many_logins",
            Self::TooManyMails(_) => "too_many_mails",
            Self::NoMail => "no_mail",
            Self::TooManyEnrolments(_) => "too_many_enrolments",
            Self::Busy => "busy",
            Self::Store(_) => "store_down",
            Self::Tampered(_) => "audit_broken",
            Self::Damaged(_) => "internal",
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = Self::new(error.kind(), error.code(), error.to_string());
        match error {
            Error::TooManyLogins(wait)
            | Error::TooManyCodes(wait)
            | Error::TooManyMails(wait)
            | Error::TooManyEnrolments(wait) => fault.retry_after(wait),
            Error::Busy => fault.retry_after(Duration::from_secs(2)),
            Error::Store(cause) | Error::Damaged(cause) => fault.because(cause),
            Error::NotSignedIn
            | Error::BadLogin
            | Error::WrongPassword
            | Error::BadSignIn
            | Error::WrongCode
            | Error::BadPasskey
            | Error::WrongPasskey
            | Error::LatePasskey
            | Error::PasskeysFull
            | Error::PasskeyTaken
            | Error::NoPasskeys
            | Error::StepUpNeeded
            | Error::FactorRequired
            | Error::OwnFactorFirst
            | Error::BadPasswordLink
            | Error::BadInvitation
            | Error::BadEmailLink
            | Error::BadUpstream
            | Error::LateUpstream
            | Error::UpstreamUnknown(_)
            | Error::ProviderAway
            | Error::ProviderTaken
            | Error::BadEnrolmentToken
            | Error::DeviceWaits
            | Error::BadDevice
            | Error::NonceSeen
            | Error::NotPermitted(_)
            | Error::PeopleOnly
            | Error::KeysOnly
            | Error::OutOfReach
            | Error::ExternalIdTaken
            | Error::GroupsFull
            | Error::TooManyPeople(_)
            | Error::ServicesOnly
            | Error::NoSetup
            | Error::NoMail
            | Error::Missing(_)
            | Error::NotHeld(_)
            | Error::OwnerDenied
            | Error::TooManyGrants
            | Error::PlaceTaken
            | Error::PlaceInUse
            | Error::TooManyPlaces
            | Error::EmailTaken
            | Error::LastOwner
            | Error::Tampered(_)
            | Error::Invalid(_) => fault,
        }
    }
}
