//! Enrolment tokens, and devices that join by one.

use jiff::SignedDuration;
use openframe_ids::{DeviceId, EnrolmentTokenId, PlaceId};
use openframe_tokens::opaque::{Purpose, mint, read};
use openframe_tokens::{Caller, Permission, Place, Reach};

use super::devices::{Certificate, certified};
use super::people::checked_name;
use super::{Asked, Auth, Origin, somewhere};
use crate::Error;
use crate::domain::{
    Claims, EnrolmentToken, Event, Generation, Judged, Showing, Terms, WaitingDevice, network,
};
use crate::store::{Joined, Joining};

/// How many devices a token can enrol.
const MOST_USES: u32 = 10_000;
/// How many minutes a token can last: 7 days.
const MOST_MINUTES: u32 = 10_080;
/// How many minutes a token lasts when its maker does not say.
const DEFAULT_MINUTES: u32 = 60;
/// How many devices that wait are told.
const MOST_WAITING: u32 = 1000;
/// Characters of what a device calls itself, and of its serial number, at most.
const MAX_HOSTNAME: usize = 253;
const MAX_SERIAL: usize = 64;

/// What a stranger says, to be shown to people.
fn shown(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

/// A token to make; what is `None` is as usual.
#[derive(Debug, Default)]
pub struct NewToken<'a> {
    /// What it is for.
    pub name: Option<&'a str>,
    /// How many devices it enrols; 1 as usual.
    pub uses: Option<u32>,
    /// How many minutes it lasts; 60 as usual.
    pub minutes: Option<u32>,
    /// Where the devices are; in the whole tenant as usual.
    pub place: Option<PlaceId>,
    /// What they must meet beside; nothing as usual.
    pub terms: Terms,
}

/// A token just made.
pub struct Made {
    /// The token.
    pub token: EnrolmentToken,
    /// The secret with the root's pin: the only time it is seen.
    pub secret: String,
    /// The line to run on a device.
    pub command: String,
}

impl Auth {
    /// The tokens that can still be used, of the places where the caller may make some.
    pub async fn enrolment_tokens(&self, asked: &Asked) -> Result<Vec<EnrolmentToken>, Error> {
        let reach = somewhere(&asked.caller, Permission::EnrolmentManage)?;
        let mut tokens = self.store.enrolment.tokens(asked.caller.tenant, self.now()).await?;
        tokens.retain(|token| reach.contains(&token.place));
        Ok(tokens)
    }

    /// Makes a token.
    pub async fn create_enrolment_token(
        &self,
        asked: &Asked,
        new: NewToken<'_>,
    ) -> Result<Made, Error> {
        let reach = somewhere(&asked.caller, Permission::EnrolmentManage)?;
        let place = self.place(asked.caller.tenant, new.place).await?;
        if !reach.contains(&place) {
            return Err(Error::NotPermitted(Permission::EnrolmentManage.as_str()));
        }
        self.make_token(asked, new, place).await
    }

    /// Makes a token for the platform itself, which enrols the machine that it runs on. Returns the
    /// secret. For the executable: no request leads here.
    pub async fn own_enrolment_token(&self, name: &str, minutes: u32) -> Result<String, Error> {
        let caller = Caller { tenant: self.tenant, subject: super::setup::itself() };
        let asked = Asked { caller, origin: Origin::default() };
        let new = NewToken { name: Some(name), minutes: Some(minutes), ..NewToken::default() };
        Ok(self.make_token(&asked, new, Place::ROOT).await?.secret)
    }

