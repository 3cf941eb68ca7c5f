//! Every store promise, run against every engine that keeps it.
pub mod alerts;
pub mod audit;
pub mod auth;
pub mod device_grants;
pub mod devices;
pub mod enrolment;
pub mod factors;
pub mod invitations;
pub mod mails;
pub mod monitoring;
pub mod oauth;
pub mod passkeys;
pub mod passwords;
pub mod places;
pub mod proofs;
pub mod provisioning;
pub mod upstream;
