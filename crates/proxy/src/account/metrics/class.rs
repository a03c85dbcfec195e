//! Classes of status codes.

use crate::account::exposition::Family;

/// The first digit of a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeClass {
    /// 100 to 199; as a final answer only 101.
    Informational,
    /// 200 to 299.
    Success,
    /// 300 to 399.
    Redirection,
    /// 400 to 499.
    ClientError,
    /// 500 and above.
    ServerError,
}

impl CodeClass {
    /// Values of the label `code`, in the order of the variants.
    pub(super) const LABELS: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    /// The class of a status code.
    pub fn of(status: u16) -> Self {
        match status {
            0..200 => Self::Informational,
            200..300 => Self::Success,
            300..400 => Self::Redirection,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}

/// Counts by class of status code.
pub(super) type ByClass<T> = [T; CodeClass::LABELS.len()];

/// A sample for each class.
pub(super) fn by_class(family: &mut Family<'_>, labels: &[(&str, &str)], counts: &ByClass<u64>) {
    for (class, count) in CodeClass::LABELS.iter().zip(counts) {
        let mut labels = labels.to_vec();
        labels.push(("code", class));
        family.sample(&labels, count);
    }
}
