//! What a stored response was selected by (RFC 9111 §4.1).

mod form;
mod preferences;
mod stored;
mod value;

use http::header::VARY;
use http::{HeaderMap, HeaderName};

use self::form::Form;
use crate::message::field::members;
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

    /// Whether it was selected by nothing: it is for any request.
    pub fn is_nothing(&self) -> bool {
        self.0.is_none()
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
    let name = |member| match HeaderName::from_bytes(member) {
        // What the upstream is told of the client's certificate is written after the cache is asked.
        Ok(name) if member != b"*" && !name.as_str().starts_with("client-cert") => Some(name),
        _ => None,
    };
    let mut names = members.map(name).collect::<Option<Vec<_>>>()?;
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    (names.len() <= MOST_NAMES).then_some(names)
}
