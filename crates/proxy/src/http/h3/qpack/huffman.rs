//! The Huffman code of field names and values (RFC 7541 Appendix B).
//!
//! The code is canonical: shorter codes come before longer ones, and of one length they are in the order of their symbols. So the
//! lengths say all of it.

/// Bits of the code of each byte's value, and of the end, which is never written.
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const SYMBOLS: usize = 257;
const END: u16 = 256;
const LONGEST: usize = 30;
/// Bits that are looked up at once: the codes of all that is usual are within them.
const AT_ONCE: u32 = 9;

/// What a text decodes to, written behind `into`. `None`: it is no such text.
pub fn decode(text: &[u8], into: &mut Vec<u8>) -> Option<()> {
    let (mut bits, mut count, mut bytes) = (0_u64, 0_u32, text.iter());
    loop {
        while count <= 56
            && let Some(byte) = bytes.next()
        {
            bits = bits << 8 | u64::from(*byte);
            count += 8;
        }
        if count < 8 && (bits & low(count)) == low(count) {
            // RFC 7541 §5.2: less than a byte is left, of the end's first bits.
            return Some(());
        }
        // What comes next, from the highest of 32 bits on; behind the last is the end's beginning.
        let window = match count.checked_sub(32) {
            Some(more) => (bits >> more) as u32,
            None => ((bits << (32 - count)) | low(32 - count)) as u32,
        };
        let (symbol, length) = CODE.symbol(window);
        if u32::from(length) > count || symbol == END {
            return None;
        }
        count -= u32::from(length);
        into.push(symbol as u8);
    }
}

const fn low(bits: u32) -> u64 {
    (1 << bits) - 1
}

static CODE: Code = Code::new();

/// The code, as it is decoded.
struct Code {
    /// Symbols in the order of their codes.
    symbols: [u16; SYMBOLS],
    /// Of each length, its first code, and the place of that code's symbol.
    first: [(u32, u16); LONGEST + 1],
    /// By the first bits: symbol and length; a length of 0: the code is longer.
    at_once: [(u16, u8); 1 << AT_ONCE],
}

impl Code {
    const fn new() -> Self {
        let mut code = Self {
            symbols: [0; SYMBOLS],
            first: [(0, 0); LONGEST + 1],
            at_once: [(0, 0); 1 << AT_ONCE],
        };
        let (mut length, mut next, mut place) = (1, 0_u32, 0);
        while length <= LONGEST {
            code.first[length] = (next, place as u16);
            let mut symbol = 0;
            while symbol < SYMBOLS {
                if LENGTHS[symbol] as usize == length {
                    code.symbols[place] = symbol as u16;
                    if length <= AT_ONCE as usize {
                        code.look_up(next, symbol as u16, length as u32);
                    }
                    place += 1;
                    next += 1;
                }
                symbol += 1;
            }
            next <<= 1;
            length += 1;
        }
        code
    }

    const fn look_up(&mut self, code: u32, symbol: u16, length: u32) {
        let spare = AT_ONCE - length;
        let mut behind = 0;
        while behind < 1 << spare {
            self.at_once[(code << spare | behind) as usize] = (symbol, length as u8);
            behind += 1;
        }
    }

    /// The symbol whose code the bits begin with, and the code's length.
    fn symbol(&self, window: u32) -> (u16, u8) {
        let known = self.at_once[(window >> (32 - AT_ONCE)) as usize];
        if known.1 > 0 {
            return known;
        }
        for length in AT_ONCE as usize + 1..LONGEST {
            let (first, place) = self.first[length];
            let (longer, beyond) = self.first[length + 1];
            let code = window >> (32 - length);
            if code < longer >> 1 {
                return (self.symbols[usize::from(place) + (code - first) as usize], length as u8);
            }
            debug_assert!(beyond >= place, "codes are counted");
        }
        let (first, place) = self.first[LONGEST];
        let code = (window >> (32 - LONGEST)) - first;
        (self.symbols[usize::from(place) + code as usize], LONGEST as u8)
    }
}

#[cfg(test)]
pub mod testing {
    use super::*;

    /// The code of `text`.
    pub fn encode(text: &[u8]) -> Vec<u8> {
        let mut bits = String::new();
        for byte in text {
            let length = usize::from(LENGTHS[usize::from(*byte)]);
            let (first, place) = CODE.first[length];
            let at = CODE.symbols.iter().position(|symbol| *symbol == u16::from(*byte));
            let code = first + (at.unwrap_or_default() as u32 - u32::from(place));
            bits += &format!("{code:0length$b}");
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        let bytes = (0..bits.len()).step_by(8);
        bytes.filter_map(|at| u8::from_str_radix(&bits[at..at + 8], 2).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::encode;
    use super::*;

    fn decoded(text: &[u8]) -> Option<Vec<u8>> {
        let mut into = Vec::new();
        decode(text, &mut into).map(|()| into)
    }

    #[test]
    fn the_examples_of_the_rfc_are_decoded() {
        // RFC 7541 Appendices C.4.1 and C.6.1.
        for (text, expected) in [
            (
                &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..],
                "www.example.com",
            ),
            (&[0x64, 0x02], "302"),
            (&[0xae, 0xc3, 0x77, 0x1a, 0x4b], "private"),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(expected.as_bytes()));
        }
    }

    #[test]
    fn every_byte_is_decoded_from_its_code() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decoded(&encode(&all)), Some(all.clone()));
        for byte in all {
            let text = [b'a', byte, byte, b'0'];
            assert_eq!(decoded(&encode(&text)).as_deref(), Some(&text[..]), "{byte}");
        }
    }

    #[test]
    fn padding_that_is_too_long_or_not_of_ones_is_refused_and_so_is_the_end() {
        for text in [&[0xff][..], &[0x64, 0x02, 0xff], &[0x00], &[0xff; 4], &[0x18]] {
            assert_eq!(decoded(text), None, "{text:?}");
        }
        assert_eq!(decoded(&[]), Some(Vec::new()));
    }
}
