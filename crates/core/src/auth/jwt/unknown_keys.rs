//! Names of keys that tokens have and no key set has: when the issuer is asked for its keys of now.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Moment;

/// The issuer is asked no more often.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a name counts as unknown that the issuer was asked about in vain.
const MEMORY: Duration = Duration::from_secs(300);

/// Names that are remembered.
const MOST: usize = 1_024;

/// What becomes of a request whose token names a key that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It waits, and the issuer is to be asked.
    Ask,
    /// It waits for what the issuer has been asked for.
    Wait,
    /// Nothing can come of waiting.
    Refuse,
}

/// What is known of unknown keys. Tokens can name any key, so nothing that they do makes it ask more often or
/// remember more.
#[derive(Debug, Default)]
pub struct UnknownKeys {
    asked: Option<Moment>,
    is_answered: bool,
    /// The oldest first.
    names: VecDeque<(Box<str>, Moment)>,
}

impl UnknownKeys {
    /// A token names the key `kid`, which is not there.
    pub fn meet(&mut self, kid: &str, now: Moment) -> Unknown {
        while self.names.front().is_some_and(|(_, since)| now.since(*since) >= MEMORY) {
            self.names.pop_front();
        }
        if self.names.iter().any(|(name, _)| **name == *kid) {
            return Unknown::Refuse;
        }
        match self.asked {
            Some(asked) if now.since(asked) < PAUSE => {
                if self.is_answered {
                    Unknown::Refuse
                } else {
                    Unknown::Wait
                }
            }
            _ => {
                (self.asked, self.is_answered) = (Some(now), false);
                Unknown::Ask
            }
        }
    }

    /// The issuer has answered, and the keys are those of now.
    pub fn answered(&mut self) {
        self.is_answered = true;
    }

    /// The key `kid` is not there although the issuer was asked.
    pub fn remember(&mut self, kid: &str, now: Moment) {
        if !self.is_answered || self.names.iter().any(|(name, _)| **name == *kid) {
            return;
        }
        if self.names.len() == MOST {
            self.names.pop_front();
        }
        self.names.push_back((kid.into(), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    #[test]
    fn the_issuer_is_asked_at_once_and_then_no_more_often_than_every_half_minute() {
        let mut keys = UnknownKeys::default();
        assert_eq!(keys.meet("a", at(1)), Unknown::Ask);
        assert_eq!(keys.meet("b", at(2)), Unknown::Wait);
        keys.answered();
        assert_eq!(keys.meet("c", at(30)), Unknown::Refuse);
        assert_eq!(keys.meet("c", at(31)), Unknown::Ask);
    }

    #[test]
    fn a_name_that_was_asked_about_in_vain_is_not_asked_about_again_for_a_while() {
        let mut keys = UnknownKeys::default();
        assert_eq!(keys.meet("a", at(1)), Unknown::Ask);
        keys.answered();
        keys.remember("a", at(1));
        assert_eq!(keys.meet("a", at(300)), Unknown::Refuse);
        assert_eq!(keys.meet("a", at(301)), Unknown::Ask);
    }

    #[test]
    fn a_name_is_not_remembered_while_the_issuer_has_not_answered() {
        let mut keys = UnknownKeys::default();
        keys.meet("a", at(1));
        keys.remember("a", at(2));
        assert_eq!(keys.meet("a", at(31)), Unknown::Ask);
    }

    #[test]
    fn so_many_names_are_remembered_and_no_more() {
        let mut keys = UnknownKeys::default();
        keys.meet("", at(1));
        keys.answered();
        (0..=MOST).for_each(|name| keys.remember(&name.to_string(), at(1)));
        keys.remember("1", at(1));
        assert_eq!(keys.names.len(), MOST);
        assert_eq!(keys.meet("1", at(40)), Unknown::Refuse);
        assert_eq!(keys.meet("0", at(40)), Unknown::Ask);
    }
}
