//! Integers of variable length (RFC 9000 §16).

use bytes::BufMut;

/// Most bytes of one.
pub const LONGEST: usize = 8;

/// The integer that `bytes` begin with, and how many bytes it has; `None`: not all of it is there.
pub fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = 1 << (first >> 6);
    let rest = bytes.get(1..length)?;
    let value =
        rest.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some((value, length))
}

/// The integer that `bytes` are, to their end.
pub fn whole(bytes: &[u8]) -> Option<u64> {
    let (value, length) = read(bytes)?;
    (length == bytes.len()).then_some(value)
}

/// Write `value`, which is below 2^62, as short as it can be.
pub fn write(value: u64, into: &mut impl BufMut) {
    match value {
        0..0x40 => into.put_u8(value as u8),
        0x40..0x4000 => into.put_u16(value as u16 | 0x4000),
        0x4000..0x4000_0000 => into.put_u32(value as u32 | 0x8000_0000),
        _ => into.put_u64(value | 0xc000_0000_0000_0000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (bytes, value) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            assert_eq!(read(bytes), Some((value, bytes.len())));
            assert_eq!(read(&bytes[..bytes.len() - 1]), None);
            assert_eq!(whole(bytes), Some(value));
            assert_eq!(whole(&[bytes, &[0]].concat()), None);
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for value in [0, 63, 64, 16_383, 16_384, (1 << 30) - 1, 1 << 30, (1 << 62) - 1] {
            let mut bytes = Vec::new();
            write(value, &mut bytes);
            assert_eq!(read(&bytes), Some((value, bytes.len())));
        }
    }
}
