//! The web console, as files in the executable. `build.rs` makes them from `web/`.

/// What the pages may load and do: nothing from elsewhere, no script and no style in a page, and no
/// text that becomes markup or script while it runs: there is no Trusted Types policy to allow it.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                          img-src 'self' data:; font-src 'self'; connect-src 'self'; \
                          base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                          require-trusted-types-for 'script'; trusted-types 'none'";

/// One file.
#[derive(Debug)]
pub struct File {
    /// Its address, such as `/assets/index-1a2b.js`.
    pub path: &'static str,
    /// Its content.
    pub body: &'static [u8],
    /// Its content compressed by Brotli, if that is smaller.
    pub brotli: Option<&'static [u8]>,
    /// Its media type.
    pub content_type: &'static str,
    /// Its entity tag, quoted.
    pub etag: &'static str,
    /// Whether its name changes with its content.
    pub immutable: bool,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The file at `path`, if there is one.
pub fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}
