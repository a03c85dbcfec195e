//! The file of keys: a JSON list of them, without their secrets.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ApiKeys;
use super::entry::Entry;
use super::index::Index;
use crate::auth::{Claims, Identity};

/// Mistakes that are told of one file.
const TOLD: usize = 100;
/// Bytes of an id.
const LONGEST_ID: usize = 64;

/// A key as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    hash: Cow<'a, str>,
    /// What people call it; only they need it.
    #[serde(borrow, rename = "name")]
    _name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow)]
    claims: Option<&'a RawValue>,
    #[serde(borrow)]
    expires: Option<Cow<'a, str>>,
    #[serde(borrow)]
    networks: Option<&'a RawValue>,
}

impl ApiKeys {
    /// The keys in the text of a file, for the authenticator of this name.
    ///
    /// The text is a JSON list of `{"id", "hash", "name", "subject", "claims", "expires", "networks"}`, where `hash` is
    /// `sha256:` and the SHA-256 of the secret in hexadecimal digits, `expires` a time of RFC 3339, `networks` a list
    /// of addresses and networks; all but the first two may be left out or null.
    ///
    /// # Errors
    /// All mistakes in it, though no more than a person reads.
    pub fn read(authenticator: &Arc<str>, text: &str) -> Result<Self, Vec<String>> {
        let list: Vec<&RawValue> = serde_json::from_str(text)
            .map_err(|error| vec![format!("expected a JSON list of API keys: {error}")])?;
        let mut reading = Reading::new(authenticator, list.len());
        let mut mistakes = Vec::new();
        for (index, text) in list.iter().enumerate() {
            if let Err(wrong) = reading.key(text.get()) {
                mistakes.push(format!("key {index}{wrong}"));
            }
            if mistakes.len() == TOLD {
                mistakes.push(format!("no more than {TOLD} mistakes are told of one file"));
                break;
            }
        }
        if mistakes.is_empty() { Ok(reading.finish()) } else { Err(mistakes) }
    }
}

/// A file that is being read.
struct Reading<'a> {
    authenticator: &'a Arc<str>,
    entries: Vec<Entry>,
    ids: String,
    index: Index,
    networks: Vec<Box<[IpNet]>>,
    /// Claims by how they are written: most keys have those of many others.
    claims_known: HashMap<&'a str, Claims>,
    networks_known: HashMap<&'a str, usize>,
}

impl<'a> Reading<'a> {
    fn new(authenticator: &'a Arc<str>, keys: usize) -> Self {
        Self {
            authenticator,
            entries: Vec::with_capacity(keys),
            ids: String::new(),
            index: Index::for_keys(keys),
            networks: Vec::new(),
            claims_known: HashMap::new(),
            networks_known: HashMap::new(),
        }
    }

    /// Take a key in; or say what is wrong with it, after its index.
    fn key(&mut self, text: &'a str) -> Result<(), String> {
        let given: Given<'a> =
            serde_json::from_str(text).map_err(|error| format!(": {}", unplaced(&error)))?;
        let id = given.id.clone();
        self.take(given).map_err(|wrong| format!(" (`{id}`): {wrong}"))
    }

    fn take(&mut self, given: Given<'a>) -> Result<(), String> {
        let id = check_id(&given.id)?;
        let hash = read_hash(&given.hash)?;
        let expires = given.expires.as_deref().map(read_time).transpose()?;
        let networks = given.networks.map(|text| self.networks(text.get())).transpose()?.flatten();
        let claims = match given.claims {
            Some(text) => self.claims(text.get())?,
            None => Claims::default(),
        };
        let identity = Arc::new(Identity {
            authenticator: self.authenticator.clone(),
            subject: given.subject.as_deref().map(Into::into),
            claims,
        });
        const TOO_MANY: &str = "there are more keys than can be told apart";
        let Self { entries, ids, index, .. } = self;
        if index.find(id, |place| entries[place as usize].is_named(id, ids)).is_some() {
            return Err("an earlier key has this id too".into());
        }
        let place = u32::try_from(entries.len()).map_err(|_| TOO_MANY)?;
        entries.push(Entry::new(id, hash, identity, expires, networks, ids).ok_or(TOO_MANY)?);
        index.put(id, place);
        Ok(())
    }

    fn claims(&mut self, text: &'a str) -> Result<Claims, String> {
        if let Some(known) = self.claims_known.get(text) {
            return Ok(known.clone());
        }
        let claims: Option<Map<String, Value>> = serde_json::from_str(text)
            .map_err(|error| format!("`claims`: expected an object: {}", unplaced(&error)))?;
        let claims = Claims::new(claims.unwrap_or_default());
        self.claims_known.insert(text, claims.clone());
        Ok(claims)
    }

    /// Which list of networks this is.
    fn networks(&mut self, text: &'a str) -> Result<Option<usize>, String> {
        if let Some(known) = self.networks_known.get(text) {
            return Ok(Some(*known));
        }
        let list: Option<Vec<Cow<'a, str>>> = serde_json::from_str(text)
            .map_err(|error| format!("`networks`: expected a list: {}", unplaced(&error)))?;
        let Some(list) = list else { return Ok(None) };
        if list.is_empty() {
            return Err("`networks` is empty, so that the key could come from nowhere".into());
        }
        let networks =
            list.iter().map(|network| read_network(network)).collect::<Result<_, _>>()?;
        let index = self.networks.len();
        self.networks.push(networks);
        self.networks_known.insert(text, index);
        Ok(Some(index))
    }

    fn finish(self) -> ApiKeys {
        ApiKeys {
            entries: self.entries.into(),
            ids: self.ids.into(),
            index: self.index,
            networks: self.networks.into(),
        }
    }
}

fn check_id(id: &str) -> Result<&str, String> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    if (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(allowed) {
        return Ok(id);
    }
    Err(format!("`id`: expected 1 to {LONGEST_ID} letters, digits, `-` and `_`"))
}

fn read_hash(text: &str) -> Result<[u8; 32], String> {
    const EXPECTED: &str =
        "`hash`: expected `sha256:` and 64 hexadecimal digits, the SHA-256 of the key's secret";
    let digits = text.strip_prefix("sha256:").map(str::as_bytes).ok_or(EXPECTED)?;
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return Err(EXPECTED.into());
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0]).ok_or(EXPECTED)? << 4 | digit(pair[1]).ok_or(EXPECTED)?;
    }
    Ok(hash)
}

fn read_time(text: &str) -> Result<i64, String> {
    OffsetDateTime::parse(text, &Rfc3339).map(OffsetDateTime::unix_timestamp).map_err(|_| {
        format!("`expires`: expected a time like 2027-01-31T00:00:00Z (RFC 3339), not `{text}`")
    })
}

fn read_network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        format!("`networks`: expected an address or a network like 192.0.2.0/24, not `{text}`")
    })
}

/// What is wrong, without the place, which would be that in one key's text.
fn unplaced(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.into())
}
