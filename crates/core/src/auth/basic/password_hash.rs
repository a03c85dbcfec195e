//! The hash of a password, which is slow to compute: bcrypt or argon2id.

use std::fmt;

use argon2::password_hash::{Error, PasswordVerifier, phc};
use argon2::{Argon2, Params, Version};
use bcrypt::HashParts;

use crate::auth::Refusal;

/// A bcrypt hash of a higher cost takes more than two seconds.
const MOST_BCRYPT_COST: u32 = 15;
/// bcrypt does not read what is longer, so that passwords which begin alike would be one.
const LONGEST_FOR_BCRYPT: usize = 72;
/// Memory of an argon2id hash, in KiB.
const MOST_MEMORY: u32 = 256 * 1024;
/// Memory times passes, in KiB: about two seconds.
const MOST_WORK: u64 = 1024 * 1024;
/// Bytes of an argon2id hash (RFC 9106 §3.1 recommends 16 to 32).
const SHORTEST_OUTPUT: usize = 16;

const WRONG: Refusal = Refusal::Invalid("the name or the password is wrong");

/// The hash of a password, as a line of a file has it.
pub(super) enum PasswordHash {
    /// `$2a$`, `$2b$` and `$2y$`: the same for passwords without a NUL, of at most 72 bytes.
    Bcrypt(Box<str>),
    /// RFC 9106, in the PHC string format.
    Argon2id(Box<phc::PasswordHash>),
}

impl PasswordHash {
    /// The hash that is written so.
    ///
    /// # Errors
    /// If it is not one, is quick to compute and so to guess, or takes too long.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            return Self::bcrypt(text);
        }
        if text.starts_with("$argon2id$") {
            return Self::argon2id(text);
        }
        Err(unsafe_kind(text).into())
    }

    fn bcrypt(text: &str) -> Result<Self, String> {
        let parts: HashParts =
            text.parse().map_err(|error| format!("this is no bcrypt hash: {error}"))?;
        match parts.get_cost() {
            4..=MOST_BCRYPT_COST => Ok(Self::Bcrypt(text.into())),
            cost => Err(format!("a bcrypt cost of {cost} is not in 4 to {MOST_BCRYPT_COST}")),
        }
    }

    fn argon2id(text: &str) -> Result<Self, String> {
        let no_hash = |why: &dyn fmt::Display| format!("this is no argon2id hash: {why}");
        let hash: phc::PasswordHash = text.parse().map_err(|error| no_hash(&error))?;
        if hash.version != Some(Version::V0x13.into()) {
            return Err("only version 19 of argon2id (`v=19`, RFC 9106) is known".into());
        }
        let params = Params::try_from(&hash).map_err(|error| no_hash(&error))?;
        if params.m_cost() > MOST_MEMORY {
            let memory = params.m_cost();
            return Err(format!("argon2id with {memory} KiB of memory is over {MOST_MEMORY} KiB"));
        }
        if u64::from(params.m_cost()) * u64::from(params.t_cost()) > MOST_WORK {
            let passes = params.t_cost();
            return Err(format!("argon2id with {passes} passes over its memory takes too long"));
        }
        // A salt that is too short is no hash for the parser.
        let whole = |output: &phc::Output| output.len() >= SHORTEST_OUTPUT;
        if hash.salt.is_none() || !hash.hash.as_ref().is_some_and(whole) {
            return Err(no_hash(&"its salt is missing, or its last part is missing or too short"));
        }
        Ok(Self::Argon2id(hash.into()))
    }

    /// Whether it is that of `password`. This takes long: some ten to some thousand milliseconds.
    ///
    /// # Errors
    /// If it is that of another password, or the memory to find out could not be had.
    pub(super) fn verify(&self, password: &[u8]) -> Result<(), Refusal> {
        match self {
            Self::Bcrypt(_) if password.len() > LONGEST_FOR_BCRYPT => {
                Err(Refusal::Invalid("the password is longer than the 72 bytes that bcrypt reads"))
            }
            Self::Bcrypt(hash) => match bcrypt::verify(password, hash) {
                Ok(true) => Ok(()),
                Ok(false) => Err(WRONG),
                Err(_) => Err(Refusal::Unavailable),
            },
            // Algorithm, version and cost are those of the hash.
            Self::Argon2id(hash) => match Argon2::default().verify_password(password, &**hash) {
                Ok(()) => Ok(()),
                Err(Error::PasswordInvalid) => Err(WRONG),
                Err(_) => Err(Refusal::Unavailable),
            },
        }
    }
}

/// What a hash that is not taken is, and why not.
fn unsafe_kind(text: &str) -> &'static str {
    const KINDS: [(&str, &str); 12] = [
        ("$apr1$", "MD5 (`$apr1$`) is too quick to compute, and so to guess"),
        ("$1$", "MD5 (`$1$`) is too quick to compute, and so to guess"),
        ("{SHA}", "SHA-1 (`{SHA}`) has no salt and is too quick to compute, and so to guess"),
        ("{SSHA}", "SHA-1 (`{SSHA}`) is too quick to compute, and so to guess"),
        ("{PLAIN}", "the password is written plainly"),
        ("$5$", "SHA-256 of crypt (`$5$`) is not known"),
        ("$6$", "SHA-512 of crypt (`$6$`) is not known"),
        ("$y$", "yescrypt (`$y$`) is not known"),
        ("$argon2i$", "argon2i is weaker than argon2id"),
        ("$argon2d$", "argon2d is weaker than argon2id"),
        ("$2x$", "`$2x$` is a bcrypt hash of a faulty program"),
        ("$2$", "`$2$` is a bcrypt hash of a faulty program"),
    ];
    let known = KINDS.iter().find(|(prefix, _)| text.starts_with(prefix));
    known.map_or(
        "this is a plain password, or a hash of crypt that is quick to guess",
        |(_, why)| why,
    )
}

