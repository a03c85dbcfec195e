//! What models are told of a request: the schema `features/v1`.
//!
//! Features are numbers, and all of them finite: no text and no address is among them. What a number means, and its
//! place, is said once, in a table, and by the schema's hash a model is tied to it.

use std::f32::consts::TAU;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::branch::{Branch, Described};
use super::kinds;
use super::node::Estimate;
use super::number::number;
use super::parameters::{Parameters, REMEMBERED};
use crate::plan::Priority;

/// The schema's name.
pub const SCHEMA: &str = "features/v1";

/// Numbers that a model is told.
pub const COUNT: usize = TABLE.len();

/// The place of what the learner expects.
pub(super) const EXPECTED: usize = 0;
/// The place of its variance.
pub(super) const VARIANCE: usize = 1;

/// The features of one request, in the schema's order.
pub type Features = [f32; COUNT];

/// One number that a model is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

const fn feature(name: &'static str, meaning: &'static str) -> Feature {
    Feature { name, meaning }
}

/// All features, in order. A change here is a new schema.
const TABLE: [Feature; 23] = [
    feature("expected", "natural logarithm of the seconds that the learner expects"),
    feature("variance", "variance of that logarithm"),
    feature("answers", "ln(1 + n) of the answers that it knows that of"),
    feature("route", "the route, as a keyed hash in [0, 1)"),
    feature("template", "the path template, as a keyed hash in [0, 1)"),
    feature("method", "0 GET, 1 HEAD, 2 POST, 3 PUT, 4 PATCH, 5 DELETE, 6 any other"),
    feature("path_depth", "segments of the path"),
    feature("path_number_1", "ln(1 + x) of the first segment that is a number; -1: there is none"),
    feature("path_number_2", "ln(1 + x) of the second segment that is a number; -1: there is none"),
    feature("query_count", "parameters of the query"),
    feature("query_number_1", "ln(1 + x) of a frequent numeric parameter; -1: it is not there"),
    feature("query_number_2", "ln(1 + x) of another one"),
    feature("query_number_3", "ln(1 + x) of another one"),
    feature("query_number_4", "ln(1 + x) of another one"),
    feature("content_length", "ln(1 + x) of the content length; -1: it is not known"),
    feature(
        "content_type",
        "0 none, 1 JSON, 2 form, 3 multipart, 4 XML, 5 text, 6 protobuf or gRPC, 7 image, audio or video, 8 any other",
    ),
    feature("hour_sin", "sine of the time of day (UTC)"),
    feature("hour_cos", "cosine of the time of day (UTC)"),
    feature("weekday_sin", "sine of the day of the week (UTC)"),
    feature("weekday_cos", "cosine of the day of the week (UTC)"),
    feature(
        "client_class",
        "0 unknown, 1 browser, 2 library or tool, 3 crawler, by what User-Agent begins with",
    ),
    feature("load", "the upstream's requests in flight, by how many it may have"),
    feature("priority", "0 high, 1 normal, 2 low"),
];

/// The schema, as it crosses the border.
#[derive(Debug, Serialize)]
pub struct Schema {
    /// Its name.
    pub name: &'static str,
    /// SHA-256, in hexadecimal digits, of the features' names, with line feeds between them.
    pub hash: String,
    /// All features, in order.
    pub features: &'static [Feature],
}

impl Schema {
    /// The schema that there is.
    pub fn current() -> Self {
        let names = TABLE.map(|feature| feature.name).join("\n");
        let digest = Sha256::digest(names.as_bytes());
        let hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name: SCHEMA, hash, features: &TABLE }
    }
}

/// The place of the feature of this name.
pub fn place(name: &str) -> Option<usize> {
    TABLE.iter().position(|feature| feature.name == name)
}

/// What features are made of, beside what the learner knows.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// What the learner goes by.
    pub described: Described<'a>,
    /// The query.
    pub query: Option<&'a str>,
    /// Its `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// Its `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// The time, since 1970.
    pub time: Duration,
    /// The upstream's requests in flight, by how many it may have; 0 where any number.
    pub load: f32,
    /// In which class it waits.
    pub priority: Priority,
}

impl Observed<'_> {
    /// The features of a request that belongs at this `branch`, where `estimate` is known of it.
    pub(super) fn features(
        &self,
        branch: &Branch,
        estimate: &Estimate,
        parameters: &Parameters,
    ) -> Features {
        let path = self.described.path.unwrap_or_default();
        let segments = || path.split('/').filter(|segment| !segment.is_empty());
        let mut in_path = segments().filter_map(number);
        let mut in_path = || logarithmic(in_path.next());
        let (path_number_1, path_number_2) = (in_path(), in_path());
        let query = parameters.take(self.query.unwrap_or_default());
        let [query_number_1, query_number_2, query_number_3, query_number_4] =
            query.numbers.map(logarithmic);
        let [hour_sin, hour_cos, weekday_sin, weekday_cos] = circles(self.time);
        let features = [
            estimate.mean,
            estimate.variance,
            estimate.answers.ln_1p(),
            fraction(branch.route()),
            fraction(branch.template()),
            kinds::method(self.described.method),
            segments().count() as f32,
            path_number_1,
            path_number_2,
            query.count as f32,
            query_number_1,
            query_number_2,
            query_number_3,
            query_number_4,
            logarithmic(self.described.size.map(|size| size as f64)),
            kinds::content_type(self.content_type),
            hour_sin,
            hour_cos,
            weekday_sin,
            weekday_cos,
            kinds::client(self.user_agent),
            self.load,
            f32::from(self.priority as u8),
        ];
        // What is no number is none for any model.
        features.map(|value| if value.is_finite() { value } else { 0.0 })
    }
}

