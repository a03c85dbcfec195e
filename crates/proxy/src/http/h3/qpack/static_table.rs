//! The static table (RFC 9204 Appendix A).

use std::sync::LazyLock;

use http::HeaderName;

/// The name of a field line: a field's, or a pseudo-header field's (RFC 9114 §4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A field.
    Field(HeaderName),
    /// `:authority`
    Authority,
    /// `:method`
    Method,
    /// `:path`
    Path,
    /// `:protocol` (RFC 9220)
    Protocol,
    /// `:scheme`
    Scheme,
    /// `:status`
    Status,
}

impl Name {
    /// The name as it is written; `None`: no name is written so.
    pub fn read(name: &[u8]) -> Option<Self> {
        Some(match name {
            b":authority" => Self::Authority,
            b":method" => Self::Method,
            b":path" => Self::Path,
            b":protocol" => Self::Protocol,
            b":scheme" => Self::Scheme,
            b":status" => Self::Status,
            // Capital letters make a message malformed (RFC 9114 §4.2).
            name => Self::Field(HeaderName::from_lowercase(name).ok()?),
        })
    }

    /// How it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Field(name) => name.as_str(),
            Self::Authority => ":authority",
            Self::Method => ":method",
            Self::Path => ":path",
            Self::Protocol => ":protocol",
            Self::Scheme => ":scheme",
            Self::Status => ":status",
        }
    }
}

/// Where a line is found in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The whole line, at this index.
    Line(usize),
    /// Its name alone.
    Name(usize),
}

/// The line of this index.
pub fn line(index: usize) -> Option<(&'static Name, &'static str)> {
    TABLE.get(index).map(|(name, value)| (name, *value))
}

/// Where the table has a line.
pub fn find(name: &str, value: &[u8]) -> Option<Found> {
    let begins = SORTED.partition_point(|index| order(name_at(*index)) < order(name));
    let named = SORTED[begins..].iter().take_while(|index| name_at(**index) == name);
    let mut found = None;
    for index in named {
        let index = usize::from(*index);
        if TABLE[index].1.as_bytes() == value {
            return Some(Found::Line(index));
        }
        found.get_or_insert(Found::Name(index));
    }
    found
}

fn name_at(index: u8) -> &'static str {
    TABLE[usize::from(index)].0.as_str()
}

/// What names are sorted by: their lengths tell most of them apart.
fn order(name: &str) -> (usize, &str) {
    (name.len(), name)
}

/// Indexes of the lines, in the [order] of their names.
static SORTED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut indexes: Vec<u8> = (0..LINES as u8).collect();
    indexes.sort_by_key(|index| order(name_at(*index)));
    indexes
});

const fn field(name: &'static str) -> Name {
    Name::Field(HeaderName::from_static(name))
}

const LINES: usize = 99;