#[cfg(test)]
pub(super) mod testing {
    /// Hashes of `secret`, of the lowest costs.
    pub(in super::super) const HASHES: [&str; 5] = [
        "$2a$04$5r.ogkiBspYB5XqoAK0XnOLs7u3cS7F9kVqIHIs8HXwLJvdyrzqzW",
        "$2b$04$Wg9M3BtQ1cJw4mfaxhef8ehEke9HyEqaoKLLCc7z3EUKjavkrN.TS",
        "$2y$04$xehRrc88cb4/3e2Z16kiE.56sMhJWHaklyWreoNJIb3NHLGNSGSEm",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQxMjM0NTY3OA$sJpplSekXew1kEWemINJPY1grzqnCfnieOmsPQkTNy0",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQxMjM0NTY3OA$lCsPrCBLVg4K+ByZvRzyEA",
    ];
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::testing::HASHES;
    use super::*;

    #[test]
    fn a_hash_is_that_of_its_password_alone() {
        for text in HASHES {
            let hash = PasswordHash::read(text).unwrap();
            assert_eq!(hash.verify(b"secret"), Ok(()), "{text}");
            for wrong in ["Secret", "secret ", "", "secre"] {
                assert_eq!(hash.verify(wrong.as_bytes()), Err(WRONG), "{text}");
            }
        }
    }

    #[test]
    fn a_password_that_bcrypt_does_not_read_whole_is_not_taken() {
        let of_72 = "$2b$04$8FZgsdh24FRnC3FKvPwt3eB2j464zDaa4UTqgSncG3GNhZgLchtyy";
        let hash = PasswordHash::read(of_72).unwrap();
        assert_eq!(hash.verify(&[b'x'; 72]), Ok(()));
        assert!(hash.verify(&[b'x'; 73]).is_err(), "begins with the password");
        assert_eq!(PasswordHash::read(HASHES[3]).unwrap().verify(&[b'x'; 1_000]), Err(WRONG));
    }

    #[test]
    fn quick_hashes_plain_passwords_and_broken_ones_are_refused_with_the_reason() {
        let salt = "c29tZXNhbHQxMjM0NTY3OA";
        let output = "lCsPrCBLVg4K+ByZvRzyEA";
        for (text, why) in [
            ("$apr1$abc$def", "MD5"),
            ("$1$abc$def", "MD5"),
            ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1"),
            ("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1"),
            ("{PLAIN}secret", "plainly"),
            ("$5$abc$def", "SHA-256"),
            ("$6$abc$def", "SHA-512"),
            ("$y$j9T$abc$def", "yescrypt"),
            ("$argon2i$v=19$m=64,t=1,p=1$c29t$c29t", "argon2i is weaker"),
            ("$argon2d$v=19$m=64,t=1,p=1$c29t$c29t", "argon2d is weaker"),
            ("$2x$04$5r.ogkiBspYB5XqoAK0XnOLs7u3cS7F9kVqIHIs8HXwLJvdyrzqzW", "faulty"),
            ("$2b$04$short", "no bcrypt hash"),
            ("$2b$16$5r.ogkiBspYB5XqoAK0XnOLs7u3cS7F9kVqIHIs8HXwLJvdyrzqzW", "4 to 15"),
            ("$2b$99$5r.ogkiBspYB5XqoAK0XnOLs7u3cS7F9kVqIHIs8HXwLJvdyrzqzW", "4 to 15"),
            ("$2b$03$5r.ogkiBspYB5XqoAK0XnOLs7u3cS7F9kVqIHIs8HXwLJvdyrzqzW", "4 to 15"),
            ("$argon2id$", "no argon2id hash"),
            ("$argon2id$v=19$m=64,t=1,p=1", "missing or too short"),
            (&format!("$argon2id$v=19$m=64,t=1,p=1${salt}"), "missing or too short"),
            (&format!("$argon2id$v=19$m=64,t=1,p=1$c29t${output}"), "salt too short"),
            (&format!("$argon2id$v=16$m=64,t=1,p=1${salt}${output}"), "version 19"),
            (&format!("$argon2id$m=64,t=1,p=1${salt}${output}"), "version 19"),
            (&format!("$argon2id$v=19$m=262145,t=1,p=1${salt}${output}"), "over 262144 KiB"),
            (&format!("$argon2id$v=19$m=65536,t=17,p=1${salt}${output}"), "17 passes"),
            (&format!("$argon2id$v=19$m=64,t=0,p=1${salt}${output}"), "no argon2id hash"),
            ("secret", "plain password"),
            ("rqXexS6ZhobKA", "crypt"),
            ("", "plain password"),
        ] {
            let told = PasswordHash::read(text).err().unwrap();
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_read(
            prefix in prop::sample::select(vec!["", "$2b$04$", "$argon2id$", "$argon2id$v=19$m=64,t=1,p=1$"]),
            rest: String,
        ) {
            let _ = PasswordHash::read(&(prefix.to_owned() + &rest));
        }
    }
}
