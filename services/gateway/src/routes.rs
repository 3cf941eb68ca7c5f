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
    /// Whether nobody needs to be signed in.
    pub open: bool,
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
            open: false,
            size: if target == Target::Auth { Size::Small } else { Size::Usual },
            upgrade: false,
        };
        let whole = |path, method, target, open| Route {
            whole: true,
            method: Some(method),
            open,
            ..under(path, target)
        };
        let write = |path| Route {
            size: Size::Write,
            ..whole(path, Method::POST, Target::Monitoring, false)
        };
        Self(vec![
            whole("/api/auth/v1/setup", Method::GET, Target::Auth, true),
            whole("/api/auth/v1/setup", Method::POST, Target::Auth, true),
            whole("/api/auth/v1/login", Method::POST, Target::Auth, true),
            whole(openframe_platform_api::HEALTH, Method::GET, Target::Health, false),
            whole("/api/openapi.json", Method::GET, Target::OpenApi, true),
            write("/prometheus/api/v1/write"),
            write("/otlp/v1/metrics"),
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
    let own = ["api", "prometheus", "otlp", "oauth", ".well-known", "scim", "agent", "internal"];
    own.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, path: &str, want: Option<(Target, bool)>) {
        let routes = Routes::public();
        let found = routes.find(method, path).map(|route| (route.target, route.open));
        assert_eq!(found, want, "{method} {path}");
    }

    #[test]
    fn each_path_has_one_owner() {
        check(&Method::GET, "/api/auth/v1/me", Some((Target::Auth, false)));
        check(&Method::POST, "/api/auth/v1/login", Some((Target::Auth, true)));
        check(&Method::GET, "/api/auth/v1/login", Some((Target::Auth, false)));
        check(&Method::GET, "/api/devices/v1/devices", Some((Target::Devices, false)));
        check(&Method::GET, "/prometheus/api/v1/query", Some((Target::Monitoring, false)));
        check(&Method::POST, "/otlp/v1/metrics", Some((Target::Monitoring, false)));
        check(&Method::GET, "/otlp/v1/metrics", None);
        check(&Method::GET, "/", None);
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
