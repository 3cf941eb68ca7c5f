//! The console's files, as the executable hands them in.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

/// One file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its content.
    pub body: Bytes,
    /// Its content compressed by Brotli, if that is smaller.
    pub brotli: Option<Bytes>,
    /// Its media type.
    pub content_type: &'static str,
    /// Its entity tag, quoted.
    pub etag: &'static str,
    /// Whether its name changes with its content, so that it may be kept for ever.
    pub immutable: bool,
}

/// The files of a console.
pub trait Assets: Send + Sync + 'static {
    /// The file at `path` (`/assets/x.js`), if there is one.
    fn find(&self, path: &str) -> Option<Asset>;

    /// The page that every address of the console begins with.
    fn index(&self) -> Asset;

    /// The content security policy of that page.
    fn policy(&self) -> &'static str;
}

/// Answers a `GET` of a console's address: a file, or the page for an address within it. `None`
/// when the path looks like a file that is not there.
pub(crate) fn serve(
    assets: &Arc<dyn Assets>,
    path: &str,
    headers: &HeaderMap,
) -> Option<Response<Body>> {
    let found = assets.find(path).filter(|_| path != "/");
    let looks_like_a_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    let asset = match found {
        Some(asset) => asset,
        None if looks_like_a_file => return None,
        None => assets.index(),
    };
    Some(answer(&asset, assets.policy(), headers))
}

fn answer(asset: &Asset, policy: &'static str, headers: &HeaderMap) -> Response<Body> {
    let accepts = |name: HeaderName, part: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.split(',').any(|item| item.trim().starts_with(part)))
    };
    let mut response = Response::new(Body::empty());
    let own = response.headers_mut();
    own.insert(ETAG, HeaderValue::from_static(asset.etag));
    own.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let keep = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    own.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    own.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    if asset.content_type.starts_with("text/html") {
        own.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    if accepts(IF_NONE_MATCH, asset.etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let body = match &asset.brotli {
        Some(brotli) if accepts(ACCEPT_ENCODING, "br") => {
            own.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
            brotli
        }
        _ => &asset.body,
    };
    *response.body_mut() = Body::from(body.clone());
    response
}
