//! The request target (RFC 9112 §3.2) and the host it is for.

use bytes::Bytes;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Method};
use tidegate_core::message::Malformed;
use tidegate_core::message::authority::names_host;
use tidegate_core::message::target::{check, is_path};

/// A target in origin form, and the host where absolute form named it.
pub struct Target {
    /// Path and query.
    pub uri: Uri,
    /// The authority of an absolute-form target; it takes the place of `Host` (§3.2.2).
    pub authority: Option<HeaderValue>,
}

/// Read a target, which is at most `limit` bytes long.
pub fn parse(method: &Method, target: Bytes, limit: usize) -> Result<Target, Malformed> {
    check(&target, limit)?;
    if is_path(method, &target) {
        let path = PathAndQuery::from_maybe_shared(target).map_err(|_| Malformed::Syntax)?;
        return Ok(Target { uri: Uri::from(path), authority: None });
    }
    if method == Method::CONNECT {
        // Refused later, by its own error; the form is checked here.
        return match names_host(&target) {
            true => Ok(Target { uri: Uri::from_static("/"), authority: None }),
            false => Err(Malformed::Syntax),
        };
    }
    let uri = Uri::from_maybe_shared(target).map_err(|_| Malformed::Syntax)?;
    let authority = match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if names_host(authority.as_str().as_bytes()) => {
            HeaderValue::from_str(authority.as_str()).map_err(|_| Malformed::Syntax)?
        }
        _ => return Err(Malformed::Syntax),
    };
    let path = match (uri.path_and_query(), uri.query()) {
        (Some(path), _) if path.as_str().starts_with('/') => path.clone(),
        // An empty path is written as "/" in origin form (§3.2.1).
        (_, Some(query)) => {
            PathAndQuery::try_from(format!("/?{query}")).map_err(|_| Malformed::Syntax)?
        }
        _ => PathAndQuery::from_static("/"),
    };
    Ok(Target { uri: Uri::from(path), authority: Some(authority) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn path(method: Method, target: &'static str) -> Result<String, Malformed> {
        parse(&method, Bytes::from_static(target.as_bytes()), 100).map(|t| t.uri.to_string())
    }

    #[test]
    fn an_absolute_target_is_taken_apart() {
        let target = Bytes::from_static(b"http://a.example:81/x?y");
        let target = parse(&Method::GET, target, 100).unwrap();
        assert_eq!(target.uri.to_string(), "/x?y");
        assert_eq!(target.authority.unwrap(), "a.example:81");
        assert_eq!(path(Method::GET, "http://a.example"), Ok("/".into()));
        assert_eq!(path(Method::GET, "http://a.example?x"), Ok("/?x".into()));
    }

    #[test]
    fn a_target_of_no_known_form_is_refused() {
        for target in
            ["x", "*", "//\u{7f}", "/a#b", "ftp://a/b", "http:///b", "http://u@a/", "/a b"]
        {
            assert_eq!(path(Method::GET, target), Err(Malformed::Syntax), "{target}");
        }
        assert_eq!(path(Method::OPTIONS, "*"), Ok("*".into()));
    }
}
