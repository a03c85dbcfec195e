//! Heads and trailers, of field sections and back (RFC 9114 §4.1 to 4.3).

use bytes::{BufMut, Bytes};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version, request, response, uri};
use tidegate_core::message::Malformed;
use tidegate_core::websocket::WEBSOCKET;

use super::code::Code;
use super::qpack::{Encoder, Line, Name, OVERHEAD, Unreadable, decode};

/// Why a field section is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The connection ends with it.
    Undecodable(Code),
    /// The message is malformed.
    Malformed(Malformed),
}

impl From<Unreadable> for Refused {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Undecodable(code) => Self::Undecodable(code),
            Unreadable::Malformed => SYNTAX,
            Unreadable::TooLarge => Self::Malformed(Malformed::HeaderTooLarge),
        }
    }
}

const SYNTAX: Refused = Refused::Malformed(Malformed::Syntax);

/// The pseudo-header fields of a head.
#[derive(Debug, Default)]
struct Pseudo {
    method: Option<Bytes>,
    scheme: Option<Bytes>,
    authority: Option<Bytes>,
    path: Option<Bytes>,
    protocol: Option<Bytes>,
    status: Option<Bytes>,
}

/// The protocol that an extended CONNECT asks for (RFC 9220); an extension of its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol(pub Bytes);

/// The head of a request; its fields and those of the pseudo-header come to at most `limit` bytes (RFC 9114 §4.2.2).
///
/// # Errors
/// Why there is none.
pub fn request(section: &Bytes, limit: usize) -> Result<request::Parts, Refused> {
    let (pseudo, headers) = head(section, limit)?;
    let Pseudo { method: Some(method), scheme, authority, path, protocol, status: None } = pseudo
    else {
        return Err(SYNTAX);
    };
    let method = Method::from_bytes(&method).map_err(|_| SYNTAX)?;
    let is_plain_connect = method == Method::CONNECT && protocol.is_none();
    // A plain CONNECT has an authority alone, and only CONNECT is extended (RFC 9114 §4.4, RFC 8441 §4).
    let is_whole = match is_plain_connect {
        true => scheme.is_none() && path.is_none() && authority.is_some(),
        false => scheme.is_some() && path.is_some(),
    };
    if !is_whole || protocol.is_some() && method != Method::CONNECT {
        return Err(SYNTAX);
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method;
    parts.uri = uri_of(scheme, authority, path)?;
    parts.version = Version::HTTP_3;
    parts.headers = headers;
    if let Some(protocol) = protocol {
        parts.extensions.insert(Protocol(protocol));
    }
    Ok(parts)
}

/// The head of a response; its fields and those of the pseudo-header come to at most `limit` bytes.
///
/// # Errors
/// Why there is none.
pub fn response(section: &Bytes, limit: usize) -> Result<response::Parts, Refused> {
    let (pseudo, headers) = head(section, limit)?;
    // RFC 9114 §4.3.2: the status alone.
    let Pseudo {
        status: Some(status),
        method: None,
        scheme: None,
        authority: None,
        path: None,
        protocol: None,
    } = pseudo
    else {
        return Err(SYNTAX);
    };
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::from_bytes(&status).map_err(|_| SYNTAX)?;
    parts.version = Version::HTTP_3;
    parts.headers = headers;
    Ok(parts)
}

/// Trailers.
///
/// # Errors
/// Why there are none.
pub fn trailers(section: &Bytes, limit: usize) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    decode(section, limit, |line| match line.name {
        Name::Field(ref name) => field(&mut headers, name.clone(), &line),
        _ => Err(SYNTAX),
    })?;
    Ok(headers)
}

/// The pseudo-header and the fields behind it.
fn head(section: &Bytes, limit: usize) -> Result<(Pseudo, HeaderMap), Refused> {
    let (mut pseudo, mut headers) = (Pseudo::default(), HeaderMap::new());
    decode(section, limit, |line| {
        let place = match &line.name {
            Name::Field(name) => return field(&mut headers, name.clone(), &line),
            Name::Method => &mut pseudo.method,
            Name::Scheme => &mut pseudo.scheme,
            Name::Authority => &mut pseudo.authority,
            Name::Path => &mut pseudo.path,
            Name::Protocol => &mut pseudo.protocol,
            Name::Status => &mut pseudo.status,
        };
        // None comes twice, nor behind a field.
        match headers.is_empty() && place.replace(line.value).is_none() {
            true => Ok(()),
            false => Err(SYNTAX),
        }
    })?;
    Ok((pseudo, headers))
}

fn field(headers: &mut HeaderMap, name: HeaderName, line: &Line) -> Result<(), Refused> {
    let value = line.field_value().ok_or(SYNTAX)?;
    if is_of_a_connection(&name, &value) {
        return Err(SYNTAX);
    }
    let kept = headers.try_append(name, value);
    kept.map(|_| ()).map_err(|_| Refused::Malformed(Malformed::HeaderTooLarge))
}