    async fn make_token(
        &self,
        asked: &Asked,
        NewToken { name, uses, minutes, terms, .. }: NewToken<'_>,
        place: Place,
    ) -> Result<Made, Error> {
        let name = name.map(checked_name).transpose()?.unwrap_or_default();
        let (uses_left, minutes) = (uses.unwrap_or(1), minutes.unwrap_or(DEFAULT_MINUTES));
        if !(1..=MOST_USES).contains(&uses_left) {
            return Err(Error::Invalid("a token enrols 1 to 10,000 devices".to_owned()));
        }
        if !(1..=MOST_MINUTES).contains(&minutes) {
            return Err(Error::Invalid("a token lasts 1 to 10,080 minutes".to_owned()));
        }
        let (id, now) = (EnrolmentTokenId::new(), self.now());
        let minted = mint(Purpose::Enrolment, id.0);
        let token = EnrolmentToken {
            id,
            tenant: asked.caller.tenant,
            name,
            place,
            terms,
            secret: minted.hash,
            uses_left,
            uses: 0,
            created: now,
            expires: now + SignedDuration::from_mins(i64::from(minutes)),
            last_used: None,
        };
        let mut event = self.event(asked, "enrolment_token.create", id);
        let there = if place.is_root() { String::new() } else { format!(", place {place}") };
        event.detail = format!("uses {uses_left}, minutes {minutes}{there}");
        if token.terms != Terms::default() {
            let Terms { networks, serials, approval } = &token.terms;
            let (networks, serials) = (networks.len(), serials.len());
            let more = format!(", networks {networks}, serials {serials}, approval {approval}");
            event.detail.push_str(&more);
        }
        self.store.enrolment.add_token(&token, &event).await?;
        let secret = format!("{}.{}", minted.text, self.authority.pin());
        let server = &self.config.agents_url;
        let command = format!(
            "openframe-agent enrol --server {server} --token {secret} && openframe-agent install"
        );
        Ok(Made { token, secret, command })
    }

