//! Regular expressions that have to match the whole of a text.

use regex_syntax::hir::{Hir, HirKind, Look};

/// `pattern` as one for the whole text, and its parsed form.
///
/// It is parsed by itself first, so that an unbalanced `)` cannot break out of the anchors.
pub(crate) fn anchored(pattern: &str) -> Result<(String, Hir), String> {
    let hir = regex_syntax::parse(pattern).map_err(|error| explain(&error))?;
    let whole = format!(r"\A(?:{pattern})\z");
    regex_syntax::parse(&whole).map_err(|error| explain(&error))?;
    Ok((whole, hir))
}

/// The text that every match of `hir` begins with.
pub(super) fn literal_prefix(hir: &Hir) -> String {
    let mut prefix = Vec::new();
    push_literal(hir, &mut prefix);
    String::from_utf8_lossy(&prefix).into_owned()
}

/// Whether all of `hir` is literal, so that what follows it still belongs to the prefix.
fn push_literal(hir: &Hir, prefix: &mut Vec<u8>) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => {
            prefix.extend_from_slice(&literal.0);
            true
        }
        HirKind::Capture(capture) => push_literal(&capture.sub, prefix),
        HirKind::Concat(parts) => parts.iter().all(|part| push_literal(part, prefix)),
        HirKind::Empty | HirKind::Look(Look::Start) => true,
        _ => false,
    }
}

/// The parser's finding in one line.
pub(crate) fn explain(error: &regex_syntax::Error) -> String {
    let (what, at) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.column),
        regex_syntax::Error::Translate(error) => {
            (error.kind().to_string(), error.span().start.column)
        }
        other => return format!("not a regular expression: {other}"),
    };
    format!("not a regular expression: {what}, at character {at}")
}