/// Fields that speak of a connection over HTTP/1 (RFC 9114 §4.2).
fn is_of_a_connection(name: &HeaderName, value: &HeaderValue) -> bool {
    match *name {
        header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE => true,
        header::TE => value != "trailers",
        ref name => matches!(name.as_str(), "keep-alive" | "proxy-connection"),
    }
}

fn uri_of(
    scheme: Option<Bytes>,
    authority: Option<Bytes>,
    path: Option<Bytes>,
) -> Result<Uri, Refused> {
    let mut parts = uri::Parts::default();
    let scheme = scheme.map(|scheme| Scheme::try_from(&scheme[..])).transpose();
    let scheme = scheme.map_err(|_| SYNTAX)?;
    parts.authority =
        authority.map(Authority::from_maybe_shared).transpose().map_err(|_| SYNTAX)?;
    // A URI has no scheme without an authority, which is then the `Host` field's to say.
    parts.scheme = scheme.filter(|_| parts.authority.is_some());
    parts.path_and_query = match path {
        // A fragment is no part of it (RFC 9110 §7.1), and would be left out without a word.
        Some(path) if path.is_empty() || path.contains(&b'#') => return Err(SYNTAX),
        Some(path) => Some(PathAndQuery::from_maybe_shared(path).map_err(|_| SYNTAX)?),
        None => None,
    };
    Uri::from_parts(parts).map_err(|_| SYNTAX)
}

/// What a request that has the form of HTTP/1 is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestForm {
    /// What it is.
    Plain,
    /// An extended CONNECT for the WebSocket that it asks for (RFC 9220).
    WebSocket,
}

/// Write the head of a request.
pub fn write_request(head: &request::Parts, form: RequestForm, into: &mut impl BufMut) {
    let mut section = Encoder::new(into);
    request_lines(head, form).for_each(|(name, value)| section.line(name, value));
}

/// What the head of a request comes to, as RFC 9114 §4.2.2 counts it.
pub fn size_of_request(head: &request::Parts, form: RequestForm) -> u64 {
    request_lines(head, form)
        .map(|(name, value)| (name.len() + value.len() + OVERHEAD) as u64)
        .sum()
}

