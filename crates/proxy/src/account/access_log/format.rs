//! The shapes of a line.
//!
//! Nothing that a client sends can end a line, forge a field, or reach a terminal as a control
//! sequence: such characters are written as escapes.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use super::Entry;
use crate::account::civil::Civil;

/// One JSON object (RFC 8259). Fields that are not known are left out; times are in seconds.
pub fn json(entry: &Entry<'_>, line: &mut Vec<u8>) {
    line.extend_from_slice(b"{\"time\":\"");
    Civil::from_unix_ns(entry.time).write_rfc3339(line);
    line.push(b'"');
    text(line, "listener", entry.listener);
    if let Some(client) = entry.client {
        line.extend_from_slice(b",\"client\":\"");
        display(line, client);
        line.push(b'"');
    }
    text(line, "request_id", entry.request_id);
    text(line, "method", entry.method);
    text(line, "host", entry.host);
    text(line, "path", entry.path);
    text_if_known(line, "query", entry.query);
    text(line, "protocol", entry.protocol);
    number(line, "status", entry.status);
    number(line, "request_bytes", entry.request_bytes);
    number(line, "response_bytes", entry.response_bytes);
    seconds(line, "duration", entry.duration);
    text_if_known(line, "route", entry.route);
    text_if_known(line, "upstream", entry.upstream);
    text_if_known(line, "endpoint", entry.endpoint);
    number(line, "tries", entry.tries);
    if let Some(upstream_head) = entry.upstream_head {
        seconds(line, "upstream_head", upstream_head);
    }
    text_if_known(line, "error", entry.error);
    text_if_known(line, "limit", entry.limit);
    text_if_known(line, "authenticator", entry.authenticator);
    text_if_known(line, "subject", entry.subject);
    text_if_known(line, "cache", entry.cache);
    text_if_known(line, "user_agent", entry.user_agent);
    text_if_known(line, "referer", entry.referer);
    text_if_known(line, "tls_version", entry.tls_version);
    text_if_known(line, "tls_server_name", entry.tls_server_name);
    text_if_known(line, "tls_client", entry.tls_client);
    text_if_known(line, "trace_id", entry.trace_id);
    line.extend_from_slice(b"}\n");
}

/// The combined log format of Apache and nginx.
pub fn combined(entry: &Entry<'_>, line: &mut Vec<u8>) {
    match entry.client {
        Some(client) => display(line, client),
        None => line.push(b'-'),
    }
    line.extend_from_slice(b" - ");
    match entry.subject {
        Some(subject) => hex_escaped(line, subject.as_bytes()),
        None => line.push(b'-'),
    }
    line.extend_from_slice(b" [");
    Civil::from_unix_ns(entry.time).write_common_log(line);
    line.extend_from_slice(b"] \"");
    hex_escaped(line, known(entry.method));
    line.push(b' ');
    hex_escaped(line, known(entry.path));
    if let Some(query) = entry.query {
        line.push(b'?');
        hex_escaped(line, query);
    }
    line.push(b' ');
    hex_escaped(line, known(entry.protocol.as_bytes()));
    line.extend_from_slice(b"\" ");
    display(line, entry.status);
    line.push(b' ');
    display(line, entry.response_bytes);
    for field in [entry.referer, entry.user_agent] {
        line.extend_from_slice(b" \"");
        hex_escaped(line, field.unwrap_or(b"-"));
        line.push(b'"');
    }
    line.push(b'\n');
}

/// A part of the request line, or what stands for one that could not be read.
fn known(part: &[u8]) -> &[u8] {
    if part.is_empty() { b"-" } else { part }
}

fn key(line: &mut Vec<u8>, name: &str) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
}

fn text(line: &mut Vec<u8>, name: &str, value: impl AsRef<[u8]>) {
    key(line, name);
    line.push(b'"');
    json_escaped(line, value.as_ref());
    line.push(b'"');
}

fn text_if_known(line: &mut Vec<u8>, name: &str, value: Option<impl AsRef<[u8]>>) {
    if let Some(value) = value {
        text(line, name, value);
    }
}

fn number(line: &mut Vec<u8>, name: &str, value: impl Display) {
    key(line, name);
    display(line, value);
}

fn seconds(line: &mut Vec<u8>, name: &str, value: Duration) {
    key(line, name);
    display(line, format_args!("{}.{:06}", value.as_secs(), value.subsec_micros()));
}

fn display(line: &mut Vec<u8>, value: impl Display) {
    // Writing to a Vec cannot fail.
    let _ = write!(line, "{value}");
}

/// The inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
fn json_escaped(line: &mut Vec<u8>, value: &[u8]) {
    if value.iter().all(|&byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        line.extend_from_slice(value);
        return;
    }
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => line.extend_from_slice(b"\\\""),
                '\\' => line.extend_from_slice(b"\\\\"),
                // Also U+2028 and U+2029, which end a line for some readers.
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                    display(line, format_args!("\\u{:04x}", u32::from(c)));
                }
                c => line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            line.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Printable ASCII as it is; quotes, backslashes and all else as `\xHH`, like nginx.
