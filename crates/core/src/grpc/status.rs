//! The status of an RPC.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::status_message::encode_message;
use super::{GRPC_MESSAGE, GRPC_STATUS};
use crate::failure::Meaning;
use crate::plan::GrpcStatus;

/// What each status is called in metrics, by its number.
pub const STATUS_LABELS: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

impl GrpcStatus {
    /// The number that gRPC gives it.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// What it is called in metrics.
    pub const fn label(self) -> &'static str {
        STATUS_LABELS[self.number() as usize]
    }

    /// What a client makes of an HTTP status that comes without one of gRPC (*HTTP to gRPC Status Code Mapping*).
    pub const fn of_http(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }
}

/// The fields that tell a status and what it means, in words.
pub fn status_fields(status: GrpcStatus, words: &str) -> [(HeaderName, HeaderValue); 2] {
    let number = HeaderValue::from(u16::from(status.number()));
    [(GRPC_STATUS, number), (GRPC_MESSAGE, encode_message(words))]
}

impl Meaning {
    /// The fields that tell a failure in gRPC.
    pub fn grpc_fields(&self) -> [(HeaderName, HeaderValue); 2] {
        status_fields(self.grpc, &format!("{}: {}", self.label, self.detail))
    }
}

/// The number of the status in `fields`; one that gRPC does not have counts as `unknown`. `None` where there is no
/// status.
pub fn read_status(fields: &HeaderMap) -> Option<u8> {
    let digits = fields.get(GRPC_STATUS)?.to_str().unwrap_or_default();
    // A sign is none of a number's digits, which `parse` would take.
    let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let known = number.filter(|number| usize::from(*number) < STATUS_LABELS.len());
    Some(known.unwrap_or(GrpcStatus::Unknown.number()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn a_status_is_called_in_metrics_as_in_the_configuration() {
        assert_eq!(GrpcStatus::VARIANTS.len() + 1, STATUS_LABELS.len());
        for status in GrpcStatus::VARIANTS {
            assert_eq!(serde_json::to_value(status).unwrap(), status.label());
        }
    }

    #[test]
    fn a_status_that_grpc_does_not_have_is_unknown() {
        let read = |value: &'static str| {
            read_status(&HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static(value))]))
        };
        assert_eq!((read("0"), read("16")), (Some(0), Some(16)));
        for value in ["17", "300", "-1", "+5", "5 5", "0x1", "", "ok", "4294967297"] {
            assert_eq!(read(value), Some(2), "{value}");
        }
        assert_eq!(read("05"), Some(5));
        assert_eq!(read_status(&HeaderMap::new()), None);
    }
}
