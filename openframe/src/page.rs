//! The console's files, as the gateway asks for them.

use openframe_console::File;
use openframe_gateway::{Asset, Assets};

/// The console that this executable carries.
pub(crate) struct Page;

fn asset(file: &'static File) -> Asset {
    Asset {
        body: file.body.into(),
        brotli: file.brotli.map(Into::into),
        content_type: file.content_type,
        etag: file.etag,
        immutable: file.immutable,
    }
}

impl Assets for Page {
    fn find(&self, path: &str) -> Option<Asset> {
        openframe_console::find(path).map(asset)
    }

    fn index(&self) -> Asset {
        openframe_console::find("/index.html").map_or_else(
            // Every build has an index; an empty answer is all that is left without one.
            || Asset {
                body: bytes::Bytes::new(),
                brotli: None,
                content_type: "text/html; charset=utf-8",
                etag: "\"none\"",
                immutable: false,
            },
            asset,
        )
    }

    fn policy(&self) -> &'static str {
        openframe_console::POLICY
    }
}
