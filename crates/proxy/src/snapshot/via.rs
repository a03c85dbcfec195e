//! This gateway's entry in `Via`.

use http::{HeaderValue, Version};

/// This gateway's entries in `Via` (RFC 9110 §7.6.3), by the version that a message was received in.
#[derive(Debug)]
pub struct Via {
    v1_0: HeaderValue,
    v1_1: HeaderValue,
    v2: HeaderValue,
}

impl Via {
    /// For a gateway of this name; `None` if that cannot be in a field.
    pub fn new(name: &str) -> Option<Self> {
        let entry = |version| HeaderValue::try_from(format!("{version} {name}")).ok();
        Some(Self { v1_0: entry("1.0")?, v1_1: entry("1.1")?, v2: entry("2.0")? })
    }

    /// The entry for a message of this version.
    pub fn of(&self, version: Version) -> &HeaderValue {
        match version {
            Version::HTTP_10 => &self.v1_0,
            Version::HTTP_2 => &self.v2,
            _ => &self.v1_1,
        }
    }
}

impl Default for Via {
    fn default() -> Self {
        Self {
            v1_0: HeaderValue::from_static("1.0 tidegate"),
            v1_1: HeaderValue::from_static("1.1 tidegate"),
            v2: HeaderValue::from_static("2.0 tidegate"),
        }
    }
}
