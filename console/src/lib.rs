//! The page that browsers get from the executable.

/// What the page may load and do.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; \
                          form-action 'none'; frame-ancestors 'none'";

/// The page itself.
pub const INDEX: &str = include_str!("../web/index.html");
