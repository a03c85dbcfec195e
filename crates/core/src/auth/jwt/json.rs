//! JSON that is read strictly: a name stands once in an object (RFC 7515 §4, RFC 7519 §4), and what is nested too
//! deeply or too large is not read to its end.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Bounds;

/// The object that `text` is.
///
/// # Errors
/// What is wrong with it.
pub(super) fn object(text: &[u8], bounds: &Bounds) -> Result<Map<String, Value>, &'static str> {
    let mut reading = Reading { names: bounds.names, flaw: None };
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: bounds.depth, reading: &mut reading }.deserialize(&mut json);
    match value.and_then(|value| json.end().map(|()| value)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("a part of the token is JSON, but no object"),
        Err(_) => Err(reading.flaw.unwrap_or("a part of the token is no JSON")),
    }
}

struct Reading {
    /// Names that may still come.
    names: usize,
    /// What this file has against the text, which the error of serde cannot carry.
    flaw: Option<&'static str>,
}

impl Reading {
    fn refuse<E: Error>(&mut self, flaw: &'static str) -> E {
        self.flaw = Some(flaw);
        E::custom(flaw)
    }
}

/// Reads a value in which objects and lists may be nested `depth` times.
struct Strict<'a> {
    depth: usize,
    reading: &'a mut Reading,
}

impl Strict<'_> {
    /// What reads the values inside.
    fn inner<E: Error>(&mut self) -> Result<Strict<'_>, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Strict { depth, reading: self.reading }),
            None => Err(self.reading.refuse("a part of the token is nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if self.reading.names == 0 {
                return Err(self.reading.refuse("a part of the token has too many names"));
            }
            self.reading.names -= 1;
            let value = object.next_value_seed(self.inner()?)?;
            if members.insert(name, value).is_some() {
                return Err(self.reading.refuse("a part of the token has a name twice"));
            }
        }
        Ok(members.into())
    }
}
