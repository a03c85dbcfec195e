//! One spelling for each path, so that no spelling gets around a route.

use std::borrow::Cow;

/// Why a path has no normal form. The request that carries it is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Neither absolute nor `*`.
    #[error("a path begins with `/`")]
    NotAbsolute,
    /// `%` without two hexadecimal digits after it (RFC 3986 §2.1).
    #[error("`%` is not followed by two hexadecimal digits")]
    BadEncoding,
    /// A NUL, which ends strings early in many a server.
    #[error("a path holds no NUL")]
    Nul,
}

/// The normal form of `path` (RFC 3986 §6.2.2), which routes are matched on and upstreams get.
///
/// Percent-encodings of unreserved characters are decoded, the others get upper-case digits, what may
/// not stand in a path is encoded, and then dot segments are removed (§5.2.4), none climbing above the
/// root. `//` and `%2F` stay as they are: both can tell resources apart. `*` is the target of
/// `OPTIONS *` and stays too. A path that is normal already is borrowed, after a single scan.
///
/// # Errors
/// If it is not absolute, holds a NUL or an encoding that is none.
pub fn normalize_path(path: &str) -> Result<Cow<'_, str>, PathError> {
    if path == "*" {
        return Ok(Cow::Borrowed(path));
    }
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    if is_normal(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    Ok(Cow::Owned(without_dot_segments(&with_one_encoding(path)?)))
}

/// What a byte of a path asks of the scan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// May stand in a path as it is.
    Plain,
    /// May be a dot segment.
    Dot,
    /// Begins a percent-encoding.
    Percent,
    /// Has to be encoded.
    Foreign,
}

/// `pchar` and `/` of RFC 3986 §3.3.
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Foreign; 256];
    let plain = b"/!$&'()*+,;=:@-_~";
    let mut i = 0;
    while i < plain.len() {
        classes[plain[i] as usize] = Class::Plain;
        i += 1;
    }
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            classes[byte as usize] = Class::Plain;
        }
        byte += 1;
    }
    classes[b'.' as usize] = Class::Dot;
    classes[b'%' as usize] = Class::Percent;
    classes
};

fn is_normal(path: &[u8]) -> bool {
    let mut at = 0;
    while let Some(plain) =
        path[at..].iter().position(|&byte| CLASSES[byte as usize] != Class::Plain)
    {
        at += plain;
        let normal = match path[at] {
            b'.' => !begins_dot_segment(path, at),
            b'%' => is_normal_encoding(&path[at + 1..]),
            _ => false,
        };
        if !normal {
            return false;
        }
        at += 1;
    }
    true
}

fn is_normal_encoding(digits: &[u8]) -> bool {
    let &[high, low, ..] = digits else { return false };
    let upper = |digit: u8| !digit.is_ascii_lowercase();
    upper(high) && upper(low) && decode(high, low).is_some_and(|b| b != 0 && !is_unreserved(b))
}

fn begins_dot_segment(path: &[u8], at: usize) -> bool {
    path[at - 1] == b'/' && matches!(path[at + 1..], [] | [b'/', ..] | [b'.'] | [b'.', b'/', ..])
}

fn with_one_encoding(path: &str) -> Result<String, PathError> {
    let mut bytes = path.bytes();
    let mut out = String::with_capacity(path.len() + 8);
    while let Some(byte) = bytes.next() {
        match CLASSES[byte as usize] {
            Class::Plain | Class::Dot => out.push(char::from(byte)),
            Class::Percent => {
                let digits = bytes.next().zip(bytes.next());
                let byte = digits.and_then(|(high, low)| decode(high, low));
                push_byte(&mut out, byte.ok_or(PathError::BadEncoding)?)?;
            }
            Class::Foreign => push_byte(&mut out, byte)?,
        }
    }
    Ok(out)
}

fn push_byte(out: &mut String, byte: u8) -> Result<(), PathError> {
    if byte == 0 {
        return Err(PathError::Nul);
    }
    if is_unreserved(byte) {
        out.push(char::from(byte));
    } else {
        out.push_str(percent_encoding::percent_encode_byte(byte));
    }
    Ok(())
}

fn without_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    out.truncate(out.rfind('/').unwrap_or(0));
                }
                if last {
                    out.push('/');
                }
            }
            _ => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
    out
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn decode(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_path_become_one() {
        for (sent, normal) in [
            ("/%61dmin", "/admin"),
            ("/%7euser", "/~user"),
            ("/a%2fb", "/a%2Fb"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/a b{c}", "/a%20b%7Bc%7D"),
            ("/%252e%252e/x", "/%252e%252e/x"),
        ] {
            assert_eq!(normalize_path(sent).unwrap(), normal, "{sent}");
        }
    }

    #[test]
    fn dot_segments_are_removed_however_they_are_spelt() {
        for (sent, normal) in [
            ("/admin/../x", "/x"),
            ("/x/%2e%2e/admin", "/admin"),
            ("/x/.%2E/admin", "/admin"),
            ("/../../etc", "/etc"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/..", "/"),
            ("/a//../b", "/a/b"),
            ("/a/./b/../../c", "/c"),
        ] {
            assert_eq!(normalize_path(sent).unwrap(), normal, "{sent}");
        }
    }

    #[test]
    fn a_normal_path_is_borrowed() {
        for path in
            ["/", "*", "//a//", "/a%2Fb", "/.well-known/x", "/a.b/..c/d..", "/...", "/a;v=1/%20"]
        {
            let normal = normalize_path(path).unwrap();
            assert!(matches!(normal, Cow::Borrowed(same) if same == path), "{path}");
        }
    }

    #[test]
    fn what_has_no_normal_form_is_refused() {
        for (path, error) in [
            ("", PathError::NotAbsolute),
            ("admin", PathError::NotAbsolute),
            ("/%", PathError::BadEncoding),
            ("/%4", PathError::BadEncoding),
            ("/%zz", PathError::BadEncoding),
            ("/a%00b", PathError::Nul),
            ("/a\0", PathError::Nul),
        ] {
            assert_eq!(normalize_path(path), Err(error), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn normalizing_twice_is_normalizing_once(path in "/([./a%{}]|%2[eEfF5]|%6[1-4]|é){0,12}") {
            if let Ok(once) = normalize_path(&path) {
                prop_assert_eq!(normalize_path(&once).unwrap(), &*once);
                prop_assert!(is_normal(once.as_bytes()));
            }
        }

        #[test]
        fn no_dot_segment_is_left(path in "/([./a]|%2[eE]){0,16}") {
            let normal = normalize_path(&path).unwrap();
            prop_assert!(normal.starts_with('/'));
            prop_assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }
}
