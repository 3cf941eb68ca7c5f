//! The typed client.

use axum::body::Body;
use http::{Method, Response};
use openframe_agent_api::enrolment::{
    Certified, ENROL_PATH, EnrolRequest, RECOVER_PATH, RENEW_PATH, RecoverRequest, RenewRequest,
};
use openframe_fault::Fault;
use openframe_ids::{
    ApiKeyId, ClientId, DeviceId, EnrolmentTokenId, GrantId, IdentityProviderId, PasskeyId,
    PlaceId, SessionId, UserId,
};
use openframe_mesh::{Client, query};

use crate::internal::{
    AUDIT, AuditRecord, CHECK_DEVICE, DEVICES_WITHIN, DeviceCheck, DeviceMove, DeviceNonce,
    DevicesFound, DevicesWithin, ENDED, Ended, EndedSince, FIND_PLACE, JOIN, JoinAnswer,
    JoinRequest, MOVE_DEVICE, PlaceAsked, PlaceFound, RESOLVE, ResolveRequest, Resolved,
    SERVER_CERTIFICATE, SPEND_NONCE, ServerAnswer, ServerRequest,
};
use crate::{
    AccessAnswer, AccessQuery, ApiKey, AuditEntry, AuditFilter, AuditStream, AuditVerdict,
    EnrolmentToken, Grant, IdentityProvider, IdentityProviderChange, Invitation, MadeApiKey,
    MadeEnrolmentToken, MadeOAuthClient, Me, NewApiKey, NewEnrolmentToken, NewGrant,
    NewIdentityProvider, NewInvitation, NewOAuthClient, NewPlace, NewUser, OAuthClient, PREFIX,
    Page, Passkey, PasswordForgotten, PasswordLink, PeopleGroup, Place, PlaceChange,
    QuarantinedDevice, RotateKeys, Session, Settings, SigningKey, User, UserChange, WaitingDevice,
};

/// Asks the auth service. Every method fails with the service's own refusal, or with `Unavailable`
/// when it does not answer.
#[derive(Debug, Clone)]
pub struct AuthClient {
    root: Client,
    api: Client,
}

impl AuthClient {
    /// A client on top of `client`.
    pub fn new(client: Client) -> Self {
        Self { api: client.under(PREFIX), root: client }
    }

    /// Who the credential belongs to.
    pub async fn me(&self) -> Result<Me, Fault> {
        self.api.get("/me").await
    }

    /// Every person of the tenant.
    pub async fn users(&self) -> Result<Page<User>, Fault> {
        self.api.get("/users").await
    }

    /// Adds a person.
    pub async fn create_user(&self, user: &NewUser) -> Result<User, Fault> {
        self.api.send(Method::POST, "/users", user).await
    }

    /// Changes a person.
    pub async fn change_user(&self, id: UserId, change: &UserChange) -> Result<User, Fault> {
        self.api.send(Method::PATCH, &format!("/users/{id}"), change).await
    }

    /// Invites a person by mail.
    pub async fn invite(&self, new: &NewInvitation) -> Result<Invitation, Fault> {
        self.api.send(Method::POST, "/invitations", new).await
    }

    /// Invites a person again who has not accepted.
    pub async fn invite_again(&self, id: UserId) -> Result<Invitation, Fault> {
        self.api.send(Method::POST, &format!("/users/{id}/invitation"), &()).await
    }

    /// Takes an invitation back that was not accepted.
    pub async fn withdraw_invitation(&self, id: UserId) -> Result<(), Fault> {
        self.api.delete(&format!("/users/{id}/invitation")).await
    }

    /// The providers that people may sign in at.
    pub async fn identity_providers(&self) -> Result<Page<IdentityProvider>, Fault> {
        self.api.get("/identity-providers").await
    }

    /// Adds a provider.
    pub async fn create_identity_provider(
        &self,
        new: &NewIdentityProvider,
    ) -> Result<IdentityProvider, Fault> {
        self.api.send(Method::POST, "/identity-providers", new).await
    }

    /// Changes a provider.
    pub async fn change_identity_provider(
        &self,
        id: IdentityProviderId,
        change: &IdentityProviderChange,
    ) -> Result<IdentityProvider, Fault> {
        self.api.send(Method::PATCH, &format!("/identity-providers/{id}"), change).await
    }

