//! A file of passwords is read or told to be wrong, line by line.

use std::sync::Arc;

use tidegate_core::auth::{Htpasswd, NameAndPassword};
use tidegate_core::time::Moment;

/// A file of passwords. None is verified, which takes long on purpose.
pub fn htpasswd(content: &[u8]) {
    let text = String::from_utf8_lossy(content);
    let read = |text: &str| Htpasswd::read(&Arc::from("staff"), text, &[7; 32]);
    match read(&text) {
        Ok(passwords) => {
            let given = NameAndPassword::decode(b"YTpi");
            let remembered =
                given.is_ok_and(|given| passwords.remembered(&given, Moment(0)).is_some());
            assert!(!remembered, "nothing was verified");
            assert!(read(&format!("{text}\n# a comment\n")).is_ok(), "a comment is passed over");
        }
        Err(mistakes) => {
            let lines = text.lines().count();
            for mistake in &mistakes {
                let number = mistake.strip_prefix("line ").map(|rest| {
                    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
                    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
                });
                let is_placed = number.is_some_and(|number| (1..=lines).contains(&number));
                assert!(is_placed || mistake.starts_with("no more than"), "{mistake}");
            }
            assert!(mistakes.len() <= 101, "a person reads no more");
        }
    }
}
