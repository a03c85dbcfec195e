//! The key of a response: what requests have in common that get it (RFC 9111 §2).
//!
//! A key is a row of parts with the length before each, so that no two rows make the same text. First come those of the
//! URL, so that all that is stored for one URL can be found by a hash of them.

mod query;
mod text;

use http::{HeaderMap, HeaderName};
use xxhash_rust::xxh3::xxh3_128;

use self::query::Query;
pub use self::text::Text;
use self::text::{add_number, add_part, take_part};
use crate::message::authority::without_default_port;
use crate::message::field::{cookies, is_token};
use crate::plan::{self, Issue};
use crate::rewrite::is_own;

/// What is asked for, as the client asked, before a route rewrites it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Url<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host, with its port where it has one.
    pub host: &'a str,
    /// The path in its normal form.
    pub path: &'a str,
    /// What follows the `?`; `None` where there is none.
    pub query: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// The URL that a key's text begins with: what the rule left of it, the host in lower case and without the port
    /// that is the scheme's. `None` where `text` is no key's.
    pub fn of_key(text: &'a [u8]) -> Option<Self> {
        let mut rest = text;
        let mut part = || take_part(&mut rest);
        let (scheme, host, path) = (part()??, part()??, part()??);
        Some(Self { scheme, host, path, query: part()? })
    }
}

/// The key of a request, whose text is with it, or of a stored response, whose text lies apart and is as long as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key<T = Text> {
    /// Hash of the URL, as far as the rule counts it.
    pub url: u128,
    /// Hash of the whole.
    pub hash: u128,
    /// The whole. It is compared on a hit, because hashes can be made to collide.
    pub text: T,
}

/// The key of a stored response.
pub type StoredKey = Key<Box<[u8]>>;

impl<T: AsRef<[u8]>> Key<T> {
    /// Whether it is the same as `other`.
    pub fn is(&self, other: &Key<impl AsRef<[u8]>>) -> bool {
        self.text.as_ref() == other.text.as_ref()
    }

    /// The same, of a stored response.
    pub fn stored(&self) -> StoredKey {
        Key { url: self.url, hash: self.hash, text: self.text.as_ref().into() }
    }

    /// The key of a slice of what has this one, in this version, with this number. It begins as this one does, so that
    /// purges of the URL find both.
    pub fn slice(&self, version: u128, number: u64) -> Key {
        let mut text = Text::from_slice(self.text.as_ref());
        text.push(b's');
        text.extend_from_slice(&version.to_le_bytes());
        text.extend_from_slice(&number.to_le_bytes());
        Key { url: self.url, hash: xxh3_128(&text), text }
    }

    /// Whether both are keys of slices of the same version of the same thing.
    pub fn is_slice_beside(&self, other: &Key<impl AsRef<[u8]>>) -> bool {
        let (text, other) = (self.text.as_ref(), other.text.as_ref());
        let version = |text: &[u8]| text.len().checked_sub(size_of::<u64>());
        version(text).is_some_and(|end| version(other) == Some(end) && text[..end] == other[..end])
    }

    /// What it is the key of, as far as its rule counts that.
    pub fn asked(&self) -> Url<'_> {
        let nothing = Url { scheme: "", host: "", path: "", query: None };
        Url::of_key(self.text.as_ref()).unwrap_or(nothing)
    }
}

/// Which parts of a request count.
#[derive(Debug)]
pub struct KeyRule {
    query: Query,
    headers: Box<[HeaderName]>,
    cookies: Box<[Box<str>]>,
    /// The route's name, where responses to its requests are not those of other routes.
    route: Option<Box<str>>,
}

