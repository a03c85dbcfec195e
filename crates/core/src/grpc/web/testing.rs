//! Pieces in which a network might bring content.

/// `whole` in pieces of these lengths, some of them empty, and the rest in one.
pub(super) fn cut<'a>(whole: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut left = whole;
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, rest) = left.split_at(left.len().min(usize::from(*length)));
        pieces.push(piece);
        left = rest;
    }
    pieces.push(left);
    pieces
}
