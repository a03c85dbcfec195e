//! What becomes of a request.

use std::time::Duration;

use http::Method;
use proptest::prelude::*;

use crate::cache::Terms;
use crate::cache::cache_status::Why;
use crate::cache::directives::OfRequest;
use crate::cache::freshness::Source;
use crate::cache::reuse::{Asked, Decision, Stale, Stored, Trouble, decide, instead_of};
use crate::time::Moment;

const SECOND: Duration = Duration::from_secs(1);
const ARRIVED: Moment = Moment(5_000_000_000);

/// Fresh for ten seconds, then usable for one while it is validated, two in place of an error, three without the origin.
fn terms() -> Terms {
    Terms {
        arrived: ARRIVED,
        initial_age: Duration::ZERO.into(),
        lifetime: (10 * SECOND).into(),
        by: Source::MaxAge,
        validate_always: false,
        never_stale: false,
        while_revalidate: SECOND.into(),
        if_error: (2 * SECOND).into(),
        if_disconnected: (3 * SECOND).into(),
        immutable: false,
    }
}

/// A `GET` with these directives.
fn asked(directives: &OfRequest) -> Asked<'_> {
    let (method, honoured) = (&Method::GET, false);
    Asked { method, is_for_origin: false, wants_part: false, bypasses: false, directives, honoured }
}

fn after(seconds: f64) -> Moment {
    ARRIVED.after(Duration::from_secs_f64(seconds))
}

fn plainly(terms: &Terms, is_reachable: bool, seconds: f64) -> Decision {
    let directives = OfRequest::default();
    decide(Stored::Found(terms), &asked(&directives), &|| is_reachable, after(seconds))
}

#[test]
fn what_is_fresh_is_served_and_what_is_stale_is_validated() {
    assert_eq!(plainly(&terms(), true, 9.9), Decision::Serve);
    assert_eq!(plainly(&terms(), true, 12.0), Decision::Validate(Why::Stale));
}

#[test]
fn what_is_stale_is_served_for_as_long_as_its_windows_say() {
    let stale = Decision::ServeStale;
    assert_eq!(plainly(&terms(), true, 11.0), stale(Stale::WhileRevalidate));
    assert_eq!(plainly(&terms(), false, 13.0), stale(Stale::Disconnected));
    assert_eq!(plainly(&terms(), false, 13.1), Decision::Validate(Why::Stale));
}

#[test]
fn a_window_of_nothing_is_none_not_even_for_the_first_moment() {
    let none = Duration::ZERO;
    let terms = Terms { while_revalidate: none.into(), if_disconnected: none.into(), ..terms() };
    assert_eq!(plainly(&terms, true, 10.0), Decision::Validate(Why::Stale));
    assert_eq!(plainly(&terms, false, 10.0), Decision::Validate(Why::Stale));
}

#[test]
fn nothing_makes_up_for_what_a_response_forbids() {
    let strict = Terms { never_stale: true, ..terms() };
    let said = OfRequest { max_stale: Some(Duration::MAX), ..OfRequest::default() };
    let asked = Asked { honoured: true, ..asked(&said) };
    for is_reachable in [true, false] {
        let decision = decide(Stored::Found(&strict), &asked, &|| is_reachable, after(10.5));
        assert_eq!(decision, Decision::Validate(Why::Stale));
    }
    for trouble in [Trouble::Unreachable, Trouble::Status(503)] {
        assert_eq!(instead_of(trouble, &strict, Some(&said), after(10.5)), None);
    }
    let always = Terms { validate_always: true, ..terms() };
    assert_eq!(
        decide(Stored::Found(&always), &asked, &|| true, after(1.0)),
        Decision::Validate(Why::Stale)
    );
}

