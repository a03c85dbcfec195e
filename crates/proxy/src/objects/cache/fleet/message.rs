//! What gateways tell each other.

use thiserror::Error;

use crate::objects::cache::purge_request::PurgeRequest;
use crate::objects::store::GATEWAY;
use crate::objects::store::stream;

/// Bytes of the longest purge that is believed.
const LONGEST: usize = 32 << 10;

const FROM: &str = "from";
const CACHE: &str = "cache";
const PURGE: &str = "purge";
const JOINED: &str = "joined";

/// What one gateway tells the others.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The gateway.
    pub from: String,
    /// The cache.
    pub cache: String,
    /// What it has purged; `None`: it reads the stream from here on.
    pub purge: Option<PurgeRequest>,
}

/// Why something in a stream is no message.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Garbage {
    /// It is too long, or no text.
    #[error("its field `{0}` is missing, too long or no text")]
    Field(&'static str),
    /// This is wrong with it.
    #[error("its purge cannot be read: {0}")]
    Purge(String),
}

/// The fields of a purge of the cache of this name, which is written as JSON.
pub fn purged<'a>(cache: &'a str, purge: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![(FROM, &GATEWAY), (CACHE, cache), (PURGE, purge)]
}

/// The fields of what marks a gateway's place.
pub fn joined(cache: &str) -> Vec<(&'static str, &str)> {
    vec![(FROM, &GATEWAY), (CACHE, cache), (JOINED, "1")]
}

impl Message {
    /// Reads what stands in a stream.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(told: &stream::Message) -> Result<Self, Garbage> {
        let field = |name: &'static str| {
            let found = told.fields.iter().find(|(other, _)| other == name.as_bytes());
            let text = found.filter(|(_, value)| value.len() <= LONGEST);
            text.and_then(|(_, value)| str::from_utf8(value).ok()).ok_or(Garbage::Field(name))
        };
        let purge = match field(JOINED) {
            Ok(_) => None,
            Err(_) => {
                let read = serde_json::from_str(field(PURGE)?);
                Some(read.map_err(|error| Garbage::Purge(error.to_string()))?)
            }
        };
        Ok(Self { from: field(FROM)?.to_owned(), cache: field(CACHE)?.to_owned(), purge })
    }

    /// Whether it is this process's own.
    pub fn is_own(&self) -> bool {
        self.from == *GATEWAY
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::objects::store::stream::Id;

    fn told<T: AsRef<[u8]>>(fields: &[(&str, T)]) -> stream::Message {
        let field = |(name, value): &(&str, T)| (name.as_bytes().to_vec(), value.as_ref().to_vec());
        stream::Message { id: Id(1, 0), fields: fields.iter().map(field).collect() }
    }

    #[test]
    fn what_one_gateway_tells_another_one_reads() {
        let purge = r#"{"tag":"p42","soft":true}"#;
        let read = Message::read(&told(&purged("main", purge))).unwrap();
        assert_eq!(read.purge, Some(serde_json::from_str(purge).unwrap()));
        assert_eq!((read.cache.as_str(), read.is_own()), ("main", true));
        assert_eq!(Message::read(&told(&joined("main"))).unwrap().purge, None);
    }

    #[test]
    fn a_purge_by_hand_needs_no_more_than_people_know() {
        let by_hand = told(&[("from", "ann"), ("cache", "main"), ("purge", r#"{"all":true}"#)]);
        assert!(!Message::read(&by_hand).unwrap().is_own());
    }

    #[test]
    fn what_is_no_purge_is_told_with_the_reason() {
        let long = format!(r#"{{"tag":"{}"}}"#, "x".repeat(LONGEST));
        for (purge, wrong) in [
            ("", "EOF"),
            (r#"{"tga":"a"}"#, "unknown field `tga`"),
            (r#"{"tag":7}"#, "expected a string"),
            (&long, "too long"),
        ] {
            let found = told(&[("from", "a"), ("cache", "main"), ("purge", purge)]);
            let error = Message::read(&found).unwrap_err().to_string();
            assert!(error.contains(wrong), "{purge:.20} {error}");
        }
        let nobody = told(&[("cache", "main"), ("purge", r#"{"all":true}"#)]);
        assert_eq!(Message::read(&nobody), Err(Garbage::Field("from")));
    }

    proptest! {
        #[test]
        fn nothing_in_a_stream_is_a_panic(fields: Vec<(Vec<u8>, Vec<u8>)>, purge: Vec<u8>) {
            let _ = Message::read(&stream::Message { id: Id(1, 0), fields });
            let _ = Message::read(&told(&[("from", &b"a"[..]), ("cache", b"b"), ("purge", &purge)]));
        }
    }
}
