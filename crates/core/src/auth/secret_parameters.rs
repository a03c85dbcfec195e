//! Secret parameters: those of queries in which credentials come, which no log may keep.

use crate::query::with_values;

/// What stands in a log in the place of a credential.
const REDACTED: &str = "***";

/// The names of query parameters in which credentials come.
#[derive(Debug)]
pub struct SecretParameters(Box<[Box<str>]>);

impl SecretParameters {
    /// Those of these names; `None` if there are none.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let names: Box<[_]> = names.into_iter().map(Into::into).collect();
        (!names.is_empty()).then_some(Self(names))
    }

    /// A query without their values.
    pub fn redacted(&self, query: &str) -> String {
        with_values(query, |name| {
            self.0.iter().any(|secret| secret.as_bytes() == name).then_some(REDACTED)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_in_a_query_is_not_shown_however_it_is_spelled() {
        let secret = SecretParameters::new(["key", "a b"]).unwrap();
        for (query, shown) in [
            ("a=1&key=tg_x&b=2", "a=1&key=***&b=2"),
            ("%6bey=tg_x&key", "%6bey=***&key"),
            ("a+b=x&a%20b=y&ab=z", "a+b=***&a%20b=***&ab=z"),
            ("keys=1&&=2", "keys=1&&=2"),
            ("", ""),
        ] {
            assert_eq!(secret.redacted(query), shown);
        }
        assert!(SecretParameters::new([]).is_none());
    }
}
