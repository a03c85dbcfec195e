//! A path has one normal form, which holds no way out of the root.

use tidegate_core::route::normalize_path;

/// A request's path.
pub fn path(bytes: &[u8]) {
    let Ok(path) = str::from_utf8(bytes) else { return };
    let Ok(normal) = normalize_path(path) else { return };
    if path == "*" {
        return assert_eq!(normal, "*");
    }
    assert_eq!(normalize_path(&normal).as_deref(), Ok(&*normal), "normal twice");
    assert_eq!(normalize_path(&spelt_out(&normal)).as_deref(), Ok(&*normal), "spelt otherwise");
    assert_eq!(resolved(path), *normal, "segment by segment");
    check_characters(&normal);
}

/// Every character that need not be encoded, encoded (RFC 3986 §2.3).
fn spelt_out(normal: &str) -> String {
    let mut out = String::new();
    let mut characters = normal.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => out.extend(['%'].into_iter().chain(characters.by_ref().take(2))),
            '-' | '.' | '_' | '~' => out.push_str(&format!("%{:02x}", u32::from(character))),
            _ if character.is_ascii_alphanumeric() => {
                out.push_str(&format!("%{:02x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out
}

/// The normal form, found another way: a stack of segments, each in its own normal form, on which `..` takes
/// one away (RFC 3986 §5.2.4).
fn resolved(path: &str) -> String {
    let mut stack: Vec<String> = Vec::new();
    let mut ends_in_folder = false;
    for segment in path.split('/').skip(1) {
        let dots = segment.replace("%2e", ".").replace("%2E", ".");
        ends_in_folder = matches!(&*dots, "." | "..");
        match &*dots {
            "." => {}
            ".." => _ = stack.pop(),
            _ => stack.extend(normalize_path(&format!("/{segment}")).map(|path| path[1..].into())),
        }
    }
    if ends_in_folder {
        stack.push(String::new());
    }
    format!("/{}", stack.join("/"))
}

fn check_characters(normal: &str) {
    assert!(normal.starts_with('/'));
    assert!(normal.split('/').all(|segment| segment != "." && segment != ".."), "{normal}");
    for (at, byte) in normal.bytes().enumerate() {
        match byte {
            b'%' => {
                let encoded =
                    normal.get(at + 1..at + 3).map(|digits| u8::from_str_radix(digits, 16));
                assert!(matches!(encoded, Some(Ok(1..))), "{normal}: at {at}");
            }
            byte => assert!(byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte)),
        }
    }
}
