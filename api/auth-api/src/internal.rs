//! Paths between the platform's own services. Never routed from outside.

use jiff::Timestamp;
use openframe_ids::{DeviceId, PlaceId, TenantId};
use serde::{Deserialize, Serialize};

use crate::Outcome;

/// `POST /internal/v1/resolve`: the gateway asks whose secret it was shown.
pub const RESOLVE: &str = "/internal/v1/resolve";
/// `POST /internal/v1/audit`: a service records what was asked of it.
pub const AUDIT: &str = "/internal/v1/audit";
/// `POST /internal/v1/devices/check`: the gateway asks whether a device's certificate still counts.
pub const CHECK_DEVICE: &str = "/internal/v1/devices/check";
/// `POST /internal/v1/devices/nonce`, body [`DeviceNonce`], answer 204: the gateway uses up the nonce of a
/// request that a device has signed.
pub const SPEND_NONCE: &str = "/internal/v1/devices/nonce";
/// `POST /internal/v1/ended`: a gateway asks whose access has ended since it last asked.
pub const ENDED: &str = "/internal/v1/ended";
/// `POST /internal/v1/places/find`, body [`PlaceAsked`], answer [`PlaceFound`]: the devices service asks
/// where a place is, or a device that it does not know yet.
pub const FIND_PLACE: &str = "/internal/v1/places/find";
/// `POST /internal/v1/places/move`, body [`DeviceMove`], answer 204: the devices service is about to move
/// a device.
pub const MOVE_DEVICE: &str = "/internal/v1/places/move";
/// `POST /internal/v1/places/devices`, body [`DevicesWithin`], answer [`DevicesFound`]: the monitoring
/// service asks whose telemetry somebody may see who is let in at some places only.
pub const DEVICES_WITHIN: &str = "/internal/v1/places/devices";
/// Devices in one [`DevicesFound`] at most.
pub const DEVICES_AT_ONCE: usize = 10_000;

/// `POST /internal/v1/join`: a service of another process asks for its certificate, by its join key
/// alone. What it then is in the mesh is its name.
pub const JOIN: &str = "/internal/v1/join";
/// `POST /internal/v1/server-certificate`: the gateway asks for what it shows people and devices.
pub const SERVER_CERTIFICATE: &str = "/internal/v1/server-certificate";

/// A service that wants to join, or to have its certificate renewed.
#[derive(Clone, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The service's name: `gateway`, `devices` or `monitoring`.
    pub service: String,
    /// Its join key.
    pub key: String,
    /// A request for a certificate of its own Ed25519 key, PKCS #10, PEM.
    pub csr_pem: String,
}

/// The answer to a [`JoinRequest`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinAnswer {
    /// The certificate and that of the services' authority, PEM.
    pub chain_pem: String,
    /// When it ends.
    pub not_after: Timestamp,
    /// The tenant that the platform serves.
    pub tenant_id: TenantId,
}

/// A server that wants a certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerRequest {
    /// A request for a certificate of its own P-256 key, PKCS #10, PEM.
    pub csr_pem: String,
    /// The host names and addresses that it is reached under.
    pub names: Vec<String>,
}

/// The answer to a [`ServerRequest`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerAnswer {
    /// The whole chain, root included, PEM.
    pub chain_pem: String,
}

/// A secret that came with a request.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "secret")]
pub enum Shown {
    /// The session cookie's value.
    Session(String),
    /// `Authorization: Bearer of_ak_…`.
    ApiKey(String),
    /// `Authorization: Bearer of_at_…`.
    AccessToken(String),
    /// `Authorization: DPoP of_at_…`, with the proof for this request (RFC 9449).
    BoundToken {
        /// The token.
        token: String,
        /// The `DPoP` header.
        proof: String,
        /// The request's method.
        method: String,
        /// The request's path.
        path: String,
    },
    /// The same again while its request is under way: the proof was checked.
    ProvenToken(String),
}

/// What the gateway saw of the one who asks.
#[derive(Clone, Serialize, Deserialize)]
pub struct ResolveRequest {
    /// The secret.
    pub shown: Shown,
    /// The client's address.
    pub remote_address: String,
}

/// Whose it is. A secret that is nobody's gives `Unauthenticated`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resolved {
    /// The caller's claims, as `openframe_tokens::Caller` writes itself.
    pub caller: serde_json::Value,
    /// For sessions: what `x-csrf-token` must be.
    pub csrf_token: Option<String>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// One thing for the audit trail. The actor is taken from `actor_*`, given by the service that
/// was asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The tenant whose trail it belongs to.
    pub tenant_id: TenantId,
    /// `user`, `api_key`, `device`, `service` or `nobody`.
    pub actor_kind: String,
    /// Who.
    pub actor: String,
    /// What: `command.create`, `device.change`, ….
    pub action: String,
    /// To what.
    pub target: String,
    /// How it ended.
    #[serde(default)]
    pub outcome: Outcome,
    /// More, as short text. Never a secret.
    #[serde(default)]
    pub detail: String,
    /// From where, if known.
    #[serde(default)]
    pub remote_address: String,
    /// In which request, if in one.
    #[serde(default)]
    pub request_id: String,
}

/// A device that has shown a good certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceCheck {
    /// The tenant of its certificate.
    pub tenant_id: TenantId,
    /// The device of its certificate.
    pub device_id: DeviceId,
    /// The certificate's serial number, hex.
    pub serial: String,
}

/// What a device has made up for one request that it has signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceNonce {
    /// The device.
    pub device_id: DeviceId,
    /// The nonce.
    pub nonce: String,
    /// When the request is too old by itself.
    pub until: Timestamp,
}

/// What is asked the place of.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum PlaceAsked {
    /// A place, by its own id.
    Place(PlaceId),
    /// A device that has enrolled.
    Device(DeviceId),
}

/// Where something is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlaceFound {
    /// As `openframe_tokens::Place` writes itself.
    pub place: String,
}

/// Which devices are asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DevicesWithin {
    /// Those in this place and in all that lies in it, as `openframe_tokens::Place` writes itself.
    pub place: String,
    /// Those with greater ids only: the last of the answer before.
    #[serde(default)]
    pub after: Option<DeviceId>,
}

/// The devices that were asked for, retired ones among them, by their ids.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DevicesFound {
    /// Their ids, at most [`DEVICES_AT_ONCE`]; there may be more when it is as many.
    pub items: Vec<DeviceId>,
}

/// A device that is about to be moved.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceMove {
    /// Which device.
    pub device_id: DeviceId,
    /// To where, as `openframe_tokens::Place` writes itself.
    pub to: String,
}

/// The question whose access has ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct EndedSince {
    /// The place on the audit trail up to which the gateway knows; none when it has just started.
    pub place: Option<u64>,
}

/// Whose access has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Up to where this is all.
    pub place: u64,
    /// Whether somebody's access has ended or changed: whom the gateway knows it has to ask about anew.
    pub people: bool,
    /// Devices that were revoked.
    pub devices: Vec<DeviceId>,
}
