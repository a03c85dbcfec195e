//! A stream of a store: messages that stay there for a while, so that each gateway reads them from its own place on,
//! whenever it comes.
//!
//! A connection of its own, since it waits for what comes next and nothing else may be said over it meanwhile. A place is
//! the id of a message. One that is still there says that none behind it is gone: a stream is cut at its beginning only.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use redis::{Pipeline, Value, cmd};

use super::Store;
use super::link::{Link, Trouble};
use crate::net::Address;

/// Messages that a stream keeps, or a few more: the server cuts where it is cheap. With one a second it is a day of them.
const KEPT: u64 = 100_000;
/// Messages that are read at once.
const READ: usize = 100;
/// How long is waited for the next message before the server is asked again.
const WAIT: Duration = Duration::from_secs(1);

/// The id of a message: milliseconds of the server's clock and a number; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub u64, pub u64);

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: Id,
    /// What it says, by name.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A stream, and a link to the server that has it.
pub struct Stream<'a> {
    name: &'a str,
    link: Link,
}

impl<'a> Stream<'a> {
    /// Connect for the stream of this name, to the node of a cluster that is said to have it.
    pub async fn open(store: &Store, name: &'a str, node: Option<&str>) -> Result<Self, Trouble> {
        let link = match node {
            None => Link::open(store).await?,
            Some(node) => {
                let address = Address::parse(node).map_err(Trouble::Unexpected)?;
                Link::to_node(&address, store).await?
            }
        };
        Ok(Self { name, link })
    }

    /// Add messages of these fields, in this order. Where it fails some may have been added.
    pub async fn add(&self, messages: &[Vec<(&str, &str)>]) -> Result<Vec<Id>, Trouble> {
        let mut pipeline = Pipeline::new();
        for fields in messages {
            let command = pipeline.cmd("XADD").arg(self.name).arg("MAXLEN").arg("~");
            command.arg(KEPT).arg("*").arg(fields);
        }
        let answers = self.link.ask(&pipeline).await?;
        answers.into_iter().map(|answer| id(&answer.extract_error()?)).collect()
    }

    /// The first messages from that at `place` on, this one included if it is still there.
    pub async fn read(&self, place: Id) -> Result<Vec<Message>, Trouble> {
        self.range(&place.to_string(), "+", READ).await
    }

    /// Whether the server has lost the message at `place`, which is not there: not because the stream was cut, for older
    /// ones are, but because it was restarted with what it had saved before.
    pub async fn has_forgotten(&self, place: Id) -> Result<bool, Trouble> {
        self.range("-", &place.to_string(), 1).await.map(|older| !older.is_empty())
    }

    async fn range(&self, from: &str, to: &str, most: usize) -> Result<Vec<Message>, Trouble> {
        let mut command = cmd("XRANGE");
        command.arg(self.name).arg(from).arg(to).arg("COUNT").arg(most);
        match self.link.command(&command).await? {
            Value::Array(messages) => messages.iter().map(message).collect(),
            other => Err(unexpected(&other)),
        }
    }

    /// Wait for one behind that at `place`, for a while.
    pub async fn wait(&self, place: Id) -> Result<(), Trouble> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(1).arg("BLOCK").arg(WAIT.as_millis() as u64);
        command.arg("STREAMS").arg(self.name).arg(place.to_string());
        self.link.blocking(&command, WAIT).await.map(drop)
    }
}

fn message(value: &Value) -> Result<Message, Trouble> {
    let Value::Array(parts) = value else { return Err(unexpected(value)) };
    let [number, Value::Array(texts)] = parts.as_slice() else { return Err(unexpected(value)) };
    let texts: Vec<_> = texts.iter().map(bytes).collect::<Result<_, _>>()?;
    let fields = texts.chunks_exact(2).map(|pair| (pair[0].to_vec(), pair[1].to_vec()));
    Ok(Message { id: id(number)?, fields: fields.collect() })
}

fn id(value: &Value) -> Result<Id, Trouble> {
    let text = str::from_utf8(bytes(value)?).ok().and_then(|text| text.parse().ok());
    text.ok_or_else(|| unexpected(value))
}

fn bytes(value: &Value) -> Result<&[u8], Trouble> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        other => Err(unexpected(other)),
    }
}

/// What was not expected, as far as it is told.
fn unexpected(value: &Value) -> Trouble {
    let told: String = format!("{value:?}").chars().take(100).collect();
    Trouble::Unexpected(told)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (millis, number) = text.split_once('-').ok_or(())?;
        Ok(Self(millis.parse().map_err(|_| ())?, number.parse().map_err(|_| ())?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn ids_are_ordered_as_the_server_orders_them() {
        let ids = ["9-0", "10-0", "10-2", "10-10"].map(|text| text.parse::<Id>().unwrap());
        assert!(ids.is_sorted());
        assert_eq!(ids[3].to_string(), "10-10");
        for wrong in ["", "1", "-", "1-", "a-1", "1-2-3", "18446744073709551616-0"] {
            assert!(wrong.parse::<Id>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_message_is_read_as_the_server_writes_it() {
        let fields = Value::Array(["from", "a", "cache", "b"].map(text).to_vec());
        let read = message(&Value::Array(vec![text("7-1"), fields])).unwrap();
        let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        assert_eq!(
            read,
            Message { id: Id(7, 1), fields: vec![pair("from", "a"), pair("cache", "b")] }
        );
    }

    #[test]
    fn what_is_no_message_is_told_and_not_more_of_it_than_is_needed() {
        let long = text(&"x".repeat(10_000));
        for wrong in [Value::Nil, long, Value::Array(vec![text("7-1")])] {
            assert!(message(&wrong).unwrap_err().to_string().len() < 200);
        }
    }
}
