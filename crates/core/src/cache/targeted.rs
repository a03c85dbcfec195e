//! Fields like `Cache-Control` for some caches alone (RFC 9213).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::delta_seconds;
use super::directives::{OfResponse, Place, Scope};

/// The directives of the first of the fields `names` that counts; they take the place of `Cache-Control` and `Expires`.
///
/// One that is empty, or no dictionary (RFC 9651 §3.2), or in which a known directive has a value of another type than
/// it should, is ignored as a whole.
pub fn of(headers: &HeaderMap, names: &[HeaderName]) -> Option<OfResponse> {
    names.iter().find_map(|name| {
        let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
        directives(&lines.join(&b","[..]))
    })
}

fn directives(text: &[u8]) -> Option<OfResponse> {
    let members = Parser::new(text).parse::<Dictionary>().ok()?;
    if members.is_empty() {
        return None;
    }
    let mut directives = OfResponse { is_targeted: true, ..OfResponse::default() };
    for (name, value) in &members {
        if let Some(place) = directives.place(name.as_str().as_bytes()) {
            write(place, value)?;
        }
    }
    Some(directives)
}

/// `None` where the value has the wrong type. Parameters are ignored.
fn write(place: Place<'_>, value: &ListEntry) -> Option<()> {
    let ListEntry::Item(value) = value else { return None };
    match (place, &value.bare_item) {
        (Place::Seconds(seconds), BareItem::Integer(number)) => {
            // A negative one cannot be meant: the response is stale (RFC 9111 §4.2.1).
            let number = u64::try_from(i64::from(*number)).unwrap_or_default();
            *seconds = Some(Duration::from_secs(number).min(delta_seconds::MAX));
        }
        (Place::Demand(flag) | Place::Permission(flag), BareItem::Boolean(true)) => *flag = true,
        (Place::Scope(scope), BareItem::Boolean(true)) => *scope = Scope::Whole,
        (Place::Scope(scope), BareItem::String(fields)) => {
            *scope = Scope::listed(fields.as_str().as_bytes());
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");
    const OWN: HeaderName = HeaderName::from_static("tidegate-cache-control");

    fn told(lines: &[(HeaderName, &str)]) -> Option<OfResponse> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        of(&headers, &[OWN, CDN])
    }

    fn max_age(seconds: u64) -> Option<OfResponse> {
        let max_age = Some(Duration::from_secs(seconds));
        Some(OfResponse { max_age, is_targeted: true, ..OfResponse::default() })
    }

    #[test]
    fn a_dictionary_is_read_and_what_is_unknown_in_it_ignored() {
        for (value, seconds) in [
            ("max-age=3600", 3600),
            ("max-age=0", 0),
            ("max-age=-60", 0),
            ("max-age=2147483648", 2_147_483_648),
            ("max-age=99999999999", 2_147_483_648),
            ("foobar, max-age=60", 60),
            ("foobar=(a b), max-age=60, other=1.5", 60),
            ("max-age=60;a=b", 60),
            ("max-age=1, max-age=60", 60),
        ] {
            assert_eq!(told(&[(CDN, value)]), max_age(seconds), "{value}");
        }
    }

    #[test]
    fn every_directive_is_known() {
        let value = "max-age=1, s-maxage=2, no-cache, private=\"a, b\", no-store, must-revalidate, \
                     proxy-revalidate, must-understand, public, immutable, stale-while-revalidate=3, stale-if-error=4";
        let headers = HeaderMap::from_iter([(
            http::header::CACHE_CONTROL,
            HeaderValue::from_str(value).unwrap(),
        )]);
        let same = OfResponse { is_targeted: true, ..OfResponse::of(&headers) };
        assert_eq!(told(&[(CDN, value)]), Some(same));
    }

    #[test]
    fn only_unknown_directives_are_directives_as_well() {
        let nothing = OfResponse { is_targeted: true, ..OfResponse::default() };
        assert_eq!(told(&[(CDN, "foo")]), Some(nothing));
    }

    #[test]
    fn what_is_no_dictionary_is_ignored() {
        for value in [
            "",
            " ",
            "max-age=10000, &&&&&",
            "max-age =100",
            "max-age= 100",
            "MaX-aGe=3600",
            "max-age='1'",
            "no-store,",
            "private=\"a",
            "max-age=\u{e9}",
        ] {
            assert_eq!(told(&[(CDN, value)]), None, "{value}");
        }
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn a_known_directive_of_the_wrong_type_makes_all_be_ignored() {
        for value in [
            "max-age=\"10000\"",
            "max-age=1.5",
            "max-age",
            "max-age=(1)",
            "no-store=1",
            "no-store=?0",
            "no-store=\"x\"",
            "public=yes",
            "private=1",
            "no-cache=(a b)",
            "no-cache=a",
        ] {
            assert_eq!(told(&[(CDN, &format!("s-maxage=60, {value}"))]), None, "{value}");
        }
    }

    #[test]
    fn the_first_name_that_counts_is_taken_whatever_comes_first() {
        let cdn = (CDN, "max-age=60");
        assert_eq!(told(&[cdn.clone(), (OWN, "max-age=5")]), max_age(5));
        assert_eq!(told(&[cdn.clone(), (OWN, "max-age=\"5\"")]), max_age(60));
        assert_eq!(told(&[cdn.clone(), (OWN, "")]), max_age(60));
        assert_eq!(
            told(&[cdn, (HeaderName::from_static("x-cache-control"), "no-store")]),
            max_age(60)
        );
    }

    #[test]
    fn lines_are_one_dictionary() {
        assert_eq!(told(&[(CDN, "max-age=60"), (CDN, "max-age=5, a")]), max_age(5));
        assert_eq!(told(&[(CDN, "max-age=60"), (CDN, "&")]), None);
    }
}
