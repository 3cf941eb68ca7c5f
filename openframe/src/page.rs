//! The console's files, as the gateway asks for them.

use openframe_gateway::{Asset, Assets};

/// The console that this executable carries.
pub(crate) struct Page;

impl Assets for Page {
    fn find(&self, _path: &str) -> Option<Asset> {
        None
    }

    fn index(&self) -> Asset {
        Asset {
            body: openframe_console::INDEX.into(),
            brotli: None,
            content_type: "text/html; charset=utf-8",
            etag: concat!("\"", env!("CARGO_PKG_VERSION"), "\""),
            immutable: false,
        }
    }

    fn policy(&self) -> &'static str {
        openframe_console::POLICY
    }
}
