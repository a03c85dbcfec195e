//! What a request costs of a limit.

use http::{HeaderMap, HeaderName, StatusCode};

use super::policy::Unit;

/// What a request costs of a limit, as far as it is known before it is sent, and as it is known when its response
/// has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Units for the request as such.
    pub requests: u64,
    /// Whether each byte of its content costs one.
    pub request_bytes: bool,
    /// Whether each byte of the response's content costs one.
    pub response_bytes: bool,
    /// Field of the response that tells the cost, in place of [`requests`](Self::requests); then nothing is charged
    /// before.
    pub header: Option<HeaderName>,
    /// If not empty, only requests with one of these responses cost anything; then nothing is charged before
    /// either.
    pub statuses: Box<[StatusCode]>,
}

impl Default for Cost {
    /// Each request costs one.
    fn default() -> Self {
        Self {
            requests: 1,
            request_bytes: false,
            response_bytes: false,
            header: None,
            statuses: Box::default(),
        }
    }
}

/// What is known of a request whose response has ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ended {
    /// Status of the response; `None` if there was none.
    pub status: Option<StatusCode>,
    /// Bytes of the request's content that were read.
    pub request_bytes: u64,
    /// Bytes of the response's content that were sent.
    pub response_bytes: u64,
    /// What the response [told](Cost::told).
    pub told: Option<u64>,
}

impl Cost {
    /// What is charged before the request is sent: what is certain then. A charge that is given back much later
    /// would be worth more than it was, as the bucket fills meanwhile.
    pub fn ahead(&self) -> u64 {
        if self.header.is_none() && self.statuses.is_empty() { self.requests } else { 0 }
    }

    /// Whether what a request costs is not all known before it is sent.
    pub fn is_known_later(&self) -> bool {
        self.counts_bytes() || self.header.is_some() || !self.statuses.is_empty()
    }

    /// Whether what a request costs is known only when its response has ended, and not with its head.
    pub const fn counts_bytes(&self) -> bool {
        self.request_bytes || self.response_bytes
    }

    /// What is charged when the response has ended.
    pub fn debt(&self, ended: &Ended) -> u64 {
        self.total(ended).saturating_sub(self.ahead())
    }

    fn total(&self, ended: &Ended) -> u64 {
        let counts = |status| self.statuses.contains(&status);
        if !self.statuses.is_empty() && !ended.status.is_some_and(counts) {
            return 0;
        }
        let bytes = |counted, bytes| if counted { bytes } else { 0 };
        ended
            .told
            .unwrap_or(self.requests)
            .saturating_add(bytes(self.request_bytes, ended.request_bytes))
            .saturating_add(bytes(self.response_bytes, ended.response_bytes))
    }

    /// The cost that a response with these fields tells: a whole number. Anything else tells nothing.
    pub fn told(&self, headers: &HeaderMap) -> Option<u64> {
        let value = headers.get(self.header.as_ref()?)?.to_str().ok()?;
        value.trim().parse().ok()
    }

    /// What is counted.
    pub fn unit(&self) -> Unit {
        if self.counts_bytes() { Unit::ContentBytes } else { Unit::Requests }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn ended(status: StatusCode) -> Ended {
        Ended { status: Some(status), request_bytes: 10, response_bytes: 200, told: None }
    }

    #[test]
    fn a_request_costs_one_unless_something_else_is_said() {
        assert_eq!((Cost::default().ahead(), Cost::default().debt(&ended(StatusCode::OK))), (1, 0));
        assert_eq!(Cost::default().total(&ended(StatusCode::OK)), 1);
        assert_eq!(Cost::default().total(&Ended::default()), 1);
    }

    #[test]
    fn bytes_are_known_in_the_end() {
        let cost = Cost { requests: 0, response_bytes: true, ..Cost::default() };
        assert_eq!((cost.ahead(), cost.debt(&ended(StatusCode::OK))), (0, 200));
        let cost = Cost { requests: 0, request_bytes: true, response_bytes: true, ..cost };
        assert_eq!(cost.total(&ended(StatusCode::OK)), 210);
        assert_eq!(cost.unit(), Unit::ContentBytes);
    }

    #[test]
    fn where_statuses_count_no_other_response_costs_anything() {
        let statuses = Box::new([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]);
        let cost = Cost { statuses, ..Cost::default() };
        assert_eq!(cost.ahead(), 0);
        assert_eq!(cost.total(&ended(StatusCode::UNAUTHORIZED)), 1);
        assert_eq!(cost.total(&ended(StatusCode::OK)), 0);
        assert_eq!(cost.total(&Ended::default()), 0, "there was no response");
    }

    #[test]
    fn a_response_may_tell_the_cost() {
        let name = HeaderName::from_static("x-cost");
        let cost = Cost { header: Some(name.clone()), ..Cost::default() };
        let told = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            cost.told(&HeaderMap::from_iter([(name.clone(), value)]))
        };
        assert_eq!(told(" 12 "), Some(12));
        for value in ["", "-1", "1.5", "much", "99999999999999999999"] {
            assert_eq!(told(value), None, "{value}");
        }
        assert_eq!(cost.told(&HeaderMap::new()), None);
        assert_eq!((cost.ahead(), cost.debt(&ended(StatusCode::OK))), (0, 1));
        assert_eq!(cost.total(&Ended { told: Some(0), ..ended(StatusCode::OK) }), 0);
        assert_eq!(cost.total(&ended(StatusCode::OK)), 1, "nothing told: as without");
    }
}
