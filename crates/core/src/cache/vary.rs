//! What a stored response was selected by (RFC 9111 §4.1).

use std::cmp::Reverse;

use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, COOKIE, VARY};
use http::{HeaderMap, HeaderName};
use smallvec::SmallVec;

use crate::message::field::{is_token_byte, members};
use crate::plan::VaryComparison;

/// Most names that `Vary` may have: what depends on more is not found again.
const MOST_NAMES: usize = 64;

/// How fields are compared that `Vary` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaryRule {
    /// By what they mean, or byte by byte.
    pub comparison: VaryComparison,
    /// Whether `Vary` is not looked at.
    pub ignored: bool,
}

/// What a stored response was selected by; nothing in most cases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vary(Option<Box<Selection>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Selection {
    /// The one it was stored by: under another it means something else.
    rule: VaryRule,
    /// In the order of their names.
    fields: Box<[Field]>,
}

/// A field of the request that a response was stored for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: HeaderName,
    form: Form,
    /// `None`: the request had none.
    value: Option<Box<[u8]>>,
}

impl Vary {
    /// What a `response` to this `request` is selected by. `None` where it can never be selected again: by `*`, by what
    /// is no name, or by more names than are kept.
    pub fn of(rule: &VaryRule, response: &HeaderMap, request: &HeaderMap) -> Option<Self> {
        if !response.contains_key(VARY) {
            return Some(Self::default());
        }
        let names = if rule.ignored { Vec::new() } else { names(response)? };
        let field = |name: HeaderName| {
            let form = Form::of(&name, rule, response);
            let value = form.value(&name, request).map(|value| value[..].into());
            Field { name, form, value }
        };
        let fields = names.into_iter().map(field).collect();
        Some(Self(Some(Box::new(Selection { rule: *rule, fields }))))
    }

    /// Whether the response may be selected for this `request`, on a route with this `rule`.
    #[inline]
    pub fn matches(&self, rule: &VaryRule, request: &HeaderMap) -> bool {
        self.0.as_ref().is_none_or(|selection| selection.matches(rule, request))
    }

    /// The fields by name, with what they had as it is compared; `None`: they were absent.
    pub fn fields(&self) -> impl Iterator<Item = (&HeaderName, Option<&[u8]>)> {
        let fields = self.0.iter().flat_map(|selection| &selection.fields);
        fields.map(|field| (&field.name, field.value.as_deref()))
    }
}

impl Selection {
    fn matches(&self, rule: &VaryRule, request: &HeaderMap) -> bool {
        let is_alike = |field: &Field| {
            let value = field.form.value(&field.name, request);
            value.as_deref() == field.value.as_deref()
        };
        self.rule == *rule && self.fields.iter().all(is_alike)
    }
}

/// The names of all members, sorted, each once.
fn names(response: &HeaderMap) -> Option<Vec<HeaderName>> {
    let members = response.get_all(VARY).iter().flat_map(|value| members(value.as_bytes()));
    let members = members.filter(|member| !member.is_empty());
    let name = |member| if member == b"*" { None } else { HeaderName::from_bytes(member).ok() };
    let mut names = members.map(name).collect::<Option<Vec<_>>>()?;
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    (names.len() <= MOST_NAMES).then_some(names)
}

/// A value in the form in which it is compared.
type Value = SmallVec<[u8; 128]>;

/// Begins what was read and ends its parts: no value has it, so that no other text is the same.
const END: u8 = b'\n';

/// The form in which a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Line by line.
    Exact,
    /// Its lines as one list (RFC 9110 §5.3), without blanks around members.
    List,
    /// The lines of a cookie string (RFC 9113 §8.2.3); commas are part of it.
    Cookies,
    /// Which codings are taken.
    Codings {
        /// Whether others than `br`, `gzip` and `zstd` count: those matter only to a response in one of them.
        all: bool,
    },
    /// Which languages, the best first.
    Languages,
}

impl Form {
    /// That of a field by which a `response` is selected.
    fn of(name: &HeaderName, rule: &VaryRule, response: &HeaderMap) -> Self {
        match *name {
            _ if rule.comparison == VaryComparison::Exact => Self::Exact,
            ACCEPT_ENCODING => Self::Codings { all: !has_usual_coding(response) },
            ACCEPT_LANGUAGE => Self::Languages,
            COOKIE => Self::Cookies,
            _ => Self::List,
        }
    }

    /// The value that the fields `name` of a `request` have together; `None` where it has none.
    fn value(self, name: &HeaderName, request: &HeaderMap) -> Option<Value> {
        let mut lines = request.get_all(name).iter().map(|value| value.as_bytes()).peekable();
        lines.peek()?;
        Some(match self {
            Self::Exact => joined(lines, &[END]),
            Self::Cookies => joined(lines, b"; "),
            Self::List => list(lines),
            // What cannot be read is compared as any other list.
            Self::Codings { all } => {
                let list = list(lines);
                codings(&list, all).unwrap_or(list)
            }
            Self::Languages => {
                let list = list(lines);
                languages(&list).unwrap_or(list)
            }
        })
    }
}

