//! `Content-Length` (RFC 9110 §8.6).

use super::Malformed;

/// The length that one field says, as a number and nothing else.
///
/// # Errors
/// It is empty, no number, or one of more than 19 digits.
pub fn plain(value: &[u8]) -> Result<u64, Malformed> {
    if !(1..=19).contains(&value.len()) || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::Syntax);
    }
    Ok(value.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

/// The length that one field says, be it as a list of the same number again and again (RFC 9112 §6.3).
///
/// # Errors
/// A member of the list is no length, or another one than the first.
pub fn repeated(value: &[u8]) -> Result<u64, Malformed> {
    let mut members = value.split(|byte| *byte == b',').map(|member| plain(member.trim_ascii()));
    let first = members.next().unwrap_or(Err(Malformed::Syntax))?;
    match members.all(|member| member == Ok(first)) {
        true => Ok(first),
        false => Err(Malformed::Syntax),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_a_number_of_digits_alone() {
        assert_eq!(plain(b"0"), Ok(0));
        assert_eq!(plain(b"007"), Ok(7));
        for value in ["", " ", "+1", "-1", "0x1", "1 1", "1,1", "1a", "12345678901234567890"] {
            assert_eq!(plain(value.as_bytes()), Err(Malformed::Syntax), "{value:?}");
        }
    }

    #[test]
    fn a_list_of_one_length_is_that_length() {
        for value in ["5", "5, 5", "5,5 ,\t5"] {
            assert_eq!(repeated(value.as_bytes()), Ok(5), "{value:?}");
        }
        for value in ["", ",", "5,", "5, 6", "5, x"] {
            assert_eq!(repeated(value.as_bytes()), Err(Malformed::Syntax), "{value:?}");
        }
    }
}
