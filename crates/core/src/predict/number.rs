//! Numbers in what requests ask for, which models are told.

/// Digits that a number has at most.
const DIGITS: usize = 15;

/// The number that this text is, if it is one: digits alone, and so few that it is not a name made of digits.
pub(super) fn number(text: &str) -> Option<f64> {
    let is_number = (1..=DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.bytes().fold(0.0, |sum, digit| sum * 10.0 + f64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_without_end_are_no_number() {
        assert_eq!(["", "12", "1.5", "-3", "x1"].map(number), [None, Some(12.0), None, None, None]);
        assert_eq!(number(&"9".repeat(15)), Some(999_999_999_999_999.0));
        assert_eq!(number(&"9".repeat(16)), None);
    }
}
