//! A URL that a person asks for.

use http::Uri;
use tidegate_core::cache::key::Url;
use tidegate_core::route::normalize_path;

/// A URL that a person asks for.
pub struct AskedUrl {
    scheme: &'static str,
    host: String,
    path: String,
    query: Option<String>,
}

impl AskedUrl {
    /// Reads it as requests for it are read.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a URL like http://example.com/path, not `{text}`");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Err(wrong()),
        };
        let host = uri.authority().ok_or_else(wrong)?.as_str().to_ascii_lowercase();
        let path = normalize_path(uri.path()).map_err(|error| error.to_string())?.into_owned();
        Ok(Self { scheme, host, path, query: uri.query().map(str::to_owned) })
    }

    /// The URL.
    pub fn url(&self) -> Url<'_> {
        let query = self.query.as_deref();
        Url { scheme: self.scheme, host: &self.host, path: &self.path, query }
    }
}
