//! Certificates: the platform's authority, device certificates and the pins that name them.
