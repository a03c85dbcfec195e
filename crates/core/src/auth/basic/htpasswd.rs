//! An htpasswd file: names and the hashes of their passwords.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::NameAndPassword;
use super::password_hash::PasswordHash;
use super::remembered::{Remembered, Secret};
use crate::auth::{Claims, Identity, Refusal};
use crate::time::Moment;

/// Mistakes that are told of one file.
const TOLD: usize = 100;
/// Bytes of a name.
const LONGEST_NAME: usize = 255;

/// The names and passwords of an authenticator.
///
/// A password that was right is remembered for a minute, as a quick hash with a secret of the process: one for each
/// name, so the file bounds how many. Another file is another `Htpasswd`, which remembers nothing.
pub struct Htpasswd {
    entries: Vec<Entry>,
    /// Where they are in `entries`, by name. Names come from the configuration, so a hash without a secret does.
    names: HashMap<Box<[u8]>, usize, FixedState>,
    secret: Secret,
}

struct Entry {
    hash: PasswordHash,
    identity: Arc<Identity>,
    remembered: Remembered,
}

impl Htpasswd {
    /// The names in the text of a file, for the authenticator of this name; `secret` is random.
    ///
    /// A line is `name:hash`, or `name:hash:comment`; empty ones and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// All mistakes in it with their lines, though no more than a person reads.
    pub fn read(
        authenticator: &Arc<str>,
        text: &str,
        secret: &[u8; 32],
    ) -> Result<Self, Vec<String>> {
        let mut htpasswd =
            Self { entries: Vec::new(), names: HashMap::default(), secret: Secret::new(secret) };
        let mut mistakes = Vec::new();
        let lines = text.lines().map(str::trim).enumerate();
        for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            if let Err(message) = htpasswd.take(authenticator, line) {
                mistakes.push(format!("line {}{message}", index + 1));
            }
            if mistakes.len() == TOLD {
                mistakes.push(format!("no more than {TOLD} mistakes are told of one file"));
                break;
            }
        }
        if mistakes.is_empty() { Ok(htpasswd) } else { Err(mistakes) }
    }

    fn take(&mut self, authenticator: &Arc<str>, line: &str) -> Result<(), String> {
        let (name, rest) = line.split_once(':').ok_or(": expected `name:hash`")?;
        if !(1..=LONGEST_NAME).contains(&name.len()) || name.contains(char::is_control) {
            return Err(format!(": expected a name of 1 to {LONGEST_NAME} bytes before the colon"));
        }
        let written = rest.split_once(':').map_or(rest, |(hash, _comment)| hash);
        let hash = PasswordHash::read(written).map_err(|why| {
            format!(" (`{name}`): {why}; `tidegate passwd FILE {name}` sets the password anew")
        })?;
        if self.names.insert(name.as_bytes().into(), self.entries.len()).is_some() {
            return Err(format!(" (`{name}`): an earlier line has this name too"));
        }
        let identity = Arc::new(Identity {
            authenticator: authenticator.clone(),
            subject: Some(name.into()),
            claims: Claims::default(),
        });
        self.entries.push(Entry { hash, identity, remembered: Remembered::default() });
        Ok(())
    }

    /// Whose credentials these are, if they were right less than a minute ago.
    pub fn remembered(&self, given: &NameAndPassword, now: Moment) -> Option<&Arc<Identity>> {
        let entry = self.named(given.name())?;
        let hash = self.secret.hash(given.password());
        entry.remembered.is(&hash, now).then_some(&entry.identity)
    }

    /// Whose credentials these are. It takes long, see [`PasswordHash::verify`]; as long for a name that is not
    /// known, so that the time does not tell which are.
    ///
    /// # Errors
    /// If they are no one's, or it cannot be found out.
    pub fn verify(&self, given: &NameAndPassword, now: Moment) -> Result<&Arc<Identity>, Refusal> {
        const UNKNOWN: Refusal = Refusal::Invalid("the name or the password is wrong");
        // Another request may have brought them while this one waited.
        if let Some(identity) = self.remembered(given, now) {
            return Ok(identity);
        }
        let Some(entry) = self.named(given.name()) else {
            if let Some(other) = self.in_place_of(given.name()) {
                let _ = other.hash.verify(given.password());
            }
            return Err(UNKNOWN);
        };
        entry.hash.verify(given.password())?;
        entry.remembered.set(self.secret.hash(given.password()), now);
        Ok(&entry.identity)
    }

    fn named(&self, name: &[u8]) -> Option<&Entry> {
        self.names.get(name).map(|index| &self.entries[*index])
    }

    /// The entry whose hash is computed for a name that is not known: always the same one for a name, as if it were
    /// known.
    fn in_place_of(&self, name: &[u8]) -> Option<&Entry> {
        let [a, b, c, d, ..] = self.secret.hash(name);
        let index = (u32::from_ne_bytes([a, b, c, d]) as usize).checked_rem(self.entries.len())?;
        self.entries.get(index)
    }
}

