//! Entity tags (RFC 9110 §8.8.3).

use http::HeaderMap;
use http::header::ETAG;

/// What names a version of a representation.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntityTag<'a> {
    is_weak: bool,
    /// With its quotes.
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// That of a response.
    pub(super) fn of(response: &'a HeaderMap) -> Option<Self> {
        response.get(ETAG).map(|value| Self::read(value.as_bytes()))
    }

    /// What has no quotes is not well-formed, but is the same as itself.
    pub(super) fn read(text: &'a [u8]) -> Self {
        match text.strip_prefix(b"W/") {
            Some(opaque) => Self { is_weak: true, opaque },
            None => Self { is_weak: false, opaque: text },
        }
    }

    /// Those of a list. A tag has no escapes: it ends at the next quote.
    pub(super) fn list(value: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut is_quoted = false;
        let ends = move |byte: &u8| {
            is_quoted ^= *byte == b'"';
            *byte == b',' && !is_quoted
        };
        value.split(ends).map(|member| Self::read(member.trim_ascii()))
    }

    /// Whether it is written as one, and not as a date.
    pub(super) fn is_quoted(self) -> bool {
        self.opaque.starts_with(b"\"")
    }

    pub(super) fn is_weak(self) -> bool {
        self.is_weak
    }

    /// Whether it is written as one, and names what is the same byte by byte.
    pub(super) fn is_strong(self) -> bool {
        self.is_quoted() && !self.is_weak
    }

    /// Whether they name what is as good as the same (§8.8.3.2).
    pub(super) fn is_weakly(self, other: Self) -> bool {
        self.opaque == other.opaque
    }

    /// Whether they name what is the same byte by byte (§8.8.3.2).
    pub(super) fn is_strongly(self, other: Self) -> bool {
        !self.is_weak && !other.is_weak && self.is_weakly(other)
    }
}
