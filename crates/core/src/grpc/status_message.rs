//! What the status of an RPC means, in words (*gRPC over HTTP2*, Status-Message).

use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// All but blanks and what is visible in ASCII, and the sign itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The value of `grpc-message` for a text.
pub(super) fn encode_message(text: &str) -> HeaderValue {
    let encoded = utf8_percent_encode(text, ENCODED).to_string();
    HeaderValue::try_from(encoded).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_visible_stays_readable() {
        let text = "no_endpoint: all of \"app\" are down, 100% of them.\n";
        let encoded = "no_endpoint: all of \"app\" are down, 100%25 of them.%0A";
        assert_eq!(encode_message(text), encoded);
        assert_eq!(encode_message("naïve"), "na%C3%AFve");
    }

    proptest! {
        /// Any text is a field's value, and read as itself.
        #[test]
        fn a_text_is_read_as_it_was_written(text: String) {
            let encoded = encode_message(&text);
            prop_assert!(encoded.as_bytes().iter().all(|byte| matches!(byte, 0x20..=0x7e)));
            prop_assert_eq!(percent_decode(encoded.as_bytes()).decode_utf8_lossy(), text);
        }
    }
}
