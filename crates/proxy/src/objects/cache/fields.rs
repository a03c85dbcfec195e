//! The fields of a stored response, packed into one allocation: as a map they take several times as much memory.

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The lengths before each field: two bytes for its name's, four for its value's.
const LENGTHS: usize = 6;

/// Bytes that the fields of most have room in.
const USUAL: usize = 1024;

/// The fields of a stored response.
#[derive(Debug, Clone)]
pub struct Fields {
    packed: Bytes,
    /// As responses have them, where that is kept at hand.
    map: Option<Box<HeaderMap>>,
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(fields: T) -> Self {
        let mut packed = Vec::with_capacity(USUAL);
        for (name, value) in fields {
            let (name, value) = (name.as_ref().as_bytes(), value.as_ref());
            // Names have less than 2^16 bytes, as `http` has them.
            packed.extend_from_slice(&(name.len() as u16).to_le_bytes());
            packed.extend_from_slice(&(value.len() as u32).to_le_bytes());
            packed.extend_from_slice(name);
            packed.extend_from_slice(value);
        }
        // As long as it is, and no longer.
        Self { packed: packed.into_boxed_slice().into(), map: None }
    }
}

impl Fields {
    /// The same, with what a response is made of at hand.
    pub fn at_hand(&self) -> Self {
        let map = self.map();
        Self { map: Some(Box::new(map.clone())), ..map.iter().collect() }
    }

    /// As responses have them.
    pub fn map(&self) -> HeaderMap {
        if let Some(map) = &self.map {
            return HeaderMap::clone(map);
        }
        let mut map = HeaderMap::with_capacity(self.iter().count());
        let mut rest = self.packed.clone();
        while let Some((name, value)) = take(&mut rest) {
            map.append(name, value);
        }
        map
    }

    /// Names and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &*self.packed;
        std::iter::from_fn(move || {
            let (lengths, after) = rest.split_first_chunk::<LENGTHS>()?;
            let (name, value) = lengths_of(*lengths);
            let (name, after) = after.split_at_checked(name)?;
            let (value, after) = after.split_at_checked(value)?;
            rest = after;
            Some((name, value))
        })
    }

    /// Whether there is one of this name.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.iter().any(|(other, _)| other == name.as_str().as_bytes())
    }

    /// What they take in memory.
    pub fn weight(&self) -> u64 {
        self.packed.len() as u64
    }
}

/// The next field; its value shares the bytes that it lies in.
fn take(rest: &mut Bytes) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = lengths_of(*rest.first_chunk()?);
    rest.advance(LENGTHS);
    let name = HeaderName::from_bytes(&rest.split_to(name)).ok()?;
    Some((name, HeaderValue::from_maybe_shared(rest.split_to(value)).ok()?))
}

fn lengths_of([n0, n1, value @ ..]: [u8; LENGTHS]) -> (usize, usize) {
    (u16::from_le_bytes([n0, n1]).into(), u32::from_le_bytes(value) as usize)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::header::{AGE, DATE, VARY};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fields_come_out_as_they_went_in(
            fields in prop::collection::vec(("[a-z][a-z0-9-]{0,20}", "[ -~]{0,40}"), 0..20),
        ) {
            let mut map = HeaderMap::new();
            for (name, value) in &fields {
                map.append(
                    HeaderName::try_from(name.as_str()).unwrap(),
                    HeaderValue::try_from(value.as_str()).unwrap(),
                );
            }
            let packed: Fields = map.iter().collect();
            prop_assert_eq!(packed.map(), map.clone());
            prop_assert_eq!(packed.at_hand().map(), map.clone());
            let written = map.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
            prop_assert!(packed.iter().eq(written));
        }
    }

    #[test]
    fn a_field_is_found_by_its_name() {
        let map: HeaderMap = [(AGE, "1"), (VARY, "date")]
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        let fields: Fields = map.iter().collect();
        assert!(fields.contains(&AGE) && fields.contains(&VARY) && !fields.contains(&DATE));
    }
}
