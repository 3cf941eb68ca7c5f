//! Certificates: the platform's authority, device certificates and the pins that name them.
//!
//! One root (P-384, ten years) signs two authorities (P-256): the issuing one signs device certificates
//! of 24 hours and the certificates of the platform's servers, the other one those of 24 hours that
//! the platform's services show each other. [`Authority`] holds them; [`DeviceKey`]
//! is a device's half; `verify` has the TLS settings of each side; a [`Seal`] is what the platform has said,
//! signed. Profile: RFC 5280, and SPIFFE
//! X.509-SVID for the URI that names a device.

mod authority;
mod device;
mod error;
mod revocation;
mod seal;
mod service;
mod shown;
mod state;
mod verify;

pub use authority::{
    Authority, DEVICE_LIFETIME, IssuedDevice, IssuedService, Pair, SERVER_LIFETIME, ServerIdentity,
};
pub use device::{DeviceIdentity, DeviceKey, KeyProof, csr_spki_sha256, device_identity};
pub use error::Error;
pub use revocation::Withdrawn;
pub use seal::Seal;
pub use service::{
    KnownService, SERVICE_LIFETIME, ServiceCertificate, ServiceKey, ServiceRoot, Shown,
    service_name,
};
pub use shown::{DeviceRoot, ShownDevice};
pub use state::{DeviceState, DeviceStates};
pub use verify::{
    agents_server, device_client, install_provider, pin_of, pinned_client, public_client,
    root_client, service_client, services_server, users_server,
};
