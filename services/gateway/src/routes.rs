//! The public surface: which path belongs to whom, who may come without a name, and how much may be
//! sent. The table is replaced as a whole; requests under way keep the one they began with.

use http::Method;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The auth service.
    Auth,
    /// The devices service.
    Devices,
    /// The monitoring service.
    Monitoring,
    /// The gateway: the platform's health.
    Health,
    /// The gateway: the merged API document.
    OpenApi,
}

impl Target {
    /// The audience of internal tokens for it, and its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Devices => "devices",
            Self::Monitoring => "monitoring",
            Self::Health => "health",
            Self::OpenApi => "openapi",
        }
    }
}

/// Who may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever is known by a session, a key or a token.
    Known,
    /// Anybody: it is how one becomes known.
    Anybody,
    /// Anybody; who asks is told to the service itself, by a header of the protocol that it speaks.
    Protocol,
    /// Anybody, also sent by a page of another origin: the service asks the person before it does
    /// anything for whoever has sent the browser.
    Sent,
}

impl Access {
    /// Whether nobody needs to be known.
    pub fn is_open(self) -> bool {
        self != Self::Known
    }
}

/// How much a request may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A few fields, such as a password or a certificate request.
    Small,
    /// A JSON body.
    Usual,
    /// A batch of telemetry.
    Write,
}

/// Paths of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What the path begins with, or all of it.
    pub path: &'static str,
    /// Whether `path` is all of it.
    pub whole: bool,
    /// The one method it holds for, if not for all.
    pub method: Option<Method>,
    /// Who answers.
    pub target: Target,
    /// Who may come.
    pub access: Access,
    /// How much may be sent.
    pub size: Size,
    /// Whether the connection may be upgraded to another protocol, and then passes both ways.
    pub upgrade: bool,
}

/// The table. The first route that fits counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// A table of `routes`, in this order.
    pub fn new(routes: Vec<Route>) -> Self {
        Self(routes)
    }

    /// The public surface as `ARCHITECTURE.md` lists it.
    pub fn public() -> Self {
        let under = |path, target| Route {
            path,
            whole: false,
            method: None,
            target,
            access: Access::Known,
            size: if target == Target::Auth { Size::Small } else { Size::Usual },
            upgrade: false,
        };
        let whole = |path, method, target, open| Route {
            whole: true,
            method: Some(method),
            access: if open { Access::Anybody } else { Access::Known },
            ..under(path, target)
        };
        let provider = |path| Route { access: Access::Protocol, ..under(path, Target::Auth) };
        let write = |path| Route {
            size: Size::Write,
            ..whole(path, Method::POST, Target::Monitoring, false)
        };
        Self(vec![
            whole("/api/auth/v1/setup", Method::GET, Target::Auth, true),
            whole("/api/auth/v1/setup", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/login", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/login/code", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/login/code/options", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/login/passkey", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/login/passkey/options", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/login/totp", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/login/totp/confirm", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/password", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/password/forgot", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/devices.crl", Method::GET, Target::Auth, true),
            whole("/api/auth/v1/trust-bundle.pem", Method::GET, Target::Auth, true),
            whole("/api/auth/v1/invitation", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/email", Method::POST, Target::Auth, true),
            whole(openframe_platform_api::HEALTH, Method::GET, Target::Health, false),
            whole("/api/openapi.json", Method::GET, Target::OpenApi, true),
            write("/prometheus/api/v1/write"),
            write("/otlp/v1/metrics"),
            Route {
                access: Access::Sent,
                ..whole(openframe_auth_api::PROVIDER_LOGOUT, Method::POST, Target::Auth, true)
            },
            Route {
                whole: false,
                ..whole(openframe_auth_api::UPSTREAM, Method::GET, Target::Auth, true)
            },
            provider("/t/"),
            provider("/.well-known/oauth-authorization-server/"),
            // A group of ten thousand is larger than a form.
            Route { size: Size::Usual, ..under("/scim/v2/", Target::Auth) },
            under("/api/auth/v1/", Target::Auth),
            under("/api/devices/v1/", Target::Devices),
            under("/api/monitoring/v1/", Target::Monitoring),
            under("/prometheus/api/v1/", Target::Monitoring),
        ])
    }

    /// The route of a request, if it has one.
    pub fn find(&self, method: &Method, path: &str) -> Option<&Route> {
        self.0.iter().find(|route| {
            let fits = if route.whole { path == route.path } else { path.starts_with(route.path) };
            fits && route.method.as_ref().is_none_or(|wanted| wanted == method)
        })
    }
}

/// Whether a path belongs to the API, so that it is never answered with the console's page.
pub fn is_api(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let own = ["api", "prometheus", "otlp", "t", ".well-known", "scim", "agent", "internal"];
    own.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, path: &str, want: Option<(Target, bool)>) {
        let routes = Routes::public();
        let found = routes.find(method, path).map(|route| (route.target, route.access.is_open()));
        assert_eq!(found, want, "{method} {path}");
    }

    #[test]
    fn each_path_has_one_owner() {
        check(&Method::GET, "/api/auth/v1/me", Some((Target::Auth, false)));
        check(&Method::POST, "/api/auth/v1/login", Some((Target::Auth, true)));
        check(&Method::GET, "/api/auth/v1/login", Some((Target::Auth, false)));
        check(&Method::POST, "/t/main/token", Some((Target::Auth, true)));
        check(&Method::POST, "/t/main/logout", Some((Target::Auth, true)));
        check(&Method::GET, "/login/upstream/callback", Some((Target::Auth, true)));
        check(&Method::POST, "/login/upstream/callback", None);
        check(&Method::GET, "/api/devices/v1/devices", Some((Target::Devices, false)));
        check(&Method::GET, "/prometheus/api/v1/query", Some((Target::Monitoring, false)));
        check(&Method::POST, "/otlp/v1/metrics", Some((Target::Monitoring, false)));
        check(&Method::PATCH, "/scim/v2/Users/1", Some((Target::Auth, false)));
        check(&Method::GET, "/scim/v1/Users", None);
        check(&Method::GET, "/otlp/v1/metrics", None);
        check(&Method::GET, "/", None);
    }

    // ASVS 6.1.3, 6.3.4
    #[test]
    fn every_path_that_is_open_to_strangers_is_documented() {
        let page = include_str!("../../../docs/guide/signing-in.md");
        let rows = page.lines().skip_while(|line| !line.starts_with("| path |")).skip(2);
        let told: std::collections::BTreeSet<&str> = rows
            .take_while(|line| line.starts_with('|'))
            .filter_map(|line| line.split('`').nth(1))
            .collect();
        let open = Routes::public().0.into_iter().filter(|route| route.access.is_open());
        assert_eq!(told, open.map(|route| route.path).collect());
    }

    #[test]
    fn each_route_takes_no_more_than_it_needs() {
        let routes = Routes::public();
        let size = |path| routes.find(&Method::POST, path).unwrap().size;
        for path in ["/api/auth/v1/login", "/api/auth/v1/setup", "/api/auth/v1/api-keys"] {
            assert_eq!(size(path), Size::Small, "{path}");
        }
        assert_eq!(size("/api/devices/v1/devices"), Size::Usual);
        for path in ["/prometheus/api/v1/write", "/otlp/v1/metrics"] {
            assert_eq!(size(path), Size::Write, "{path}");
        }
    }

    #[test]
    fn inner_paths_are_nobodys() {
        for path in ["/internal/v1/resolve", "/agent/v1/enrol", "/api/devices/v2/x"] {
            check(&Method::POST, path, None);
            assert!(is_api(path));
        }
        assert!(!is_api("/devices/1"));
    }
}