#[test]
fn what_is_stored_stands_in_for_trouble_for_as_long_as_it_may() {
    let said = OfRequest::default();
    let cases = [
        (Trouble::Status(503), 12.0, Some(Stale::Error)),
        (Trouble::Status(503), 12.1, None),
        (Trouble::Status(404), 11.0, None),
        (Trouble::Status(501), 11.0, None),
        (Trouble::Unreachable, 13.0, Some(Stale::Disconnected)),
        (Trouble::Unreachable, 13.1, None),
    ];
    for (trouble, seconds, expected) in cases {
        assert_eq!(
            instead_of(trouble, &terms(), Some(&said), after(seconds)),
            expected,
            "{trouble:?}"
        );
    }
    let asked = OfRequest { stale_if_error: Some(5 * SECOND), ..said };
    let longer = |wanted| instead_of(Trouble::Status(500), &terms(), wanted, after(15.0));
    assert_eq!(longer(Some(&asked)), Some(Stale::Error));
    assert_eq!(longer(None), None);
}

#[test]
fn the_word_of_a_client_counts_where_the_route_says_so() {
    let want = |directives: OfRequest, honoured, seconds| {
        let asked = Asked { honoured, ..asked(&directives) };
        decide(Stored::Found(&terms()), &asked, &|| true, after(seconds))
    };
    let said = OfRequest::default;
    let validate = Decision::Validate(Why::Request);
    let cases = [
        (OfRequest { no_cache: true, ..said() }, 1.0, validate),
        (OfRequest { max_age: Some(SECOND), ..said() }, 2.0, validate),
        (OfRequest { min_fresh: Some(9 * SECOND), ..said() }, 2.0, validate),
        (
            OfRequest { max_stale: Some(9 * SECOND), ..said() },
            15.0,
            Decision::ServeStale(Stale::Accepted),
        ),
    ];
    for (directives, seconds, expected) in cases {
        assert_eq!(want(directives.clone(), true, seconds), expected, "{directives:?}");
        let ignored = want(directives, false, seconds);
        assert_eq!(ignored, plainly(&terms(), true, seconds));
    }
    assert_eq!(
        want(OfRequest { no_store: true, ..said() }, false, 1.0),
        Decision::Bypass(Why::Request)
    );
}

#[test]
fn a_request_for_what_is_stored_only_never_reaches_the_origin() {
    let said = OfRequest { only_if_cached: true, ..OfRequest::default() };
    let (asked, terms) = (asked(&said), terms());
    let decide = |stored, seconds| decide(stored, &asked, &|| true, after(seconds));
    assert_eq!(decide(Stored::Nothing, 0.0), Decision::Refuse);
    assert_eq!(decide(Stored::OtherVariants, 0.0), Decision::Refuse);
    assert_eq!(decide(Stored::Found(&terms), 1.0), Decision::Serve);
    assert_eq!(decide(Stored::Found(&terms), 20.0), Decision::Refuse);
}

#[test]
fn what_is_not_for_the_cache_passes_it_by() {
    let said = OfRequest::default();
    let decide = |asked: Asked<'_>| decide(Stored::Found(&terms()), &asked, &|| true, after(1.0));
    let post = Asked { method: &Method::POST, ..asked(&said) };
    assert_eq!(decide(post), Decision::Bypass(Why::Method));
    let origin = Asked { is_for_origin: true, ..asked(&said) };
    assert_eq!(decide(origin), Decision::Bypass(Why::Request));
    let bypassing = Asked { bypasses: true, ..asked(&said) };
    assert_eq!(decide(bypassing), Decision::Validate(Why::Bypass));
}

#[test]
fn a_response_that_is_not_all_of_what_would_be_stored_passes_it_by_or_is_a_part() {
    let (said, terms) = (OfRequest::default(), terms());
    let head = || Asked { method: &Method::HEAD, ..asked(&said) };
    let part = || Asked { wants_part: true, ..asked(&said) };
    let of = |asked: Asked<'_>, stored, seconds| decide(stored, &asked, &|| true, after(seconds));
    let stored = Stored::Found(&terms);
    assert_eq!(of(head(), Stored::Nothing, 0.0), Decision::Bypass(Why::UriMiss));
    assert_eq!(of(part(), Stored::OtherVariants, 0.0), Decision::FetchPart(Why::VaryMiss));
    assert_eq!(of(head(), stored, 12.0), Decision::Bypass(Why::Stale));
    // What the origin says still holds has the part.
    assert_eq!(of(part(), stored, 12.0), Decision::Validate(Why::Stale));
    assert_eq!(of(head(), stored, 1.0), Decision::Serve);
    assert_eq!(of(part(), stored, 1.0), Decision::Serve);
}

