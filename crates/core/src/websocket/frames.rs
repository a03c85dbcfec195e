//! Where frames end, in bytes that come in any parts (RFC 6455 §5.2).
//!
//! Only their lengths are looked at: what they carry may be compressed or broken, and is for its receiver to judge.

/// A Close frame of a server that goes away (§5.5.1, status 1001).
pub const GOING_AWAY: [u8; 4] = [0x80 | CLOSE, 2, 0x03, 0xe9];

/// The opcode of a Close frame.
const CLOSE: u8 = 0x8;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
/// Bytes of the longest header: two, a length of eight, a masking key of four.
const LONGEST_HEADER: usize = 14;

/// Follows the frames that one side sends.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    /// The header of the frame that comes, as far as it is known.
    header: [u8; LONGEST_HEADER],
    known: usize,
    /// Bytes of its payload that are still to come, once its header is known.
    payload: u64,
    /// Whether the frame that comes, or came, is a Close frame.
    closes: bool,
}

impl Frames {
    /// Whether another frame may be put here: none has begun that has not ended.
    pub fn is_between(&self) -> bool {
        self.known == 0 && self.payload == 0
    }

    /// Whether no frame may come any more, as a Close frame came (§5.5.1).
    pub fn is_closed(&self) -> bool {
        self.closes && self.is_between()
    }

    /// Follow all of `bytes`.
    pub fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.follow_frame(bytes)..];
        }
    }

    /// Follow `bytes` to the end of the frame that they go on with. Returns how many of them belong to it.
    pub fn follow_frame(&mut self, bytes: &[u8]) -> usize {
        let header = if self.payload == 0 { self.follow_header(bytes) } else { 0 };
        let left = bytes.len() - header;
        let payload = usize::try_from(self.payload).unwrap_or(usize::MAX).min(left);
        self.payload -= payload as u64;
        header + payload
    }

    fn follow_header(&mut self, bytes: &[u8]) -> usize {
        for (before, byte) in bytes.iter().enumerate() {
            self.header[self.known] = *byte;
            self.known += 1;
            if let Some(length) = self.payload_length() {
                self.closes = self.header[0] & OPCODE == CLOSE;
                (self.known, self.payload) = (0, length);
                return before + 1;
            }
        }
        bytes.len()
    }

    /// The length of the payload, once the whole header is known.
    fn payload_length(&self) -> Option<u64> {
        if self.known < 2 {
            return None;
        }
        let second = self.header[1];
        let extended = match second & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & MASKED == 0 { 0 } else { 4 };
        if self.known < 2 + extended + mask {
            return None;
        }
        Some(match extended {
            0 => u64::from(second & !MASKED),
            _ => self.header[2..2 + extended]
                .iter()
                .fold(0, |length, byte| length << 8 | u64::from(*byte)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A frame, and whether it is masked.
    fn frame(opcode: u8, payload: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { MASKED } else { 0 };
        let mut bytes = vec![0x80 | opcode];
        match payload {
            0..126 => bytes.push(mask | payload as u8),
            126..65_536 => {
                bytes.push(mask | 126);
                bytes.extend_from_slice(&(payload as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend_from_slice(&(payload as u64).to_be_bytes());
            }
        }
        if masked {
            bytes.extend_from_slice(&[7; 4]);
        }
        // A payload that looks like frames.
        bytes.extend((0..payload).map(|at| [0x88, 0x00, 0x81, 0x7e][at % 4]));
        bytes
    }

    fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let length = prop_oneof![0..200usize, 120..130usize, 65_530..65_540usize];
        let one = (prop_oneof![0..3u8, 9..11u8], length, any::<bool>());
        vec(one.prop_map(|(opcode, payload, masked)| frame(opcode, payload, masked)), 1..6)
    }

    proptest! {
        #[test]
        fn another_frame_may_be_put_where_one_ends_and_nowhere_else(
            frames in frames(), part in 1..5_000usize,
        ) {
            let ends: Vec<usize> = frames
                .iter()
                .scan(0, |end, frame| { *end += frame.len(); Some(*end) })
                .collect();
            let (mut followed, mut at) = (Frames::default(), 0);
            for part in frames.concat().chunks(part) {
                followed.follow(part);
                at += part.len();
                prop_assert_eq!(followed.is_between(), ends.contains(&at));
                prop_assert!(!followed.is_closed());
            }
        }

        #[test]
        fn a_frame_is_followed_to_its_end_and_no_further(
            frames in frames(), part in 1..5_000usize,
        ) {
            let mut followed = Frames::default();
            let mut lengths = Vec::from([0]);
            for mut part in frames.concat().chunks(part) {
                while !part.is_empty() {
                    let count = followed.follow_frame(part);
                    prop_assert!(count > 0);
                    *lengths.last_mut().unwrap_or(&mut 0) += count;
                    if followed.is_between() {
                        lengths.push(0);
                    }
                    part = &part[count..];
                }
            }
            prop_assert_eq!(lengths.pop(), Some(0));
            prop_assert_eq!(lengths, frames.iter().map(Vec::len).collect::<Vec<_>>());
        }

        #[test]
        fn bytes_that_are_no_frames_harm_nothing(bytes in vec(any::<u8>(), 0..300), part in 1..20usize) {
            let mut followed = Frames::default();
            bytes.chunks(part).for_each(|part| followed.follow(part));
        }
    }

    #[test]
    fn nothing_follows_a_close_frame() {
        let mut followed = Frames::default();
        followed.follow(&frame(1, 5, false));
        assert!(!followed.is_closed());
        followed.follow(&GOING_AWAY[..3]);
        assert!(!followed.is_closed());
        followed.follow(&GOING_AWAY[3..]);
        assert!(followed.is_closed());
    }

    #[test]
    fn a_length_beyond_what_may_be_never_ends() {
        let mut followed = Frames::default();
        followed.follow(&[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        followed.follow(&[0; 10_000]);
        assert!(!followed.is_between());
    }
}
