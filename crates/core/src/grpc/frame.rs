//! The frames that content is made of: a flag, a length of four bytes, and as many bytes (*gRPC over HTTP2*,
//! Length-Prefixed-Message).

/// Bytes before those of the message.
pub(super) const PREFIX: usize = 5;
/// The flag of a message that is as it is.
const PLAIN: u8 = 0;
/// The flag of one that is compressed, which is the largest of a message.
pub(super) const COMPRESSED: u8 = 1;

/// A frame with this flag. What is framed here is far smaller than what a length can say.
pub(super) fn frame(flag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    [&[flag], &length.to_be_bytes()[..], content].concat()
}

/// The content that is this one message.
pub fn message_frame(message: &[u8]) -> Vec<u8> {
    frame(PLAIN, message)
}

/// The message that `content` begins with; `None` if it is not whole, or compressed.
pub fn read_message(content: &[u8]) -> Option<&[u8]> {
    let (&[flag, a, b, c, d], rest) = content.split_first_chunk::<PREFIX>()?;
    let message = rest.get(..u32::from_be_bytes([a, b, c, d]) as usize)?;
    (flag == PLAIN).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        assert_eq!(message_frame(b"ab"), b"\0\0\0\0\x02ab");
        for message in [&b""[..], b"ab", &[0x80; 300]] {
            assert_eq!(read_message(&message_frame(message)), Some(message));
        }
        assert_eq!(read_message(b"\0\0\0\0\x01ab"), Some(&b"a"[..]), "what follows is another");
    }

    #[test]
    fn a_message_that_is_compressed_or_cut_off_is_not_read() {
        for content in
            [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x02a", b"\x01\0\0\0\x01a", b"\0\xff\xff\xff\xffa"]
        {
            assert_eq!(read_message(content), None, "{content:?}");
        }
    }
}
