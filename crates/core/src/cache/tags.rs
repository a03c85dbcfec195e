//! Tags, which name what can be purged together.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use xxhash_rust::xxh3::xxh3_64;

/// Most tags of a response, and most bytes that they take.
const MOST_TAGS: usize = 1024;
const MOST_BYTES: usize = 16 * 1024;

/// The tags of a response, as hashes in their order; most have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Option<Arc<Vec<u64>>>);

/// A response has more tags than are kept, or longer ones: it cannot be stored, for a purge would miss it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl Tags {
    /// Take the tags out of the fields `names` of a response, which clients do not see. They are written with blanks
    /// between them, as in `Surrogate-Key`, or commas, as in `Cache-Tag`.
    ///
    /// # Errors
    /// If there are more than 1,024, or fields of more than 16 KiB. The fields are taken off all the same.
    pub fn take(headers: &mut HeaderMap, names: &[HeaderName]) -> Result<Self, TooMany> {
        let lines = names.iter().flat_map(|name| headers.get_all(name));
        let tags = read(lines.map(|line| line.as_bytes()));
        for name in names {
            headers.remove(name);
        }
        tags
    }

    /// Tags that are known by these hashes, in any order.
    pub fn of_hashes(mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        Self((!hashes.is_empty()).then(|| Arc::new(hashes)))
    }

    /// Hashes of all, in ascending order.
    pub fn hashes(&self) -> &[u64] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Whether a tag with this [`hash`] is among them.
    pub fn contains(&self, hash: u64) -> bool {
        self.hashes().binary_search(&hash).is_ok()
    }
}

fn read<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Tags, TooMany> {
    let (mut hashes, mut bytes) = (Vec::new(), 0);
    for line in lines {
        bytes += line.len();
        if bytes > MOST_BYTES {
            return Err(TooMany);
        }
        let tags = line.split(|byte| matches!(byte, b',' | b' ' | b'\t'));
        hashes.extend(tags.filter(|tag| !tag.is_empty()).map(xxh3_64));
    }
    if hashes.len() > MOST_TAGS {
        return Err(TooMany);
    }
    Ok(Tags::of_hashes(hashes))
}

/// What a tag is known by. Two tags that share it are purged together.
pub fn hash(tag: &str) -> u64 {
    xxh3_64(tag.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const NAMES: [HeaderName; 2] =
        [HeaderName::from_static("surrogate-key"), HeaderName::from_static("cache-tag")];

    fn response(lines: &[(usize, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(&NAMES[*name], HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn taken(lines: &[(usize, &str)]) -> Result<Tags, TooMany> {
        let mut headers = response(lines);
        let tags = Tags::take(&mut headers, &NAMES);
        assert!(headers.is_empty(), "clients do not see them");
        tags
    }

    #[test]
    fn tags_are_read_with_blanks_or_commas_between_them_from_all_fields() {
        let tags = taken(&[(0, "p42 home"), (0, "p43"), (1, "a,b ,\tc,, p42")]).unwrap();
        for tag in ["p42", "home", "p43", "a", "b", "c"] {
            assert!(tags.contains(hash(tag)), "{tag}");
        }
        for tag in ["p4", "P42", "", "p42 home", "a,b"] {
            assert!(!tags.contains(hash(tag)), "{tag}");
        }
    }

    #[test]
    fn fields_that_are_not_asked_for_stay() {
        let mut headers = response(&[(0, "a"), (1, "b")]);
        let tags = Tags::take(&mut headers, &NAMES[1..]).unwrap();
        assert!(tags.contains(hash("b")) && !tags.contains(hash("a")));
        assert!(headers.contains_key(&NAMES[0]) && headers.len() == 1);
        assert_eq!(Tags::take(&mut headers, &[]), Ok(Tags::default()));
    }

    #[test]
    fn a_tag_beyond_ascii_is_found_by_its_bytes() {
        let mut headers = HeaderMap::new();
        headers.insert(&NAMES[0], HeaderValue::from_bytes("caf\u{e9}".as_bytes()).unwrap());
        assert!(Tags::take(&mut headers, &NAMES).unwrap().contains(hash("caf\u{e9}")));
    }

    #[test]
    fn more_tags_than_are_kept_are_an_error_and_no_part_of_them_is() {
        let tags = |count: usize| vec!["a"; count].join(" ");
        assert!(taken(&[(0, &tags(MOST_TAGS))]).is_ok());
        assert_eq!(taken(&[(0, &tags(MOST_TAGS)), (1, "b")]), Err(TooMany));
        assert!(taken(&[(0, &"a".repeat(MOST_BYTES))]).is_ok());
        assert_eq!(taken(&[(0, &"a".repeat(MOST_BYTES)), (1, "b")]), Err(TooMany));
    }

    proptest! {
        #[test]
        fn any_field_is_read(lines in prop::collection::vec("[ -~]{0,20}", 0..4)) {
            let lines: Vec<_> = lines.iter().map(|line| (0, &**line)).collect();
            let tags = taken(&lines).unwrap();
            for tag in lines.iter().flat_map(|(_, line)| line.split([' ', ','])).filter(|tag| !tag.is_empty()) {
                prop_assert!(tags.contains(hash(tag)));
            }
        }
    }
}