    /// Removes a provider.
    pub async fn remove_identity_provider(&self, id: IdentityProviderId) -> Result<(), Fault> {
        self.api.delete(&format!("/identity-providers/{id}")).await
    }

    /// The sign-ins of the caller, or of everybody.
    pub async fn sessions(&self, all: bool) -> Result<Page<Session>, Fault> {
        self.api.get(if all { "/sessions?all=true" } else { "/sessions" }).await
    }

    /// Ends a sign-in.
    pub async fn revoke_session(&self, id: SessionId) -> Result<(), Fault> {
        self.api.delete(&format!("/sessions/{id}")).await
    }

    /// The caller's API keys, or everybody's.
    pub async fn api_keys(&self, all: bool) -> Result<Page<ApiKey>, Fault> {
        self.api.get(if all { "/api-keys?all=true" } else { "/api-keys" }).await
    }

    /// Makes an API key.
    pub async fn create_api_key(&self, key: &NewApiKey) -> Result<MadeApiKey, Fault> {
        self.api.send(Method::POST, "/api-keys", key).await
    }

    /// Makes an API key of a provisioner, by which a directory asks.
    pub async fn create_api_key_of(
        &self,
        id: UserId,
        key: &NewApiKey,
    ) -> Result<MadeApiKey, Fault> {
        self.api.send(Method::POST, &format!("/users/{id}/api-keys"), key).await
    }

    /// Groups of people.
    pub async fn groups(&self) -> Result<Page<PeopleGroup>, Fault> {
        self.api.get("/groups").await
    }

    /// Revokes an API key.
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<(), Fault> {
        self.api.delete(&format!("/api-keys/{id}")).await
    }

    /// The places that the caller reads devices of, and those that they lie in.
    pub async fn places(&self) -> Result<Page<Place>, Fault> {
        self.api.get("/places").await
    }

    /// Makes a place.
    pub async fn create_place(&self, place: &NewPlace) -> Result<Place, Fault> {
        self.api.send(Method::POST, "/places", place).await
    }

    /// Renames a place.
    pub async fn change_place(&self, id: PlaceId, change: &PlaceChange) -> Result<Place, Fault> {
        self.api.send(Method::PATCH, &format!("/places/{id}"), change).await
    }

    /// Removes a place in which nothing is.
    pub async fn remove_place(&self, id: PlaceId) -> Result<(), Fault> {
        self.api.delete(&format!("/places/{id}")).await
    }

    /// What a person is granted.
    pub async fn grants(&self, user: UserId) -> Result<Page<Grant>, Fault> {
        self.api.get(&format!("/users/{user}/grants")).await
    }

    /// Grants a role to a person at a place, or denies it there.
    pub async fn create_grant(&self, user: UserId, grant: &NewGrant) -> Result<Grant, Fault> {
        self.api.send(Method::POST, &format!("/users/{user}/grants"), grant).await
    }

    /// Takes a grant back.
    pub async fn remove_grant(&self, user: UserId, id: GrantId) -> Result<(), Fault> {
        self.api.delete(&format!("/users/{user}/grants/{id}")).await
    }

    /// Whether a person may do something somewhere, and what says so.
    pub async fn access(&self, asked: &AccessQuery) -> Result<AccessAnswer, Fault> {
        let user = asked.user.map(|user| user.to_string());
        let place = asked.place.map(|place| place.to_string());
        let pairs = [
            ("user", user.as_deref()),
            ("permission", asked.permission.as_deref()),
            ("place", place.as_deref()),
        ];
        self.api.get(&format!("/access{}", query(&pairs))).await
    }

    /// Makes a link by which a person chooses a new password.
    pub async fn create_password_link(&self, id: UserId) -> Result<PasswordLink, Fault> {
        self.api.send(Method::POST, &format!("/users/{id}/password-link"), &()).await
    }

    /// Has a link by which a person chooses a new password sent to whoever has a mail address.
    pub async fn ask_password_link(&self, asked: &PasswordForgotten) -> Result<(), Fault> {
        self.api.tell(Method::POST, "/password/forgot", asked).await
    }

    /// Removes the second factors of a person.
    pub async fn reset_factors(&self, id: UserId) -> Result<(), Fault> {
        self.api.delete(&format!("/users/{id}/factors")).await
    }

