//! A line of the access log is one line, whatever is in it, and gives back what was put in.

use serde_json::{Value, json};

use crate::account::access_log::{Entry, format};

/// Bytes that a client sends as its method, host, path, agent and all else.
pub fn access_log(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let entry = Entry {
        listener: "web",
        request_id: bytes,
        method: bytes,
        host: bytes,
        path: bytes,
        query: Some(bytes),
        protocol: "HTTP/1.1",
        user_agent: Some(bytes),
        referer: Some(bytes),
        tls_server_name: Some(&text),
        tls_client: Some(&text),
        trace_id: Some(&text),
        ..Entry::default()
    };
    check_json(&entry, &text);
    check_combined(&entry, bytes);
}

fn check_json(entry: &Entry<'_>, text: &str) {
    let mut line = Vec::new();
    format::json(entry, &mut line);
    let whole = String::from_utf8_lossy(&line);
    let inside = whole.strip_suffix('\n').unwrap_or_default();
    let ends_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(!inside.contains(ends_line), "{inside}");
    let object: Value = serde_json::from_str(inside).unwrap_or_default();
    let expected = json!({
        "time": "1970-01-01T00:00:00.000Z", "listener": "web", "request_id": text, "method": text,
        "host": text, "path": text, "query": text, "protocol": "HTTP/1.1", "status": 0,
        "request_bytes": 0, "response_bytes": 0, "duration": 0.0, "tries": 0, "user_agent": text,
        "referer": text, "tls_server_name": text, "tls_client": text, "trace_id": text,
    });
    assert_eq!(object, expected);
}

fn check_combined(entry: &Entry<'_>, bytes: &[u8]) {
    let mut line = Vec::new();
    format::combined(entry, &mut line);
    let inside = line.strip_suffix(b"\n").unwrap_or_default();
    assert!(inside.iter().all(|byte| matches!(byte, b' '..=b'~')));
    let parts: Vec<_> = inside.split(|byte| *byte == b'"').collect();
    assert_eq!(parts.len(), 7, "three quoted parts");
    // A dash stands for what could not be read.
    let known = if bytes.is_empty() { b"-" } else { bytes };
    let target = [known, b" ", known, b"?", bytes, b" HTTP/1.1"].concat();
    assert_eq!(unescaped(parts[1]), target);
    assert_eq!(unescaped(parts[3]), bytes);
    assert_eq!(unescaped(parts[5]), bytes);
}

/// What nginx's `\xHH` stands for.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut pieces = text.split(|byte| *byte == b'\\');
    out.extend_from_slice(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.get(1..3).and_then(|digits| str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        assert!(piece.starts_with(b"x") && byte.is_some(), "not an escape");
        out.extend(byte);
        out.extend_from_slice(&piece[3..]);
    }
    out
}