/// The lines of a request's head, whose `Host` becomes `:authority` (RFC 9114 §4.3.1). The key of a WebSocket belongs to
/// HTTP/1 alone (RFC 8441 §5).
fn request_lines(head: &request::Parts, form: RequestForm) -> impl Iterator<Item = (&str, &[u8])> {
    let is_websocket = form == RequestForm::WebSocket;
    let method = if is_websocket { "CONNECT" } else { head.method.as_str() };
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let pseudo = [
        Some((":method", method.as_bytes())),
        is_websocket.then_some((":protocol", WEBSOCKET.as_bytes())),
        Some((":scheme", &b"https"[..])),
        head.headers.get(header::HOST).map(|host| (":authority", host.as_bytes())),
        Some((":path", path.as_bytes())),
    ];
    let ends_here = move |name: &HeaderName| {
        *name == header::HOST || is_websocket && *name == header::SEC_WEBSOCKET_KEY
    };
    let fields = fields(&head.headers).filter(move |(name, _)| !ends_here(name));
    pseudo
        .into_iter()
        .flatten()
        .chain(fields.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// Write the head of a response.
pub fn write_response(status: StatusCode, headers: &HeaderMap, into: &mut impl BufMut) {
    let mut section = Encoder::new(into);
    section.line(":status", status.as_str().as_bytes());
    write_fields(&mut section, headers);
}

/// Write trailers.
pub fn write_trailers(trailers: &HeaderMap, into: &mut impl BufMut) {
    write_fields(&mut Encoder::new(into), trailers);
}

fn write_fields(section: &mut Encoder<'_, impl BufMut>, headers: &HeaderMap) {
    fields(headers).for_each(|(name, value)| section.line(name.as_str(), value.as_bytes()));
}

/// Those that may be in a message of this version.
fn fields(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, value)| !is_of_a_connection(name, value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GET: [(&str, &str); 4] =
        [(":method", "GET"), (":scheme", "https"), (":authority", "a.example"), (":path", "/x?y")];

    fn section(lines: &[(&str, &str)]) -> Bytes {
        let mut bytes = Vec::new();
        let mut section = Encoder::new(&mut bytes);
        lines.iter().for_each(|(name, value)| section.line(name, value.as_bytes()));
        bytes.into()
    }

    fn read(lines: &[(&str, &str)]) -> Result<request::Parts, Refused> {
        request(&section(lines), 4_096)
    }

    #[test]
    fn a_request_is_read_as_it_was_sent() {
        let fields = [("accept", "*/*"), ("x-a", "1"), ("x-a", "2")];
        let head = read(&[&GET[..], &fields].concat()).unwrap();
        assert_eq!(
            (head.method, head.uri.to_string()),
            (Method::GET, "https://a.example/x?y".into())
        );
        assert_eq!(head.headers.get_all("x-a").iter().count(), 2);
    }

    #[test]
    fn a_response_is_written_without_fields_of_a_connection() {
        let mut headers = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("\"a\""))]);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        let mut written = Vec::new();
        write_response(StatusCode::IM_A_TEAPOT, &headers, &mut written);
        let expected = section(&[(":status", "418"), ("etag", "\"a\"")]);
        assert_eq!(written, expected);
    }

    #[test]
    fn a_request_that_is_written_is_read_again() {
        let request = Request::post("/x?y").header("host", "a.example").header("te", "trailers");
        let request = request.header("x-a", "1").header("connection", "close");
        let (sent, ()) = request.body(()).unwrap().into_parts();
        let mut written = Vec::new();
        write_request(&sent, RequestForm::Plain, &mut written);
        let size = size_of_request(&sent, RequestForm::Plain) as usize;
        let written = Bytes::from(written);
        assert!(super::request(&written, size - 1).is_err(), "it comes to {size}");
        let came = super::request(&written, size).unwrap();
        assert_eq!(
            (came.method, came.uri.to_string()),
            (Method::POST, "https://a.example/x?y".into())
        );
        let names: Vec<_> = came.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["te", "x-a"]);
    }

    #[test]
    fn a_request_for_a_websocket_is_written_without_what_belongs_to_http1() {
        let request = Request::get("/x").header("host", "a.example").header("upgrade", "websocket");
        let request =
            request.header("sec-websocket-key", "k").header("sec-websocket-version", "13");
        let (asked, ()) = request.body(()).unwrap().into_parts();
        let mut written = Vec::new();
        write_request(&asked, RequestForm::WebSocket, &mut written);
        let came = super::request(&written.into(), 4_096).unwrap();
        assert_eq!((came.method, came.uri.path()), (Method::CONNECT, "/x"));
        assert_eq!(came.extensions.get(), Some(&Protocol("websocket".into())));
        let names: Vec<_> = came.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["sec-websocket-version"]);
    }

    #[test]
    fn a_response_has_a_status_and_nothing_else_of_a_pseudo_header() {
        let read = |lines: &[(&str, &str)]| response(&section(lines), 4_096);
        let head = read(&[(":status", "404"), ("x-a", "1")]).unwrap();
        assert_eq!(
            (head.status, &head.headers["x-a"]),
            (StatusCode::NOT_FOUND, &"1".parse().unwrap())
        );
        for lines in [
            &[("x-a", "1")][..],
            &[(":status", "99")],
            &[(":status", "2000")],
            &[(":status", "200"), (":status", "200")],
            &[(":status", "200"), (":path", "/")],
            &[("x-a", "1"), (":status", "200")],
            &[(":status", "200"), ("connection", "close")],
        ] {
            assert_eq!(read(lines).unwrap_err(), SYNTAX, "{lines:?}");
        }
    }

    #[test]
    fn a_pseudo_header_that_is_not_whole_or_not_first_is_malformed() {
        let without = |left_out: usize| -> Vec<_> {
            GET.iter()
                .enumerate()
                .filter(|(at, _)| *at != left_out)
                .map(|(_, line)| *line)
                .collect()
        };
        let with = |more: &[(&'static str, &'static str)]| [&GET[..], more].concat();
        for lines in [
            without(0),
            without(1),
            without(3),
            with(&[GET[0]]),
            with(&[("accept", "*/*"), GET[3]]),
            with(&[(":status", "200")]),
            with(&[(":protocol", "websocket")]),
            [&without(3)[..], &[(":path", "")]].concat(),
            [&without(3)[..], &[(":path", "/x#y")]].concat(),
            [&without(1)[..], &[(":scheme", "a b")]].concat(),
            vec![(":method", "CONNECT"), (":path", "/")],
        ] {
            assert_eq!(read(&lines).unwrap_err(), SYNTAX, "{lines:?}");
        }
        assert_eq!(read(&without(2)).unwrap().uri, "/x?y", "the host field may say the host");
    }

    #[test]
    fn connect_has_an_authority_alone_unless_it_is_extended() {
        let plain = read(&[(":method", "CONNECT"), (":authority", "a:1")]).unwrap();
        assert_eq!(plain.uri, "a:1");
        let extended = [(":method", "CONNECT"), (":protocol", "websocket"), GET[1], GET[2], GET[3]];
        let extended = read(&extended).unwrap();
        assert_eq!(extended.extensions.get(), Some(&Protocol("websocket".into())));
    }

    #[test]
    fn fields_of_a_connection_make_a_message_malformed() {
        for line in [
            ("connection", "close"),
            ("keep-alive", "1"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
            ("x-a", "a\nb"),
        ] {
            assert_eq!(read(&[&GET[..], &[line]].concat()).unwrap_err(), SYNTAX, "{line:?}");
        }
        assert!(read(&[&GET[..], &[("te", "trailers")]].concat()).is_ok());
    }

    #[test]
    fn trailers_have_no_pseudo_header() {
        assert_eq!(trailers(&section(&[("sum", "1")]), 100).unwrap()["sum"], "1");
        assert_eq!(trailers(&section(&[(":path", "/")]), 100), Err(SYNTAX));
    }
}
