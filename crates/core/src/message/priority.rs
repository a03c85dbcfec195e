//! How soon a client wants a response, beside its others (RFC 9218).

use sfv::{BareItem, Dictionary, ListEntry, Parser};

/// The least urgent.
const LEAST: u8 = 7;
/// What a request is that says nothing of it (§4.1).
const USUAL: u8 = 3;

/// How soon a response is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priority {
    /// From 0, the most urgent, to 7.
    pub urgency: u8,
    /// Whether a part of it is of use before the rest is there.
    pub incremental: bool,
}

impl Default for Priority {
    fn default() -> Self {
        Self { urgency: USUAL, incremental: false }
    }
}

impl Priority {
    /// What the field, or a frame, says. A parameter that cannot be is as if it were not there, and so is the whole where it is
    /// no dictionary (§4).
    pub fn parse(text: &[u8]) -> Self {
        let mut priority = Self::default();
        let Ok(parameters) = Parser::new(text).parse::<Dictionary>() else { return priority };
        for (name, value) in &parameters {
            let ListEntry::Item(value) = value else { continue };
            match (name.as_str(), &value.bare_item) {
                ("u", BareItem::Integer(urgency)) => {
                    let urgency = u8::try_from(i64::from(*urgency)).unwrap_or(u8::MAX);
                    if urgency <= LEAST {
                        priority.urgency = urgency;
                    }
                }
                ("i", BareItem::Boolean(incremental)) => priority.incremental = *incremental,
                _ => {}
            }
        }
        priority
    }

    /// What a response on the stream with this index is sent by: the higher goes first.
    ///
    /// Of one urgency those that are of use only when they are whole go one after the other, as their streams were opened, and
    /// those of which each part is of use share what is left (§10).
    pub fn rank(self, index: u64) -> i32 {
        let in_turn = match self.incremental {
            true => 0,
            false => MOST_IN_TURN - i32::try_from(index).unwrap_or(i32::MAX).min(MOST_IN_TURN - 1),
        };
        (i32::from(USUAL) - i32::from(self.urgency)) * (MOST_IN_TURN + 1) + in_turn
    }
}

/// Streams of a connection that have places of their own.
const MOST_IN_TURN: i32 = (1 << 28) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_what_cannot_be_is_as_if_it_were_not_there() {
        for (text, urgency, incremental) in [
            ("", 3, false),
            ("u=0", 0, false),
            ("u=7, i", 7, true),
            ("i=?0", 3, false),
            ("u=8", 3, false),
            ("u=-1, i", 3, true),
            ("u=a", 3, false),
            ("u=1.5", 3, false),
            ("i=1", 3, false),
            ("x=1, u=2", 2, false),
            ("u=(1 2)", 3, false),
            ("u", 3, false),
            ("u=1,,", 3, false),
        ] {
            assert_eq!(
                Priority::parse(text.as_bytes()),
                Priority { urgency, incremental },
                "{text}"
            );
        }
    }

    #[test]
    fn the_more_urgent_goes_first_then_the_earlier_then_those_that_share() {
        let rank = |urgency, incremental, index| Priority { urgency, incremental }.rank(index);
        let ranks = [
            rank(0, false, 0),
            rank(0, true, 9),
            rank(3, false, 2),
            rank(3, false, 5),
            rank(3, false, 1 << 60),
            rank(3, true, 1),
            rank(7, false, 0),
            rank(7, true, 0),
        ];
        assert!(ranks.is_sorted_by(|earlier, later| earlier > later), "{ranks:?}");
        assert_eq!(rank(3, true, 1), rank(3, true, 8));
        assert_eq!(rank(3, true, 1), 0, "as one that says nothing");
    }
}