fn joined<'a>(lines: impl Iterator<Item = &'a [u8]>, between: &[u8]) -> Value {
    let mut all = Value::new();
    for (index, line) in lines.enumerate() {
        if index > 0 {
            all.extend_from_slice(between);
        }
        all.extend_from_slice(line);
    }
    all
}

fn list<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Value {
    let whole = joined(lines, b",");
    let mut all = Value::new();
    for (index, member) in members(&whole).enumerate() {
        if index > 0 {
            all.push(b',');
        }
        all.extend_from_slice(member);
    }
    all
}

/// The codings that are known everywhere (RFC 9110 §8.4.1.3, RFC 7932, RFC 9659), and the older name of one.
const USUAL: [(&[u8], &[u8]); 3] = [(b"br", b"br"), (b"gzip", b"x-gzip"), (b"zstd", b"zstd")];
const IDENTITY: &[u8] = b"identity";

/// Whether a response is in none but the usual codings.
fn has_usual_coding(response: &HeaderMap) -> bool {
    let lines = response.get_all(CONTENT_ENCODING).iter();
    let mut codings = lines.flat_map(|line| members(line.as_bytes()));
    codings.all(|coding| {
        let mut known =
            USUAL.iter().flat_map(|(name, older)| [*name, *older]).chain([IDENTITY, b""]);
        known.any(|name| coding.eq_ignore_ascii_case(name))
    })
}

/// What a list of codings takes (RFC 9110 §12.5.3): of the usual ones in which they are preferred does not count, as any
/// of them will do. `None` where it cannot be read.
fn codings(list: &[u8], all: bool) -> Option<Value> {
    let mut codings = weighted(list)?;
    let mut value = Value::from_slice(&[END]);
    let mut add = |name: &[u8], is_taken: bool| {
        value.extend_from_slice(name);
        value.extend_from_slice(if is_taken { b"," } else { b";q=0," });
    };
    if all {
        codings.sort_unstable();
        codings.iter().for_each(|(name, weight)| add(name, *weight > 0));
        return Some(value);
    }
    let weight =
        |name: &[u8]| codings.iter().find(|(own, _)| own[..] == *name).map(|(_, weight)| *weight);
    let others = weight(b"*");
    for (name, older) in USUAL {
        if weight(name).or_else(|| weight(older)).or(others).is_some_and(|weight| weight > 0) {
            add(name, true);
        }
    }
    if weight(IDENTITY).or(others) == Some(0) {
        add(IDENTITY, false);
    }
    Some(value)
}

/// The languages that a list takes (RFC 9110 §12.5.4), those of one quality in one order. `None` where it cannot be read.
fn languages(list: &[u8]) -> Option<Value> {
    let mut languages = weighted(list)?;
    languages.sort_unstable_by(|(one, weight), (other, other_weight)| {
        (Reverse(weight), one).cmp(&(Reverse(other_weight), other))
    });
    languages.dedup();
    let (mut value, mut before) = (Value::new(), None);
    for (name, weight) in &languages {
        if before.replace(*weight) != Some(*weight) {
            value.push(END);
            // Those that are not taken at all.
            value.extend((*weight == 0).then_some(END));
        }
        value.extend_from_slice(name);
        value.push(b',');
    }
    Some(value)
}

/// A member in lower case, and its quality in thousandths.
type Weighted = (SmallVec<[u8; 16]>, u16);

/// The members of a list whose only parameter is `q` (RFC 9110 §12.4.2).
fn weighted(list: &[u8]) -> Option<SmallVec<[Weighted; 8]>> {
    let read = |member: &[u8]| {
        let (name, weight) = match member.iter().position(|byte| *byte == b';') {
            Some(end) => {
                (member[..end].trim_ascii_end(), quality(member[end + 1..].trim_ascii_start())?)
            }
            None => (member, 1000),
        };
        let is_name = !name.is_empty() && name.iter().copied().all(is_token_byte);
        is_name.then(|| (name.iter().map(u8::to_ascii_lowercase).collect(), weight))
    };
    list.split(|byte| *byte == b',').filter(|member| !member.is_empty()).map(read).collect()
}

fn quality(parameter: &[u8]) -> Option<u16> {
    let (b'q' | b'Q', [b'=', value @ ..]) = parameter.split_first()? else {
        return None;
    };
    let digits = |text: &[u8]| {
        let digit = |sum: u16, (byte, worth): (&u8, u16)| match byte {
            b'0'..=b'9' => Some(sum + u16::from(byte - b'0') * worth),
            _ => None,
        };
        text.iter().zip([100, 10, 1]).try_fold(0, digit).filter(|_| text.len() <= 3)
    };
    match value {
        [b'0'] => Some(0),
        [b'1'] => Some(1000),
        [b'0', b'.', rest @ ..] => digits(rest),
        [b'1', b'.', rest @ ..] => digits(rest).filter(|rest| *rest == 0).map(|_| 1000),
        _ => None,
    }
}
