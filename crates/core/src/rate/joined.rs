//! An upstream's list of limits and ours as one.

use http::HeaderValue;
use sfv::{BareItem, FieldType, Item, KeyRef, List, ListEntry, Parser};

use super::parameter;

/// What the members of a list tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// What is left.
    Limits,
    /// What is allowed.
    Policies,
}

/// `ours` and the lines of `theirs` as one list: ours first, and where a name (of the same client) is in both, the
/// stricter of the two. `None` if theirs is empty or cannot be read, as all of a field is void then (RFC 9651
/// §4.2).
pub(super) fn lists<'a>(
    ours: &HeaderValue,
    theirs: impl IntoIterator<Item = &'a HeaderValue>,
    of: Joined,
) -> Option<HeaderValue> {
    let lines = theirs.into_iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    let theirs = Parser::new(&lines.join(&b","[..])).parse::<List>().ok()?;
    let mut joined = Parser::new(ours.as_bytes()).parse::<List>().ok()?;
    for entry in theirs {
        // Members of a limit are items; others mean nothing to a client.
        let ListEntry::Item(item) = entry else { continue };
        let own = joined.iter_mut().find_map(|own| match own {
            ListEntry::Item(own) if is_same(own, &item) => Some(own),
            _ => None,
        });
        match own {
            Some(own) if is_stricter(&item, own, of) => *own = item,
            Some(_) => {}
            None => joined.push(item.into()),
        }
    }
    HeaderValue::try_from(joined.serialize()?).ok()
}

/// Whether both tell of the same policy and client.
fn is_same(one: &Item, other: &Item) -> bool {
    // Drafts before 09 had tokens for names.
    let name = |item: &Item| match &item.bare_item {
        BareItem::String(name) => Some(name.as_str().to_owned()),
        BareItem::Token(name) => Some(name.as_str().to_owned()),
        _ => None,
    };
    let key = |item: &Item| item.params.get(parameter::PARTITION_KEY).cloned();
    name(one).is_some() && name(one) == name(other) && key(one) == key(other)
}

/// Whether a client that keeps to `one` keeps to `other` as well.
fn is_stricter(one: &Item, other: &Item, of: Joined) -> bool {
    let number = |item: &Item, name: &KeyRef| {
        item.params.get(name).and_then(BareItem::as_integer).map(i64::from)
    };
    let both = |name| number(one, name).zip(number(other, name));
    match of {
        Joined::Limits => both(parameter::REMAINING).is_some_and(|(one_left, other_left)| {
            let later = both(parameter::RESET).is_some_and(|(one, other)| one > other);
            one_left < other_left || one_left == other_left && later
        }),
        Joined::Policies => both(parameter::QUOTA).is_some_and(|(one_quota, other_quota)| {
            let (one_length, other_length) = both(parameter::WINDOW).unwrap_or((1, 1));
            let rate = |quota, length| i128::from(quota) * i128::from(length);
            rate(one_quota, other_length) < rate(other_quota, one_length)
        }),
    }
}