/// ln(1 + x); −1 for none.
fn logarithmic(value: Option<f64>) -> f32 {
    value.map_or(-1.0, |value| value.ln_1p() as f32)
}

/// A hash as a number in [0, 1), as exact as it can be told.
fn fraction(hash: u64) -> f32 {
    (hash >> 40) as f32 / (1 << 24) as f32
}

/// The time of day and the day of the week as points of a circle: sine and cosine of each.
fn circles(time: Duration) -> [f32; 4] {
    const DAY: u64 = 86_400;
    let days = time.as_secs() / DAY;
    let of_day = (time.as_secs() % DAY) as f32 / DAY as f32;
    // 1970 began with a Thursday; a week begins with a Monday.
    let of_week = ((days + 3) % 7) as f32 / 7.0;
    let ((hour_sin, hour_cos), (weekday_sin, weekday_cos)) =
        ((TAU * of_day).sin_cos(), (TAU * of_week).sin_cos());
    [hour_sin, hour_cos, weekday_sin, weekday_cos]
}

const _: () = assert!(REMEMBERED == 4, "the schema has as many numbers of the query");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Predictor;
    use super::*;
    use crate::time::Moment;

    const NOW: Moment = Moment(60_000_000_000);

    fn observed<'a>(path: &'a str, query: &'a str) -> Observed<'a> {
        Observed {
            described: Described { route: 1, method: "GET", path: Some(path), size: None },
            query: Some(query),
            content_type: None,
            user_agent: None,
            time: Duration::ZERO,
            load: 0.5,
            priority: Priority::Normal,
        }
    }

    fn features(predictor: &Predictor, observed: &Observed<'_>) -> Features {
        let branch = predictor.branch(&observed.described, NOW);
        predictor.features(observed, &branch, &predictor.estimate(&branch, NOW))
    }

    fn named(features: &Features, name: &str) -> f32 {
        place(name).map_or(f32::NAN, |place| features[place])
    }

    #[test]
    fn names_are_told_once_and_the_hash_is_that_of_the_names() {
        let schema = Schema::current();
        let mut names: Vec<_> = schema.features.iter().map(|feature| feature.name).collect();
        assert_eq!(schema.hash, "2c2efd45c042cd8440354e05b712f73c1945b48b1e4c7f4eaee9f813f9963388");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COUNT);
    }

    #[test]
    fn a_request_is_told_by_its_numbers() {
        let predictor = Predictor::new(5);
        let mut one = observed("/shops/12/items/7/9", "a=1&b=x&c");
        one.described.method = "PATCH";
        one.described.size = Some(99);
        one.content_type = Some(b"application/json; charset=utf-8");
        one.user_agent = Some(b"curl/8.5.0");
        one.time = Duration::from_secs(6 * 3_600);
        let told = features(&predictor, &one);
        for (name, value) in [
            ("answers", 0.0),
            ("method", 4.0),
            ("path_depth", 5.0),
            ("path_number_1", 13_f32.ln()),
            ("path_number_2", 8_f32.ln()),
            ("query_count", 3.0),
            ("query_number_1", -1.0),
            ("content_length", 100_f32.ln()),
            ("content_type", 1.0),
            ("hour_sin", 1.0),
            ("hour_cos", 0.0),
            ("client_class", 2.0),
            ("load", 0.5),
            ("priority", 1.0),
        ] {
            assert!((named(&told, name) - value).abs() < 1e-5, "{name}: {told:?}");
        }
    }

    #[test]
    fn what_belongs_to_one_template_has_one_number_and_another_has_another() {
        let predictor = Predictor::new(5);
        let [one, same, other] = ["/users/1", "/users/2", "/orders/1"]
            .map(|path| named(&features(&predictor, &observed(path, "")), "template"));
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert!((0.0..1.0).contains(&one) && (0.0..1.0).contains(&other));
    }

    #[test]
    fn a_week_is_a_circle() {
        let at = |days: u64| circles(Duration::from_secs(days * 86_400));
        // 5 January 1970 was a Monday.
        let [_, _, sine, cosine] = at(4);
        assert!(sine.abs() < 1e-6 && (cosine - 1.0).abs() < 1e-6);
        assert_eq!(at(4), at(11));
        assert_ne!(at(4), at(5));
    }

    proptest! {
        #[test]
        fn every_feature_of_every_request_is_finite(
            path in "(/[0-9a-z]{0,24}){0,12}", query in "([a-c]{0,2}=?[0-9]{0,24}&?){0,8}", load in any::<f32>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..40), seconds in any::<u64>(),
        ) {
            let predictor = Predictor::new(5);
            let mut one = observed(&path, &query);
            one.described.size = Some(seconds);
            (one.content_type, one.user_agent) = (Some(&bytes[..]), Some(&bytes[..]));
            (one.load, one.time) = (load, Duration::from_secs(seconds));
            prop_assert!(features(&predictor, &one).iter().all(|value| value.is_finite()));
        }
    }
}