    /// The passkeys of a person.
    pub async fn passkeys_of(&self, id: UserId) -> Result<Page<Passkey>, Fault> {
        self.api.get(&format!("/users/{id}/passkeys")).await
    }

    /// Removes a passkey of a person.
    pub async fn remove_passkey_of(&self, id: UserId, passkey: PasskeyId) -> Result<(), Fault> {
        self.api.delete(&format!("/users/{id}/passkeys/{passkey}")).await
    }

    /// What owners have decided for everybody.
    pub async fn settings(&self) -> Result<Settings, Fault> {
        self.api.get("/settings").await
    }

    /// Decides for everybody.
    pub async fn change_settings(&self, to: Settings) -> Result<Settings, Fault> {
        self.api.send(Method::PUT, "/settings", &to).await
    }

    /// The programs that may ask people for access.
    pub async fn oauth_clients(&self) -> Result<Page<OAuthClient>, Fault> {
        self.api.get("/oauth-clients").await
    }

    /// Registers a program.
    pub async fn create_oauth_client(
        &self,
        client: &NewOAuthClient,
    ) -> Result<MadeOAuthClient, Fault> {
        self.api.send(Method::POST, "/oauth-clients", client).await
    }

    /// Removes a program, and every token of it.
    pub async fn remove_oauth_client(&self, id: ClientId) -> Result<(), Fault> {
        self.api.delete(&format!("/oauth-clients/{id}")).await
    }

    /// The keys that sign ID tokens, oldest first.
    pub async fn signing_keys(&self) -> Result<Page<SigningKey>, Fault> {
        self.api.get("/signing-keys").await
    }

    /// Makes a new key that signs ID tokens.
    pub async fn rotate_keys(&self, wanted: RotateKeys) -> Result<SigningKey, Fault> {
        self.api.send(Method::POST, "/signing-keys", &wanted).await
    }

    /// The tenant's enrolment tokens that can still be used.
    pub async fn enrolment_tokens(&self) -> Result<Page<EnrolmentToken>, Fault> {
        self.api.get("/enrolment-tokens").await
    }

    /// Makes an enrolment token.
    pub async fn create_enrolment_token(
        &self,
        token: &NewEnrolmentToken,
    ) -> Result<MadeEnrolmentToken, Fault> {
        self.api.send(Method::POST, "/enrolment-tokens", token).await
    }

    /// Revokes an enrolment token.
    pub async fn revoke_enrolment_token(&self, id: EnrolmentTokenId) -> Result<(), Fault> {
        self.api.delete(&format!("/enrolment-tokens/{id}")).await
    }

    /// The audit trail, newest first.
    pub async fn audit(&self, cursor: Option<&str>, limit: u32) -> Result<Page<AuditEntry>, Fault> {
        self.search_audit(&AuditFilter::default(), cursor, limit).await
    }

    /// What is looked for in the audit trail, newest first.
    pub async fn search_audit(
        &self,
        filter: &AuditFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditEntry>, Fault> {
        let limit = limit.to_string();
        let mut pairs = filter.pairs().to_vec();
        pairs.extend([("cursor", cursor), ("limit", Some(&limit))]);
        self.api.get(&format!("/audit{}", query(&pairs))).await
    }

    /// All that is looked for in the audit trail, as JSON, an entry a line, oldest first. It is whole
    /// only if the body ends without a failure.
    pub async fn export_audit(&self, filter: &AuditFilter) -> Result<Response<Body>, Fault> {
        self.api.stream(&format!("/audit/export{}", query(&filter.pairs()))).await
    }

    /// The certificates of devices that are revoked or on hold, DER (RFC 5280, section 5).
    pub async fn revocation_list(&self) -> Result<Response<Body>, Fault> {
        self.api.stream("/devices.crl").await
    }

    /// The authorities that devices' certificates come from, root first, PEM.
    pub async fn trust_bundle(&self) -> Result<Response<Body>, Fault> {
        self.api.stream("/trust-bundle.pem").await
    }

    /// Whether the audit trail's chain holds.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, Fault> {
        self.api.get("/audit/verify").await
    }

    /// Where the audit trail is sent to.
    pub async fn audit_streams(&self) -> Result<Page<AuditStream>, Fault> {
        self.api.get("/audit/streams").await
    }

