//! This gateway's entry in `Via`, by which it knows its own requests again.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use http::header::VIA;
use http::{HeaderMap, HeaderValue, Version};
use memchr::memmem;

/// A comment (RFC 9110 §5.6.5) that no other process writes. The name alone does not tell processes apart: a
/// gateway may stand behind another of the same name.
static MARK: LazyLock<String> =
    LazyLock::new(|| format!("({:016x})", RandomState::new().hash_one("this process")));

/// This gateway's entries in `Via` (RFC 9110 §7.6.3), by the version that a message was received in.
#[derive(Debug)]
pub struct Via {
    v1_0: HeaderValue,
    v1_1: HeaderValue,
    v2: HeaderValue,
    v3: HeaderValue,
}

impl Via {
    /// For a gateway of this name; `None` if that cannot be in a field.
    pub fn new(name: &str) -> Option<Self> {
        let entry = |version| HeaderValue::try_from(format!("{version} {name} {}", *MARK)).ok();
        Some(Self {
            v1_0: entry("1.0")?,
            v1_1: entry("1.1")?,
            v2: entry("2.0")?,
            v3: entry("3.0")?,
        })
    }

    /// The entry for a message of this version.
    pub fn of(&self, version: Version) -> &HeaderValue {
        match version {
            Version::HTTP_10 => &self.v1_0,
            Version::HTTP_2 => &self.v2,
            Version::HTTP_3 => &self.v3,
            _ => &self.v1_1,
        }
    }
}

/// Whether this process has sent the request with these fields: it came back.
pub fn is_ours(headers: &HeaderMap) -> bool {
    let mark = || MARK.as_bytes();
    headers.get_all(VIA).iter().any(|entries| memmem::find(entries.as_bytes(), mark()).is_some())
}

impl Default for Via {
    fn default() -> Self {
        Self {
            v1_0: HeaderValue::from_static("1.0 tidegate"),
            v1_1: HeaderValue::from_static("1.1 tidegate"),
            v2: HeaderValue::from_static("2.0 tidegate"),
            v3: HeaderValue::from_static("3.0 tidegate"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_own_entry_among_others_and_not_by_its_name() {
        let via = Via::new("edge").unwrap();
        let of =
            |value: &[u8]| HeaderMap::from_iter([(VIA, HeaderValue::from_bytes(value).unwrap())]);
        let own = via.of(Version::HTTP_2).as_bytes();
        assert!(is_ours(&of(own)));
        assert!(is_ours(&of(&[b"1.0 a (b), ", own, b", 1.1 other"].concat())));
        for other in ["1.1 edge", "1.1 edge (0123456789abcdef)", "1.1 edge ()"] {
            assert!(!is_ours(&of(other.as_bytes())), "{other}");
        }
        assert!(!is_ours(&HeaderMap::new()));
    }
}