impl fmt::Debug for Htpasswd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Htpasswd").field("names", &self.entries.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::credentials::testing::credentials;
    use super::super::password_hash::testing::HASHES;
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const BCRYPT: &str = HASHES[0];
    const ARGON2ID: &str = HASHES[3];

    fn read(text: &str) -> Result<Htpasswd, Vec<String>> {
        Htpasswd::read(&"staff".into(), text, &[7; 32])
    }

    fn staff() -> Htpasswd {
        read(&format!(
            "# staff\n\nalice:{BCRYPT}\r\n  bob:{ARGON2ID}:of the night shift\nčeněk:{BCRYPT}"
        ))
        .unwrap()
    }

    #[test]
    fn a_name_with_its_password_is_an_identity() {
        let staff = staff();
        for name in ["alice", "bob", "čeněk"] {
            let identity = staff.verify(&credentials(name, "secret"), Moment(0)).unwrap();
            assert_eq!(
                (&*identity.authenticator, identity.subject.as_deref()),
                ("staff", Some(name))
            );
        }
    }

    #[test]
    fn a_wrong_password_and_an_unknown_name_are_refused_alike() {
        let staff = staff();
        let wrong = staff.verify(&credentials("alice", "sesame"), Moment(0)).unwrap_err();
        for name in ["", "Alice", "mallory"] {
            assert_eq!(staff.verify(&credentials(name, "secret"), Moment(0)), Err(wrong));
        }
        assert_eq!(
            read("").unwrap().verify(&credentials("alice", "secret"), Moment(0)),
            Err(wrong)
        );
    }

    #[test]
    fn a_right_password_is_remembered_for_a_minute_and_no_other_is() {
        let staff = staff();
        let alice = credentials("alice", "secret");
        assert_eq!(staff.remembered(&alice, Moment(0)), None);
        staff.verify(&alice, Moment(SECOND)).unwrap();
        assert!(staff.remembered(&alice, Moment(60 * SECOND)).is_some());
        assert_eq!(staff.remembered(&credentials("alice", "Secret"), Moment(SECOND)), None);
        assert_eq!(staff.remembered(&credentials("bob", "secret"), Moment(SECOND)), None);
        assert_eq!(staff.remembered(&alice, Moment(61 * SECOND)), None);
    }

    #[test]
    fn a_wrong_password_does_not_push_the_right_one_out() {
        let staff = staff();
        staff.verify(&credentials("alice", "secret"), Moment(0)).unwrap();
        staff.verify(&credentials("alice", "sesame"), Moment(0)).unwrap_err();
        assert!(staff.remembered(&credentials("alice", "secret"), Moment(SECOND)).is_some());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_line_and_what_to_do() {
        let told = read(&format!(
            "alice:{BCRYPT}\nbob\n\n# old ones\ncarol:$apr1$x$y\n:{BCRYPT}\nalice:{ARGON2ID}\ndave:plain"
        ))
        .unwrap_err();
        let expected = [
            "line 2: expected `name:hash`",
            "line 5 (`carol`): MD5 (`$apr1$`) is too quick to compute, and so to guess; \
             `tidegate passwd FILE carol` sets the password anew",
            "line 6: expected a name of 1 to 255 bytes before the colon",
            "line 7 (`alice`): an earlier line has this name too",
            "line 8 (`dave`): this is a plain password, or a hash of crypt that is quick to guess; \
             `tidegate passwd FILE dave` sets the password anew",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn no_password_and_no_hash_is_told() {
        assert_eq!(format!("{:?}", staff()), "Htpasswd { names: 3, .. }");
    }
}
