//! The written form of a key.

/// The first part of every key, by which scanners of leaked secrets recognise it.
const PREFIX: &str = "tg_";
/// Longer ones are not looked at, in bytes.
const LONGEST: usize = 256;
/// Characters of a checksum: 62⁶ is more than 2³².
const CHECKSUM: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key as it is presented: `tg_<id>_<secret><checksum>`.
///
/// The checksum is the CRC-32 of all before it, in base 62, as that of [GitHub's tokens][1] is: a scanner can tell a
/// key from what only looks like one, and a mistyped key is refused before anything is looked up or hashed. The
/// secret has no `_`; an id may.
///
/// [1]: https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a [u8],
}

impl<'a> Written<'a> {
    /// The parts of `presented`; or what is wrong with it.
    pub(super) fn read(presented: &'a [u8]) -> Result<Self, &'static str> {
        const NOT_A_KEY: &str = "this is no API key of this gateway: those begin with `tg_`";
        let text = std::str::from_utf8(presented).map_err(|_| NOT_A_KEY)?;
        if text.len() > LONGEST || !text.is_ascii() {
            return Err(NOT_A_KEY);
        }
        let (id, end) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('_')).ok_or(NOT_A_KEY)?;
        let length = end.len().checked_sub(CHECKSUM).ok_or(NOT_A_KEY)?;
        let (before, given) = text.split_at(text.len() - CHECKSUM);
        if checksum(before) != given.as_bytes() {
            return Err("the checksum of the API key is wrong: it is mistyped or cut off");
        }
        Ok(Self { id, secret: &end.as_bytes()[..length] })
    }
}

/// The checksum of a key that begins so.
fn checksum(before: &str) -> [u8; CHECKSUM] {
    let mut rest = crc32fast::hash(before.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[rest % BASE62.len()];
        rest /= BASE62.len();
    }
    digits
}

#[cfg(test)]
pub(super) mod testing {
    /// The key of this id and secret, as it is presented.
    pub(in super::super) fn written(id: &str, secret: &str) -> String {
        let before = format!("tg_{id}_{secret}");
        let checksum = super::checksum(&before);
        before + &String::from_utf8_lossy(&checksum)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::testing::written;
    use super::*;

    #[test]
    fn a_key_is_an_id_a_secret_and_a_checksum() {
        // The checksum is that of Python's zlib.crc32, which `tidegate key new` writes.
        let key = "tg_robot_0123456789abcdefghijABCDEFGHIJ";
        assert_eq!(checksum(key), *b"0gjgec");
    }

    #[test]
    fn what_is_no_key_is_told_from_a_mistyped_one() {
        for none in ["", "tg_", "tg_a", "tg_a_", "tg_a_12345", "Tg_a_123456789", "ghp_abc_defghijk"]
        {
            assert!(
                Written::read(none.as_bytes()).is_err_and(|why| why.contains("begin with")),
                "{none}"
            );
        }
        assert!(Written::read(b"tg_\xff_0123456789").is_err());
        assert!(Written::read(&[b'x'; 1_000_000]).is_err());
        let mistyped = written("robot", "secret").replace("sec", "sce");
        assert!(Written::read(mistyped.as_bytes()).is_err_and(|why| why.contains("checksum")));
    }

    proptest! {
        #[test]
        fn a_written_key_is_read_again(id in "[A-Za-z0-9_-]{1,64}", secret in "[A-Za-z0-9]{0,64}") {
            let key = written(&id, &secret);
            prop_assert_eq!(
                Written::read(key.as_bytes()),
                Ok(Written { id: &id, secret: secret.as_bytes() })
            );
        }

        #[test]
        fn no_bytes_are_too_odd_to_be_read(bytes: Vec<u8>) {
            let _ = Written::read(&bytes);
        }

        #[test]
        fn one_changed_character_makes_it_no_key(
            secret in "[A-Za-z0-9]{30}", at in 3usize..43, other in "[A-Za-z0-9]",
        ) {
            let key = written("robot", &secret);
            let mut changed = key.clone();
            changed.replace_range(at..=at, &other);
            prop_assert_eq!(Written::read(changed.as_bytes()).is_ok(), changed == key);
        }
    }
}
