//! Which part of the platform a process is.

use openframe_mesh::Rule;

/// A service that can be a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// The only door
    Gateway,
    /// Who may do what
    Auth,
    /// Which devices exist and what they are told to do
    Devices,
    /// What devices measure
    Monitoring,
}

impl Role {
    /// Every role.
    pub(crate) const ALL: [Self; 4] = [Self::Gateway, Self::Auth, Self::Devices, Self::Monitoring];

    /// Its name: in certificates, tokens and settings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Auth => "auth",
            Self::Devices => "devices",
            Self::Monitoring => "monitoring",
        }
    }

    /// Who may ask it for what, first match first. Nothing else is answered.
    pub(crate) fn rules(self) -> &'static [Rule] {
        const fn rule(prefix: &'static str, services: &'static [&'static str]) -> Rule {
            Rule { prefix, services }
        }
        const REPORT: Rule = rule(openframe_platform_api::internal::REPORT, &["gateway"]);
        const AUTH: &[Rule] = &[
            REPORT,
            rule(openframe_auth_api::internal::JOIN, &[]),
            // Its own door refuses as well, and says so like those of the others.
            rule(
                openframe_auth_api::internal::AUDIT,
                &["gateway", "auth", "devices", "monitoring"],
            ),
            rule(openframe_auth_api::internal::FIND_PLACE, &["devices"]),
            rule(openframe_auth_api::internal::MOVE_DEVICE, &["devices"]),
            rule(openframe_auth_api::internal::DEVICES_WITHIN, &["monitoring"]),
            rule("/api/auth/v1/devices/", &["gateway", "devices"]),
            rule("/", &["gateway"]),
        ];
        const LINKS: &[Rule] =
            &[REPORT, rule(openframe_devices_api::internal::LINKS, &["devices"])];
        const DEVICES: &[Rule] = &[
            REPORT,
            rule(openframe_devices_api::internal::SIBLINGS, &["devices"]),
            rule("/", &["gateway"]),
        ];
        const FROM_GATEWAY: &[Rule] = &[REPORT, rule("/", &["gateway"])];
        match self {
            Self::Gateway => LINKS,
            Self::Auth => AUTH,
            Self::Devices => DEVICES,
            Self::Monitoring => FROM_GATEWAY,
        }
    }
}
