//! Field lines (RFC 9112 §5): where a section ends, and which fields say how
//! the message is framed rather than what it means.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;
use tidegate_core::message::alt_svc::AltSvc;
use tidegate_core::message::head_fields::HeadFields;
use tidegate_core::message::{Malformed, trailers};

/// Where the section in `buf` ends: behind its empty line. `scanned` remembers how far was looked.
///
/// A line that ends in a bare LF is refused (RFC 9112 §2.2 lets a recipient take
/// it; peers that do and peers that do not disagree about where a request ends).
pub fn section_end(buf: &[u8], scanned: &mut usize) -> Result<Option<usize>, Malformed> {
    // A response is looked for before anything of it has come.
    if *scanned == buf.len() {
        return Ok(None);
    }
    for at in memchr::memchr_iter(b'\n', &buf[*scanned..]) {
        let newline = *scanned + at;
        if newline == 0 || buf[newline - 1] != b'\r' {
            return Err(Malformed::Syntax);
        }
        if newline == 1 || buf[newline - 2] == b'\n' {
            return Ok(Some(newline + 1));
        }
    }
    // What has come so far is incomplete; it need not be waited for if it can only become an error.
    let bare = memchr::memchr_iter(b'\r', &buf[*scanned..])
        .any(|at| buf.get(*scanned + at + 1).is_some_and(|next| *next != b'\n'));
    if bare {
        return Err(Malformed::Syntax);
    }
    // A CR at the end is looked at again, together with what follows it.
    *scanned = buf.len() - usize::from(buf.ends_with(b"\r"));
    Ok(None)
}

/// What a message says about itself and its connection, as against its content.
#[derive(Debug, Default)]
pub struct Control {
    /// `Connection: close`.
    pub close: bool,
    /// `Connection: keep-alive`.
    pub keep_alive: bool,
    /// `Content-Length`.
    pub content_length: Option<u64>,
    /// `Transfer-Encoding: chunked`.
    pub chunked: bool,
    /// `Upgrade`.
    pub upgrade: Option<HeaderValue>,
    /// `Connection: upgrade`.
    pub names_upgrade: bool,
    /// `TE: trailers`, where `Connection` names it.
    pub te_trailers: bool,
    /// `Expect: 100-continue`.
    pub expect_continue: bool,
    /// How many `Host` fields there are.
    pub hosts: u32,
    /// What `Alt-Svc` says of HTTP/3.
    pub alt_svc: Option<AltSvc>,
}

/// Sort the fields of a message: end-to-end ones, once they are `judged`, into a map with room for `extra`
/// more, the others into [`Control`]. Hop-by-hop fields (RFC 9110 §7.6.1), those
/// that `Connection` names among them, end here.
pub fn sort(
    section: &Bytes,
    fields: &[httparse::Header<'_>],
    mut judged: HeadFields<'_>,
    extra: usize,
) -> Result<(HeaderMap, Control), Malformed> {
    let mut map = HeaderMap::with_capacity(fields.len() + extra);
    let mut control = Control::default();
    let mut named: SmallVec<[HeaderName; 4]> = SmallVec::new();
    let (mut te_trailers, mut names_te) = (false, false);
    for field in fields {
        match of_connection(field.name.as_bytes()) {
            None => {
                let name =
                    HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed::Syntax)?;
                judged.see(&name, field.value)?;
                map.try_append(name, value(section, field.value)?)
                    .map_err(|_| Malformed::HeaderTooLarge)?;
            }
            Some(OfConnection::Connection) => {
                for token in tokens(field.value) {
                    match token {
                        t if t.eq_ignore_ascii_case(b"close") => control.close = true,
                        t if t.eq_ignore_ascii_case(b"keep-alive") => control.keep_alive = true,
                        t if t.eq_ignore_ascii_case(b"upgrade") => control.names_upgrade = true,
                        t if t.eq_ignore_ascii_case(b"te") => names_te = true,
                        t => named.push(HeaderName::from_bytes(t).map_err(|_| Malformed::Syntax)?),
                    }
                }
            }
            Some(OfConnection::TransferEncoding) => {
                if control.chunked {
                    return Err(Malformed::Syntax);
                }
                if !field.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(transfer_coding_error(field.value));
                }
                control.chunked = true;
            }
            Some(OfConnection::Upgrade) => control.upgrade = Some(value(section, field.value)?),
            Some(OfConnection::Te) => {
                te_trailers |= tokens(field.value).any(|t| t.eq_ignore_ascii_case(b"trailers"));
            }
            Some(OfConnection::Dropped) => {}
        }
    }
    if control.chunked && judged.content_length().is_some() {
        return Err(Malformed::Syntax);
    }
    judged.settle(&mut map);
    for name in &named {
        if *name != CONTENT_LENGTH && *name != HOST {
            map.remove(name);
        }
    }
    control.te_trailers = te_trailers && names_te;
    control.content_length = judged.content_length();
    control.expect_continue = judged.expects_continue();
    control.hosts = judged.hosts();
    control.alt_svc = judged.alt_svc();
    Ok((map, control))
}