static TABLE: [(Name, &str); LINES] = [
    (Name::Authority, ""),
    (Name::Path, "/"),
    (field("age"), "0"),
    (field("content-disposition"), ""),
    (field("content-length"), "0"),
    (field("cookie"), ""),
    (field("date"), ""),
    (field("etag"), ""),
    (field("if-modified-since"), ""),
    (field("if-none-match"), ""),
    (field("last-modified"), ""),
    (field("link"), ""),
    (field("location"), ""),
    (field("referer"), ""),
    (field("set-cookie"), ""),
    (Name::Method, "CONNECT"),
    (Name::Method, "DELETE"),
    (Name::Method, "GET"),
    (Name::Method, "HEAD"),
    (Name::Method, "OPTIONS"),
    (Name::Method, "POST"),
    (Name::Method, "PUT"),
    (Name::Scheme, "http"),
    (Name::Scheme, "https"),
    (Name::Status, "103"),
    (Name::Status, "200"),
    (Name::Status, "304"),
    (Name::Status, "404"),
    (Name::Status, "503"),
    (field("accept"), "*/*"),
    (field("accept"), "application/dns-message"),
    (field("accept-encoding"), "gzip, deflate, br"),
    (field("accept-ranges"), "bytes"),
    (field("access-control-allow-headers"), "cache-control"),
    (field("access-control-allow-headers"), "content-type"),
    (field("access-control-allow-origin"), "*"),
    (field("cache-control"), "max-age=0"),
    (field("cache-control"), "max-age=2592000"),
    (field("cache-control"), "max-age=604800"),
    (field("cache-control"), "no-cache"),
    (field("cache-control"), "no-store"),
    (field("cache-control"), "public, max-age=31536000"),
    (field("content-encoding"), "br"),
    (field("content-encoding"), "gzip"),
    (field("content-type"), "application/dns-message"),
    (field("content-type"), "application/javascript"),
    (field("content-type"), "application/json"),
    (field("content-type"), "application/x-www-form-urlencoded"),
    (field("content-type"), "image/gif"),
    (field("content-type"), "image/jpeg"),
    (field("content-type"), "image/png"),
    (field("content-type"), "text/css"),
    (field("content-type"), "text/html; charset=utf-8"),
    (field("content-type"), "text/plain"),
    (field("content-type"), "text/plain;charset=utf-8"),
    (field("range"), "bytes=0-"),
    (field("strict-transport-security"), "max-age=31536000"),
    (field("strict-transport-security"), "max-age=31536000; includesubdomains"),
    (field("strict-transport-security"), "max-age=31536000; includesubdomains; preload"),
    (field("vary"), "accept-encoding"),
    (field("vary"), "origin"),
    (field("x-content-type-options"), "nosniff"),
    (field("x-xss-protection"), "1; mode=block"),
    (Name::Status, "100"),
    (Name::Status, "204"),
    (Name::Status, "206"),
    (Name::Status, "302"),
    (Name::Status, "400"),
    (Name::Status, "403"),
    (Name::Status, "421"),
    (Name::Status, "425"),
    (Name::Status, "500"),
    (field("accept-language"), ""),
    (field("access-control-allow-credentials"), "FALSE"),
    (field("access-control-allow-credentials"), "TRUE"),
    (field("access-control-allow-headers"), "*"),
    (field("access-control-allow-methods"), "get"),
    (field("access-control-allow-methods"), "get, post, options"),
    (field("access-control-allow-methods"), "options"),
    (field("access-control-expose-headers"), "content-length"),
    (field("access-control-request-headers"), "content-type"),
    (field("access-control-request-method"), "get"),
    (field("access-control-request-method"), "post"),
    (field("alt-svc"), "clear"),
    (field("authorization"), ""),
    (field("content-security-policy"), "script-src 'none'; object-src 'none'; base-uri 'none'"),
    (field("early-data"), "1"),
    (field("expect-ct"), ""),
    (field("forwarded"), ""),
    (field("if-range"), ""),
    (field("origin"), ""),
    (field("purpose"), "prefetch"),
    (field("server"), ""),
    (field("timing-allow-origin"), "*"),
    (field("upgrade-insecure-requests"), "1"),
    (field("user-agent"), ""),
    (field("x-forwarded-for"), ""),
    (field("x-frame-options"), "deny"),
    (field("x-frame-options"), "sameorigin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_found_where_it_is() {
        for (index, (name, value)) in TABLE.iter().enumerate() {
            assert_eq!(find(name.as_str(), value.as_bytes()), Some(Found::Line(index)));
        }
    }

    #[test]
    fn a_line_with_another_value_is_found_by_its_name() {
        assert_eq!(find("content-type", b"x/y"), Some(Found::Name(44)));
        assert_eq!(find(":path", b"/x"), Some(Found::Name(1)));
        assert_eq!(find("x-other", b""), None);
    }

    #[test]
    fn a_name_with_capital_letters_is_none() {
        assert_eq!(Name::read(b"Accept"), None);
        assert_eq!(Name::read(b":other"), None);
        assert_eq!(Name::read(b""), None);
    }
}
