//! Integers with a prefix (RFC 7541 §5.1): the low bits of a byte that has other bits, too, and more bytes where those
//! do not suffice.

use bytes::BufMut;

/// More than any index or length that is sensible; beyond it nothing is read.
const MOST: u64 = 1 << 32;

/// The integer in the low `bits` of the first byte and behind it. Takes what was read from `bytes`; `None`: it does not
/// end there, or is too large.
pub fn read(bytes: &mut &[u8], bits: u32) -> Option<usize> {
    let (first, mut rest) = bytes.split_first()?;
    let mask = (1_u64 << bits) - 1;
    let mut value = u64::from(*first) & mask;
    if value == mask {
        for shift in (0..).step_by(7) {
            let (byte, behind) = rest.split_first()?;
            rest = behind;
            value += u64::from(byte & 0x7f).checked_shl(shift)?;
            if value > MOST || shift > 56 {
                return None;
            }
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *bytes = rest;
    usize::try_from(value).ok()
}

/// Write `value` into the low `bits` of a byte whose other bits are `flags`, and behind it.
pub fn write(value: usize, bits: u32, flags: u8, into: &mut impl BufMut) {
    let mask = (1 << bits) - 1;
    if value < mask {
        return into.put_u8(flags | value as u8);
    }
    into.put_u8(flags | mask as u8);
    let mut left = value - mask;
    while left >= 0x80 {
        into.put_u8(left as u8 | 0x80);
        left >>= 7;
    }
    into.put_u8(left as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (bytes, bits, value) in [
            (&[0b0000_1010][..], 5, 10),
            (&[0b0001_1111, 0b1001_1010, 0b0000_1010], 5, 1_337),
            (&[42], 8, 42),
        ] {
            let mut rest = bytes;
            assert_eq!(read(&mut rest, bits), Some(value));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for bits in 3..=7 {
            for value in
                [0, 1, 6, 7, 8, 30, 31, 62, 63, 64, 126, 127, 128, 255, 300, 65_536, 1 << 31]
            {
                let mut bytes = Vec::new();
                write(value, bits, 0x80, &mut bytes);
                assert!(bytes[0] & 0x80 != 0);
                let mut rest = &bytes[..];
                assert_eq!(read(&mut rest, bits), Some(value), "{value} in {bits} bits");
                assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn what_does_not_end_or_is_too_large_is_not_read() {
        for bytes in [
            &[][..],
            &[0x1f],
            &[0x1f, 0x80],
            &[0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        ] {
            assert_eq!(read(&mut &bytes[..], 5), None, "{bytes:?}");
        }
    }
}