/// Whether a connection may change over to it: HTTP/2, to which an upgrade is no longer made (RFC 9113 §3.1), and TLS
/// (RFC 2817) are between two neighbours.
pub fn may_upgrade(to: &HeaderValue) -> bool {
    !tokens(to.as_bytes()).any(|protocol| {
        let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"h2c") || name.eq_ignore_ascii_case(b"tls")
    })
}

/// A trailer section (RFC 9112 §7.1.2), without the fields that no trailer may carry (RFC 9110 §6.5.1).
pub fn trailers(section: Bytes) -> Result<HeaderMap, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; trailers::MOST_FIELDS];
    let parsed = match httparse::parse_headers(&section, &mut fields) {
        Ok(httparse::Status::Complete((_, parsed))) => parsed,
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed::HeaderTooLarge),
        _ => return Err(Malformed::Syntax),
    };
    let mut map = HeaderMap::with_capacity(parsed.len());
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed::Syntax)?;
        if trailers::may_have(&name) {
            map.append(name, value(&section, field.value)?);
        }
    }
    Ok(map)
}

/// Append a field line.
pub fn push(buffer: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    buffer.extend_from_slice(name.as_str().as_bytes());
    buffer.extend_from_slice(b": ");
    buffer.extend_from_slice(value.as_bytes());
    buffer.extend_from_slice(b"\r\n");
}

/// A field that belongs to a connection.
enum OfConnection {
    Connection,
    TransferEncoding,
    Upgrade,
    Te,
    Dropped,
}

/// What a field is to the connection that it came on. By length first: most are told apart by it alone.
fn of_connection(name: &[u8]) -> Option<OfConnection> {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    match name.len() {
        2 if is(b"te") => Some(OfConnection::Te),
        7 if is(b"upgrade") => Some(OfConnection::Upgrade),
        10 if is(b"connection") => Some(OfConnection::Connection),
        10 if is(b"keep-alive") => Some(OfConnection::Dropped),
        16 if is(b"proxy-connection") => Some(OfConnection::Dropped),
        17 if is(b"transfer-encoding") => Some(OfConnection::TransferEncoding),
        _ => None,
    }
}

fn value(section: &Bytes, value: &[u8]) -> Result<HeaderValue, Malformed> {
    HeaderValue::from_maybe_shared(section.slice_ref(value)).map_err(|_| Malformed::Syntax)
}

/// The members of a comma-separated list.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// A known coding before `chunked` is one we do not carry out; anything else cannot be framed.
fn transfer_coding_error(value: &[u8]) -> Malformed {
    let mut codings = tokens(value).collect::<SmallVec<[&[u8]; 4]>>();
    let last = codings.pop().unwrap_or_default();
    let known = |coding: &&[u8]| {
        [&b"gzip"[..], b"x-gzip", b"deflate", b"compress", b"x-compress"]
            .iter()
            .any(|known| coding.eq_ignore_ascii_case(known))
    };
    if last.eq_ignore_ascii_case(b"chunked") && !codings.is_empty() && codings.iter().all(known) {
        Malformed::TransferCoding
    } else {
        Malformed::Syntax
    }
}