#[test]
fn what_is_missing_of_a_part_is_fetched_however_fresh_it_is() {
    let (said, terms) = (OfRequest::default(), terms());
    let partial = Stored::Partial(&terms);
    let of = |asked: Asked<'_>, seconds| decide(partial, &asked, &|| true, after(seconds));
    for seconds in [1.0, 10.5, 20.0] {
        assert_eq!(of(asked(&said), seconds), Decision::Fetch(Why::Partial));
        let part = Asked { wants_part: true, ..asked(&said) };
        assert_eq!(of(part, seconds), Decision::FetchPart(Why::Partial));
    }
    let bypassing = Asked { bypasses: true, ..asked(&said) };
    assert_eq!(of(bypassing, 1.0), Decision::Fetch(Why::Bypass));
    let stored_only = OfRequest { only_if_cached: true, ..said };
    assert_eq!(of(asked(&stored_only), 1.0), Decision::Refuse);
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(Duration::ZERO), (0u64..40).prop_map(|half| SECOND * half as u32 / 2)]
}

fn any_directives() -> impl Strategy<Value = OfRequest> {
    let numbers = prop::collection::vec(prop::option::of(any_duration()), 4);
    (numbers, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(numbers, a, b, c)| {
        OfRequest {
            max_age: numbers[0],
            max_stale: numbers[1],
            min_fresh: numbers[2],
            stale_if_error: numbers[3],
            no_cache: a,
            no_store: b,
            only_if_cached: c,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// RFC 9111 §4, §4.2.4, §5.2.2: whatever is asked for and however the origin is.
    #[test]
    fn nothing_is_served_that_the_response_forbids(
        windows in prop::collection::vec(any_duration(), 5),
        (validate_always, strict) in any::<(bool, bool)>(),
        said in any_directives(),
        (honoured, is_reachable, bypasses) in any::<(bool, bool, bool)>(),
        seconds in 0.0f64..40.0,
    ) {
        let never_stale = strict || validate_always;
        let terms = Terms {
            initial_age: windows[0].into(),
            lifetime: windows[1].into(),
            while_revalidate: windows[2].into(),
            if_error: windows[3].into(),
            if_disconnected: windows[4].into(),
            validate_always,
            never_stale,
            ..terms()
        };
        let now = after(seconds);
        let (age, is_fresh) = (terms.age(now), terms.is_fresh(now));
        let asked = Asked { honoured, bypasses, ..asked(&said) };
        match decide(Stored::Found(&terms), &asked, &|| is_reachable, now) {
            Decision::Serve => {
                prop_assert!(is_fresh && !validate_always && !bypasses);
                prop_assert!(!honoured || !said.no_cache && said.max_age.is_none_or(|most| age <= most));
            }
            Decision::ServeStale(_) => prop_assert!(!is_fresh && !never_stale && !bypasses),
            Decision::Validate(_) => prop_assert!(!said.only_if_cached),
            Decision::Refuse => prop_assert!(said.only_if_cached),
            Decision::Bypass(_) => prop_assert!(said.no_store),
            Decision::Fetch(_) | Decision::FetchPart(_) => prop_assert!(false, "it is stored"),
        }
        for trouble in [Trouble::Unreachable, Trouble::Status(500)] {
            let is_served = instead_of(trouble, &terms, Some(&said), now).is_some();
            prop_assert!(!is_served || !never_stale);
        }
    }
}
