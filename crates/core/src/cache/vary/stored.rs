//! What a response was selected by, as bytes that outlive the process.

use http::HeaderName;

use super::form::Form;
use super::{Field, Selection, Vary, VaryRule};
use crate::plan::VaryComparison;

/// Stands for the length of a value that is missing.
const MISSING: u32 = u32::MAX;

const FORMS: [Form; 6] = [
    Form::Exact,
    Form::List,
    Form::Cookies,
    Form::Codings { all: false },
    Form::Codings { all: true },
    Form::Languages,
];

impl Vary {
    /// Its bytes; the same for all that are equal, and for no others.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(selection) = &self.0 else { return bytes };
        let VaryRule { comparison, ignored } = selection.rule;
        bytes.extend([u8::from(comparison == VaryComparison::Exact), u8::from(ignored)]);
        for Field { name, form, value } in &selection.fields {
            let form = FORMS.iter().position(|other| other == form).unwrap_or_default();
            bytes.push(form as u8);
            add(name.as_str().as_bytes(), &mut bytes);
            match value {
                Some(value) => add(value, &mut bytes),
                None => bytes.extend_from_slice(&MISSING.to_le_bytes()),
            }
        }
        bytes
    }

    /// What has these bytes; `None` where nothing has.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [exact, ignored, rest @ ..] = bytes else {
            return bytes.is_empty().then(Self::default);
        };
        let comparison = match exact {
            0 => VaryComparison::Normalised,
            1 => VaryComparison::Exact,
            _ => return None,
        };
        let rule = VaryRule { comparison, ignored: *ignored == 1 };
        let (mut rest, mut fields) = (rest, Vec::new());
        while let Some((form, after)) = rest.split_first() {
            rest = after;
            let form = *FORMS.get(usize::from(*form))?;
            let name = HeaderName::from_bytes(take(&mut rest)??).ok()?;
            let value = take(&mut rest)?.map(Into::into);
            fields.push(Field { name, form, value });
        }
        Some(Self(Some(Box::new(Selection { rule, fields: fields.into() }))))
    }
}

fn add(part: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
    bytes.extend_from_slice(part);
}

/// The next part; within, `None` where it is missing.
fn take<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (length, after) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length);
    if length == MISSING {
        *rest = after;
        return Some(None);
    }
    let (part, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(Some(part))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, COOKIE, VARY};
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn vary(comparison: VaryComparison, names: &str, value: &str) -> Vary {
        let rule = VaryRule { comparison, ignored: false };
        let mut response = HeaderMap::new();
        response.insert(VARY, HeaderValue::from_str(names).unwrap());
        let mut request = HeaderMap::new();
        for name in [ACCEPT_ENCODING, ACCEPT_LANGUAGE, COOKIE] {
            request.insert(name, HeaderValue::from_str(value).unwrap());
        }
        Vary::of(&rule, &response, &request).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_selected_is_the_same_after_it_was_bytes(value in "[ -~]{0,40}", exact in any::<bool>()) {
            let comparison = if exact { VaryComparison::Exact } else { VaryComparison::Normalised };
            for names in ["accept-encoding, cookie, x-none", "accept-language", "x-none", ""] {
                let vary = vary(comparison, names, &value);
                prop_assert_eq!(Vary::from_bytes(&vary.to_bytes()), Some(vary));
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(vary) = Vary::from_bytes(&bytes) {
                prop_assert_eq!(Vary::from_bytes(&vary.to_bytes()), Some(vary));
            }
        }
    }

    #[test]
    fn nothing_selected_is_no_bytes() {
        assert!(Vary::default().to_bytes().is_empty());
        assert_eq!(Vary::from_bytes(&[]), Some(Vary::default()));
        assert_eq!(Vary::from_bytes(&[0]), None);
    }
}
