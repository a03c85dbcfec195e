//! A credential is found and taken off in one way wherever it stands, and all else stays.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use http::{Request, Uri, request};
use tidegate_core::auth::{ApiKeys, NameAndPassword, Place, Refusal};

/// What follows a scheme, a field's value, a `Cookie`, a query, a key.
pub fn credentials(bytes: &[u8]) {
    check_name_and_password(bytes);
    let refusal = ApiKeys::default().find(bytes, None, 0).err();
    assert!(matches!(refusal, Some(Refusal::Invalid(_) | Refusal::UnknownKey)));
    if let Some(head) = head(bytes) {
        check_places(&head);
    }
}

fn check_name_and_password(text: &[u8]) {
    let Ok(given) = NameAndPassword::decode(text) else { return };
    assert!(!given.name().contains(&b':'));
    let whole = [given.name(), b":", given.password()].concat();
    assert!(!whole.iter().any(u8::is_ascii_control));
    let text = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    let encoded = BASE64_STANDARD.encode(&whole);
    assert_eq!(encoded.trim_end_matches('=').as_bytes(), text, "read in one way only");
}

/// A request that carries the bytes wherever they fit.
fn head(bytes: &[u8]) -> Option<request::Parts> {
    let value = HeaderValue::from_bytes(bytes).ok()?;
    let mut head = Request::new(()).into_parts().0;
    head.headers.append(COOKIE, value.clone());
    head.headers.append(AUTHORIZATION, value.clone());
    head.headers.append("x-api-key", value);
    if let Ok(uri) = Uri::try_from([b"/path?", bytes].concat()) {
        head.uri = uri;
    }
    Some(head)
}

fn check_places(head: &request::Parts) {
    let field = HeaderName::from_static("x-api-key");
    for place in [
        Place::BEARER,
        Place::BASIC,
        Place::Header(field),
        Place::Cookie("key".into()),
        Place::Query("key".into()),
    ] {
        let mut left = head.clone();
        place.take_off(&mut left);
        assert_eq!(place.find(&left), None, "{place:?} is taken off");
        assert_eq!(left.uri.path(), head.uri.path());
        let mut again = left.clone();
        place.take_off(&mut again);
        assert_eq!((&again.headers, &again.uri), (&left.headers, &left.uri), "once is enough");
        let other = Place::Cookie("other".into());
        assert_eq!(other.find(&left), other.find(head), "another cookie stays");
        let other = Place::Query("other".into());
        assert_eq!(other.find(&left), other.find(head), "another parameter stays");
    }
}