    /// Makes the certificates of a device count no more.
    pub async fn revoke_device(&self, id: DeviceId) -> Result<(), Fault> {
        self.api.delete(&format!("/devices/{id}")).await
    }

    /// The devices that are in quarantine, the latest first.
    pub async fn quarantined(&self) -> Result<Page<QuarantinedDevice>, Fault> {
        self.api.get("/quarantine").await
    }

    /// The devices that wait to be let in, the first first.
    pub async fn waiting_devices(&self) -> Result<Page<WaitingDevice>, Fault> {
        self.api.get("/waiting-devices").await
    }

    /// Lets a device in that waits.
    pub async fn admit_device(&self, id: DeviceId) -> Result<(), Fault> {
        self.api.tell(Method::POST, &format!("/waiting-devices/{id}"), &()).await
    }

    /// Turns a device away that waits.
    pub async fn turn_away_device(&self, id: DeviceId) -> Result<(), Fault> {
        self.api.delete(&format!("/waiting-devices/{id}")).await
    }

    /// Takes a device out of quarantine.
    pub async fn readmit_device(&self, id: DeviceId) -> Result<(), Fault> {
        self.api.tell(Method::POST, &format!("/devices/{id}/readmit"), &()).await
    }

    /// Enrols a device.
    pub async fn enrol(&self, request: &EnrolRequest) -> Result<Certified, Fault> {
        self.root.send(Method::POST, ENROL_PATH, request).await
    }

    /// Renews the certificate of the device that the credential names.
    pub async fn renew(&self, request: &RenewRequest) -> Result<Certified, Fault> {
        self.root.send(Method::POST, RENEW_PATH, request).await
    }

    /// Gets a new certificate for a device whose last one has ended.
    pub async fn recover(&self, request: &RecoverRequest) -> Result<Certified, Fault> {
        self.root.send(Method::POST, RECOVER_PATH, request).await
    }

    /// Asks whose secret was shown.
    pub async fn resolve(&self, request: &ResolveRequest) -> Result<Resolved, Fault> {
        self.root.send(Method::POST, RESOLVE, request).await
    }

    /// Records something in the audit trail; returns once it is durable.
    pub async fn record(&self, record: &AuditRecord) -> Result<(), Fault> {
        self.root.tell(Method::POST, AUDIT, record).await
    }

    /// Fails with `Unauthenticated` when the device was revoked or the certificate does not count.
    pub async fn check_device(&self, check: &DeviceCheck) -> Result<(), Fault> {
        self.root.tell(Method::POST, CHECK_DEVICE, check).await
    }

    /// Uses up a nonce; fails with `Unauthenticated` when that was done before.
    pub async fn spend_nonce(&self, nonce: &DeviceNonce) -> Result<(), Fault> {
        self.root.tell(Method::POST, SPEND_NONCE, nonce).await
    }

    /// Whose access has ended since a place on the audit trail.
    pub async fn ended(&self, place: Option<u64>) -> Result<Ended, Fault> {
        self.root.send(Method::POST, ENDED, &EndedSince { place }).await
    }

    /// Where a place is, or a device: for the devices service.
    pub async fn find_place(&self, of: PlaceAsked) -> Result<PlaceFound, Fault> {
        self.root.send(Method::POST, FIND_PLACE, &of).await
    }

    /// The devices in a place, in parts: for the monitoring service.
    pub async fn devices_within(&self, of: &DevicesWithin) -> Result<DevicesFound, Fault> {
        self.root.send(Method::POST, DEVICES_WITHIN, of).await
    }

    /// Says that a device is about to be moved: for the devices service.
    pub async fn move_device(&self, wanted: &DeviceMove) -> Result<(), Fault> {
        self.root.tell(Method::POST, MOVE_DEVICE, wanted).await
    }

    /// Asks for the certificate of a service, by its join key: needs no credential.
    pub async fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, Fault> {
        self.root.send(Method::POST, JOIN, request).await
    }

    /// Asks for the certificate of a server that people and devices reach.
    pub async fn server_certificate(&self, request: &ServerRequest) -> Result<ServerAnswer, Fault> {
        self.root.send(Method::POST, SERVER_CERTIFICATE, request).await
    }
}
