//! Which responses have no content, whatever their fields say (RFC 9110 §6.4.1).

use http::{Method, StatusCode};

/// Whether none of this status has content.
pub fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether none of this status has content that answers a request with this method.
pub fn is_bodiless_to(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD || is_bodiless(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_four_kinds_of_statuses_rule_content_out() {
        for status in [100, 103, 199, 204, 304] {
            assert!(StatusCode::from_u16(status).is_ok_and(is_bodiless), "{status}");
        }
        for status in [200, 205, 206, 303, 404, 500] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert!(!is_bodiless_to(&Method::GET, status), "{status}");
            assert!(is_bodiless_to(&Method::HEAD, status), "{status}");
        }
    }
}