fn hex_escaped(line: &mut Vec<u8>, value: &[u8]) {
    for &byte in value {
        match byte {
            b'"' | b'\\' | 0..b' ' | 0x7f.. => display(line, format_args!("\\x{byte:02X}")),
            printable => line.push(printable),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::*;

    const HOSTILE: &[u8] = b"x\" 200 1\r\n{\"forged\":1}\\\x1b[2J\xc2\x9b\xff\xe2\x80\xa8";

    fn entry() -> Entry<'static> {
        Entry {
            time: 971_186_136_789_000_000,
            listener: "web",
            client: Some([192, 0, 2, 1].into()),
            request_id: b"r-1",
            method: b"GET",
            host: b"example.com",
            path: b"/a",
            query: Some(b"b=c"),
            protocol: "HTTP/1.1",
            status: 200,
            response_bytes: 12,
            duration: Duration::from_micros(1_234_567),
            tries: 1,
            user_agent: Some(b"curl/8"),
            ..Entry::default()
        }
    }

    fn line(format: fn(&Entry<'_>, &mut Vec<u8>), entry: &Entry<'_>) -> Vec<u8> {
        let mut line = Vec::new();
        format(entry, &mut line);
        line
    }

    #[test]
    fn a_json_line_is_one_object_with_the_known_fields() {
        let object: Value = serde_json::from_slice(&line(json, &entry())).unwrap();
        assert_eq!(
            object,
            serde_json::json!({
                "time": "2000-10-10T13:55:36.789Z", "listener": "web", "client": "192.0.2.1",
                "request_id": "r-1", "method": "GET", "host": "example.com", "path": "/a",
                "query": "b=c", "protocol": "HTTP/1.1", "status": 200, "request_bytes": 0,
                "response_bytes": 12, "duration": 1.234567, "tries": 1, "user_agent": "curl/8",
            })
        );
    }

    #[test]
    fn every_field_of_a_json_line_is_on_its_page() {
        let text: &[u8] = b"x";
        let whole = Entry {
            time: 0,
            listener: "x",
            client: Some([192, 0, 2, 1].into()),
            request_id: text,
            method: text,
            host: text,
            path: text,
            query: Some(text),
            protocol: "x",
            status: 200,
            request_bytes: 1,
            response_bytes: 1,
            duration: Duration::ZERO,
            route: Some("x"),
            upstream: Some("x"),
            endpoint: Some("x"),
            tries: 1,
            upstream_head: Some(Duration::ZERO),
            error: Some("x"),
            limit: Some("x"),
            authenticator: Some("x"),
            subject: Some("x"),
            cache: Some("x"),
            user_agent: Some(text),
            referer: Some(text),
            tls_version: Some("x"),
            tls_server_name: Some("x"),
            tls_client: Some("x"),
            trace_id: Some("x"),
        };
        let object: Value = serde_json::from_slice(&line(json, &whole)).unwrap();
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/concepts/observability.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (_, after) = page.split_once("\n## Access log\n").unwrap();
        let (part, _) = after.split_once("\n## ").unwrap();
        let names = object.as_object().unwrap().keys();
        let missing: Vec<_> = names.filter(|name| !part.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_combined_line_has_the_shape_of_apache() {
        assert_eq!(
            String::from_utf8(line(combined, &entry())).unwrap(),
            "192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \"curl/8\"\n"
        );
    }

    #[test]
    fn hostile_text_cannot_leave_its_json_field() {
        let hostile = Entry {
            path: HOSTILE,
            host: HOSTILE,
            user_agent: Some(HOSTILE),
            tls_server_name: Some("a\"\n"),
            ..entry()
        };
        let line = line(json, &hostile);
        let text = str::from_utf8(&line).unwrap();
        assert_eq!(text.trim_end_matches('\n').chars().filter(|c| c.is_control()).count(), 0);
        assert!(!text.contains('\u{2028}'));
        let object: Value = serde_json::from_str(text).unwrap();
        assert!(object.get("forged").is_none());
        let expected = "x\" 200 1\r\n{\"forged\":1}\\\u{1b}[2J\u{9b}\u{fffd}\u{2028}";
        assert_eq!(object["path"], expected);
        assert_eq!(object["user_agent"], expected);
        assert_eq!(object["tls_server_name"], "a\"\n");
    }

    #[test]
    fn hostile_text_cannot_leave_its_combined_field() {
        let hostile = Entry {
            method: HOSTILE,
            path: HOSTILE,
            referer: Some(HOSTILE),
            user_agent: Some(HOSTILE),
            ..entry()
        };
        let line = line(combined, &hostile);
        let (end, inside) = line.split_last().unwrap();
        assert_eq!(*end, b'\n');
        assert!(inside.iter().all(|byte| matches!(byte, b' '..=b'~')));
        assert_eq!(inside.iter().filter(|&&byte| byte == b'"').count(), 6);
    }
}
