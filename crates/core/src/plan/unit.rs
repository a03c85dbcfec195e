//! Units of the plan: numbers within bounds, and secrets.
//!
//! A number outside its bounds is refused where the plan is read, so that nothing behind looks at it again. The
//! models of Python have the same bounds (a contract test compares them) and word the refusal for people.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ten years in milliseconds: far more than any timeout needs, far less than what overflows a clock.
const LONGEST: u64 = 315_360_000_000;
/// What a signed 64-bit number of bytes can count.
pub(super) const LARGEST: u64 = i64::MAX as u64;

/// Defines the type of a number `from` the lowest value on, or `above` it, `to` the highest. In parentheses
/// stands what it counts, where that has a form of its own: `millis`, `bytes` or `percent`.
macro_rules! bounded {
    ($(#[$meta:meta])* $name:ident $(($counts:ident))?: $number:ident from $lowest:tt to $highest:tt) => {
        bounded!(@type $(#[$meta])* $name, $number, >=, $lowest, $highest, "minimum", "from");
        $(bounded!(@$counts $name);)?

        impl $name {
            /// The lowest value.
            pub const LOWEST: Self = Self($lowest);
        }
    };
    ($(#[$meta:meta])* $name:ident $(($counts:ident))?: $number:ident above $lowest:tt to $highest:tt) => {
        bounded!(@type $(#[$meta])* $name, $number, >, $lowest, $highest, "exclusiveMinimum", "above");
        $(bounded!(@$counts $name);)?
    };
    (@millis $name:ident) => {
        impl $name {
            /// The same length of time as the standard library's type.
            pub const fn duration(self) -> std::time::Duration {
                std::time::Duration::from_millis(self.0)
            }
        }
    };
    (@bytes $name:ident) => {
        impl $name {
            /// As a length of what is held in memory.
            pub fn bytes(self) -> usize {
                usize::try_from(self.0).unwrap_or(usize::MAX)
            }
        }
    };
    (@percent $name:ident) => {
        impl $name {
            /// The share from 0 to 1.
            pub const fn fraction(self) -> f64 {
                self.0 / 100.0
            }
        }
    };
    (@type $(#[$meta:meta])* $name:ident, $number:ident, $reaches:tt, $lowest:tt, $highest:tt, $key:literal, $from:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name($number);

        impl $name {
            /// The value, if it is within the bounds.
            pub const fn new(value: $number) -> Option<Self> {
                let (lowest, highest): ($number, $number) = ($lowest, $highest);
                if value $reaches lowest && value <= highest { Some(Self(value)) } else { None }
            }

            /// The value itself.
            pub const fn get(self) -> $number {
                self.0
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let value = $number::deserialize(from)?;
                Self::new(value).ok_or_else(|| {
                    let (lowest, highest): ($number, $number) = ($lowest, $highest);
                    let wanted = concat!("expected a number ", $from);
                    serde::de::Error::custom(format_args!("{wanted} {lowest} to {highest}, not {value}"))
                })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let (lowest, highest): ($number, $number) = ($lowest, $highest);
                let mut schema = $number::json_schema(generator);
                schema.remove("minimum");
                schema.insert($key.into(), lowest.into());
                schema.insert("maximum".into(), highest.into());
                schema
            }
        }
    };
}
pub(super) use bounded;

bounded! {
    /// A duration in milliseconds.
    #[derive(Eq, Ord)]
    Millis(millis): u64 from 0 to LONGEST
}

bounded! {
    /// A duration in milliseconds that is not zero.
    #[derive(Eq, Ord)]
    Timeout(millis): u64 from 1 to LONGEST
}

bounded! {
    /// A size in bytes.
    #[derive(Eq, Ord)]
    Size(bytes): u64 from 0 to LARGEST
}

bounded! {
    /// A share in percent.
    Percent(percent): f64 from 0.0 to 100.0
}

bounded! {
    /// A share in percent that is not zero.
    PositivePercent(percent): f64 above 0.0 to 100.0
}

bounded! {
    /// The status of a final response.
    #[derive(Eq, Ord)]
    Status: u16 from 200 to 599
}

impl From<Status> for http::StatusCode {
    fn from(Status(code): Status) -> Self {
        Self::from_u16(code).unwrap_or(Self::INTERNAL_SERVER_ERROR)
    }
}

/// A text that no log line shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use serde_json::{from_str, json, to_value};

    use super::*;

    #[test]
    fn a_number_outside_its_bounds_is_refused_where_the_plan_is_read() {
        assert_eq!(from_str::<Percent>("100").unwrap().get(), 100.0);
        assert_eq!(from_str::<Timeout>("1").unwrap().duration(), Duration::from_millis(1));
        let wrong = from_str::<Percent>("100.1").unwrap_err().to_string();
        assert!(wrong.starts_with("expected a number from 0 to 100, not 100.1"), "{wrong}");
        assert!(from_str::<Timeout>("0").is_err());
        assert!(from_str::<Timeout>("315360000001").is_err());
        assert!(from_str::<PositivePercent>("0").is_err());
        assert!(Percent::new(f64::NAN).is_none());
    }

    #[test]
    fn bounds_stand_in_the_schema() {
        let schema = |schema: schemars::Schema| to_value(schema).unwrap();
        assert_eq!(schema(schemars::schema_for!(PositivePercent))["exclusiveMinimum"], json!(0.0));
        let status = schema(schemars::schema_for!(Status));
        assert_eq!((&status["minimum"], &status["maximum"]), (&json!(200), &json!(599)));
    }

    #[test]
    fn a_percent_is_a_hundredth() {
        assert!((Percent::new(12.5).unwrap().fraction() - 0.125).abs() < f64::EPSILON);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::from("hush");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.expose(), "hush");
    }
}