    /// Revokes a token. Devices that have enrolled with it stay.
    pub async fn revoke_enrolment_token(
        &self,
        asked: &Asked,
        id: EnrolmentTokenId,
    ) -> Result<(), Error> {
        let reach = somewhere(&asked.caller, Permission::EnrolmentManage)?;
        let event = self.event(asked, "enrolment_token.revoke", id);
        if reach != Reach::Everywhere
            && !self.enrolment_tokens(asked).await?.iter().any(|it| it.id == id)
        {
            return Err(Error::Missing("enrolment token"));
        }
        let done = self.store.enrolment.remove_token(asked.caller.tenant, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("enrolment token")) }
    }

    /// The devices that wait to be let in where the caller may make tokens, the first first.
    pub async fn waiting_devices(&self, asked: &Asked) -> Result<Vec<WaitingDevice>, Error> {
        let reach = somewhere(&asked.caller, Permission::EnrolmentManage)?;
        let mut waiting = self.store.enrolment.waiting(asked.caller.tenant, MOST_WAITING).await?;
        waiting.retain(|it| reach.contains(&it.place));
        Ok(waiting)
    }

    /// Lets a device in that waits.
    pub async fn admit_device(&self, asked: &Asked, id: DeviceId) -> Result<(), Error> {
        self.need_waiting(asked, id).await?;
        let event = self.event(asked, "device.admit", id);
        let done = self.store.enrolment.admit(asked.caller.tenant, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("waiting device")) }
    }

    /// Turns a device away that waits, for ever: the same key does not come in by this token.
    pub async fn turn_away_device(&self, asked: &Asked, id: DeviceId) -> Result<(), Error> {
        self.need_waiting(asked, id).await?;
        let event = self.event(asked, "device.turn_away", id);
        let done = self.store.enrolment.turn_away(asked.caller.tenant, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("waiting device")) }
    }

    async fn need_waiting(&self, asked: &Asked, id: DeviceId) -> Result<(), Error> {
        let reach = somewhere(&asked.caller, Permission::EnrolmentManage)?;
        let tenant = asked.caller.tenant;
        let waits = self.store.enrolment.device(tenant, id).await?.is_some_and(|it| it.waits);
        let place = self.store.places.of_device(tenant, id).await?;
        let known = waits && place.is_some_and(|place| reach.contains(&place));
        if known { Ok(()) } else { Err(Error::Missing("waiting device")) }
    }

    /// Enrols a device: whoever shows a good token and a key of their own.
    pub async fn enrol(
        &self,
        token: &str,
        csr_pem: &str,
        (hostname, serial): (&str, Option<&str>),
        origin: &Origin,
    ) -> Result<Certificate, Error> {
        let claims = Claims {
            hostname: shown(hostname, MAX_HOSTNAME),
            serial: shown(serial.unwrap_or_default(), MAX_SERIAL),
            remote_address: origin.remote_address.clone(),
        };
        let enrolling = self.enrol_now(token, csr_pem, claims, origin);
        self.limited_device("device.enrol", origin, enrolling).await
    }

    async fn enrol_now(
        &self,
        token: &str,
        csr_pem: &str,
        claims: Claims,
        origin: &Origin,
    ) -> Result<Certificate, Error> {
        let hostname = claims.hostname.clone();
        let nobody = ("nobody", hostname.clone());
        let mut event = self.event_by(nobody, origin, "device.enrol", "");
        let Some(shown) = read(Purpose::Enrolment, token) else {
            return self.not_enrolled(event).await;
        };
        let token = EnrolmentTokenId(shown.id);
        let (told, id) = (format!("hostname {hostname}, token {token}"), DeviceId::new());
        // Made before the token is looked at, so that looking, using it up and writing the certificate
        // down are one change. Who is refused never sees it.
        let (first, chain_pem) = self.issue(csr_pem, (self.tenant, id))?;
        event.target = id.to_string();
        let waits = Event {
            action: "device.wait".to_owned(),
            detail: format!("{told}, serial {:?}", claims.serial),
            ..event.clone()
        };
        let joining = Joining { token, secret: shown.hash, first, claims, waits };
        event.detail = certified(&joining.first, Generation::FIRST, &told);
        match self.store.enrolment.join(&joining, &event).await? {
            Joined::New => {
                self.metrics.enrolments.inc();
                tracing::info!(device.id = %id, "enrolled device {id}");
                Ok(self.certificate(&joining.first, chain_pem, Generation::FIRST))
            }
            Joined::Before(device) => {
                let nobody = ("nobody", hostname);
                let event = self.event_by(nobody, origin, "device.certify", device.id);
                let event = Event { detail: told, ..event };
                self.certify(csr_pem, (device, Showing::Token), event).await
            }
            Joined::Waiting(id) => {
                tracing::info!(device.id = %id, "device {id} waits to be let in");
                Err(Error::DeviceWaits)
            }
            Joined::Refused => {
                self.not_enrolled(Event { target: String::new(), detail: told, ..event }).await
            }
            Joined::Elsewhere(why) => self.not_for_it(why, &joining, event).await,
        }
    }

    /// Refuses a device that its token is not for. A token that is shown in another network is known to
    /// somebody whom it was not given, so it is the last time that it is shown.
    async fn not_for_it(
        &self,
        why: Judged,
        joining: &Joining,
        event: Event,
    ) -> Result<Certificate, Error> {
        let (tenant, id) = (joining.first.tenant, joining.token);
        let Claims { hostname, serial, remote_address } = &joining.claims;
        let detail = format!("hostname {hostname}, serial {serial:?}, token {id}: not for it");
        if why == Judged::OtherNetwork {
            let event = Event {
                action: "enrolment_token.revoke".to_owned(),
                target: id.to_string(),
                detail: format!("shown from {remote_address}, which is not where it is for"),
                ..event.clone()
            };
            self.store.enrolment.remove_token(tenant, id, &event).await?;
            tracing::warn!("enrolment token {id} was shown from {remote_address}: it is revoked");
        }
        self.not_enrolled(Event { target: String::new(), detail, ..event }).await
    }

    async fn not_enrolled(&self, event: Event) -> Result<Certificate, Error> {
        self.metrics.enrolments_refused.inc();
        self.refused(event, None).await;
        Err(Error::BadEnrolmentToken)
    }

    /// Lets a stranger try to become a device, unless too many were refused: then nothing is done
    /// for them at all. Good ones cost nothing, so that a fleet can come at once.
    pub(super) async fn limited_device(
        &self,
        action: &str,
        origin: &Origin,
        trying: impl Future<Output = Result<Certificate, Error>>,
    ) -> Result<Certificate, Error> {
        let network = network(&origin.remote_address);
        if let Err(wait) = self.enrolments.take(&network, None, self.now()) {
            self.metrics.enrolments_refused.inc();
            let mut event = self.event_by(("nobody", String::new()), origin, action, "");
            "too many tries".clone_into(&mut event.detail);
            self.refused(event, Some(&network)).await;
            return Err(Error::TooManyEnrolments(wait));
        }
        let tried = trying.await;
        if matches!(tried, Ok(_) | Err(Error::Store(_) | Error::DeviceWaits)) {
            self.enrolments.give_back(&network, None, self.now());
        }
        tried
    }
}
