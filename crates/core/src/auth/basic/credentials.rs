//! What a request carries: a name and a password.

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Longer ones are not looked at, in bytes of base 64.
const LONGEST: usize = 1_400;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name and a password, as `Authorization: Basic` carries them (RFC 7617 §2).
#[derive(Clone, PartialEq, Eq)]
pub struct NameAndPassword {
    bytes: Box<[u8]>,
    /// Where the colon between them is.
    colon: usize,
}

impl NameAndPassword {
    /// Those that follow the scheme `Basic`.
    ///
    /// # Errors
    /// If it is not a name and a password; the text says why.
    pub fn decode(text: &[u8]) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("the name and the password are too long");
        }
        let bytes =
            BASE64.decode(text).map_err(|_| "the name and the password are not in base 64")?;
        if bytes.iter().any(u8::is_ascii_control) {
            return Err("a name or a password has a control character");
        }
        let colon = bytes.iter().position(|byte| *byte == b':');
        let colon = colon.ok_or("there is no colon between name and password")?;
        Ok(Self { bytes: bytes.into(), colon })
    }

    /// The name.
    pub fn name(&self) -> &[u8] {
        &self.bytes[..self.colon]
    }

    /// The password.
    pub fn password(&self) -> &[u8] {
        &self.bytes[self.colon + 1..]
    }
}

impl fmt::Debug for NameAndPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A name and a password, as if a request had brought them.
    pub(in super::super) fn credentials(name: &str, password: &str) -> NameAndPassword {
        NameAndPassword {
            bytes: format!("{name}:{password}").into_bytes().into(),
            colon: name.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::credentials;
    use super::*;

    fn decode(text: &str) -> Result<NameAndPassword, &'static str> {
        NameAndPassword::decode(text.as_bytes())
    }

    #[test]
    fn a_name_and_a_password_are_read() {
        // The example of RFC 7617 §2.
        let aladdin = Ok(credentials("Aladdin", "open sesame"));
        assert_eq!(decode("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), aladdin);
        assert_eq!(decode("QWxhZGRpbjpvcGVuIHNlc2FtZQ"), aladdin, "without padding");
        // That of §2.1, in UTF-8.
        assert_eq!(decode("dGVzdDoxMjPCow=="), Ok(credentials("test", "123£")));
        assert_eq!(decode("Og=="), Ok(credentials("", "")));
    }

    #[test]
    fn a_password_may_have_colons() {
        assert_eq!(decode("YTpiOmM="), Ok(credentials("a", "b:c")));
    }

    #[test]
    fn what_is_no_name_and_password_is_refused() {
        for wrong in ["", "YWI=", "a:b", "YTpi!", "YTpiAA=="] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
        let long = "YWFh".repeat(1_000);
        assert_eq!(decode(&long), Err("the name and the password are too long"));
    }

    #[test]
    fn they_are_not_told() {
        assert_eq!(format!("{:?}", credentials("alice", "secret")), "***");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd_to_be_read(bytes: Vec<u8>) {
            let _ = NameAndPassword::decode(&bytes);
        }

        #[test]
        fn what_was_encoded_is_read_again(name in "[^:\\p{Cc}]{0,40}", password in "[^\\p{Cc}]{0,40}") {
            let text = BASE64.encode(format!("{name}:{password}"));
            prop_assert_eq!(decode(&text), Ok(credentials(&name, &password)));
        }
    }
}