impl KeyRule {
    /// Reads the option `wanted` of the route `route`, which stands at `at` (like `routes.3.cache.key`). What is wrong
    /// is added to `issues` and left out.
    pub fn build(wanted: &plan::CacheKey, route: &str, at: &str, issues: &mut Vec<Issue>) -> Self {
        let query = Query::build(&wanted.query, &format!("{at}.query"), issues);
        let mut headers: Vec<_> = keep(&wanted.headers, &format!("{at}.headers"), issues, field);
        let mut cookies: Vec<_> = keep(&wanted.cookies, &format!("{at}.cookies"), issues, cookie);
        // In which order they stand in the configuration does not count.
        headers.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        headers.dedup();
        cookies.sort_unstable();
        cookies.dedup();
        Self {
            query,
            headers: headers.into(),
            cookies: cookies.into(),
            route: wanted.route.then(|| route.into()),
        }
    }

    /// Whether nothing but the URL counts, so that both hashes of a key are one.
    pub fn is_url_alone(&self) -> bool {
        self.headers.is_empty() && self.cookies.is_empty() && self.route.is_none()
    }

    /// Whether the field of this name counts.
    pub fn counts(&self, name: &HeaderName) -> bool {
        self.headers.contains(name)
    }

    /// The key of a request for `url` with these fields.
    pub fn key(&self, url: &Url<'_>, headers: &HeaderMap) -> Key {
        let mut text = Text::new();
        self.add_url(url, &mut text);
        let of_url = xxh3_128(&text);
        if self.is_url_alone() {
            return Key { url: of_url, hash: of_url, text };
        }
        for name in &self.headers {
            let values = headers.get_all(name).iter().map(|value| value.as_bytes());
            add_values(b'h', name.as_str(), values, &mut text);
        }
        for name in &self.cookies {
            add_values(b'c', name, cookies(headers, name), &mut text);
        }
        if let Some(route) = &self.route {
            add_values(b'r', route, std::iter::empty(), &mut text);
        }
        Key { url: of_url, hash: xxh3_128(&text), text }
    }

    fn add_url(&self, url: &Url<'_>, text: &mut Text) {
        add_part(url.scheme.as_bytes(), text);
        add_host(url, text);
        add_part(url.path.as_bytes(), text);
        match url.query.and_then(|query| self.query.counted(query)) {
            Some(query) => add_part(query.as_bytes(), text),
            None => add_number(0, text),
        }
    }
}

fn field(name: &str) -> Result<HeaderName, String> {
    let field = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is not the name of a header field"))?;
    if is_own(&field) {
        return Err(format!(
            "`{field}` belongs to one connection or frames a message: the origin does not get the client's, so no \
             response depends on it"
        ));
    }
    Ok(field)
}

fn cookie(name: &str) -> Result<Box<str>, String> {
    match is_token(name) {
        true => Ok(name.into()),
        false => Err(format!("`{name}` is not the name of a cookie (RFC 6265 §4.1.1)")),
    }
}

/// What `read` makes of the words of a list that stands at `at`; the others are added to `issues`.
fn keep<T, List: FromIterator<T>>(
    words: &[String],
    at: &str,
    issues: &mut Vec<Issue>,
    read: impl Fn(&str) -> Result<T, String>,
) -> List {
    let read = |(index, word): (usize, &String)| {
        let wrong = |wrong| issues.push(Issue::new(format!("{at}.{index}"), wrong));
        read(word).map_err(wrong).ok()
    };
    words.iter().enumerate().filter_map(read).collect()
}

/// The values of one name, which are of that `kind`.
fn add_values<'v>(kind: u8, name: &str, values: impl Iterator<Item = &'v [u8]>, text: &mut Text) {
    text.push(kind);
    add_part(name.as_bytes(), text);
    for value in values {
        add_part(value, text);
    }
    add_number(0, text);
}

/// The host in lower case, without the port that is the scheme's (RFC 3986 §6.2.2.1, §6.2.3).
fn add_host(url: &Url<'_>, text: &mut Text) {
    let (name, port) = without_default_port(url.host.as_bytes(), url.scheme);
    let colon: &[u8] = if port.is_empty() { b"" } else { b":" };
    add_number(name.len() + colon.len() + port.len() + 1, text);
    text.extend(name.iter().map(u8::to_ascii_lowercase));
    text.extend_from_slice(colon);
    text.extend_from_slice(port);
}
