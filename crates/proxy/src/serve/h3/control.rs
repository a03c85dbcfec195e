//! What a client sends beside its requests: its settings, and what concerns its connection.

use std::cell::Cell;
use std::future::poll_fn;

use bytes::{Buf, Bytes};
use quinn::{Connection, RecvStream};

use super::priorities::Priorities;
use crate::http::h3::code::Code;
use crate::http::h3::frame::{self, Carrier, Piece};
use crate::http::h3::receiving::{Lost, Receiving};
use crate::http::h3::settings::Settings;
use crate::http::h3::stream_type::StreamType;
use crate::http::h3::varint;

/// The unidirectional streams of a client; of those that a connection needs there is one each (RFC 9114 §6.2).
#[derive(Debug, Default)]
pub struct PeerStreams {
    control: Cell<bool>,
    encoder: Cell<bool>,
    decoder: Cell<bool>,
}

/// To set the capacity of the dynamic table to 0, which it is (RFC 9204 §4.3.1).
const NO_CAPACITY: u8 = 0x20;

impl PeerStreams {
    /// Read a stream until it ends; where it breaks the protocol, the connection ends.
    pub async fn receive(
        &self,
        connection: Connection,
        stream: RecvStream,
        priorities: &Priorities,
    ) {
        if let Err(code) = self.read(&connection, stream, priorities).await {
            tracing::debug!(?code, "a client breaks HTTP/3");
            connection.close(code.into(), b"");
        }
    }

    async fn read(
        &self,
        connection: &Connection,
        mut stream: RecvStream,
        priorities: &Priorities,
    ) -> Result<(), Code> {
        let Some((kind, rest)) = stream_type(&mut stream).await else { return Ok(()) };
        match StreamType::of(kind) {
            StreamType::Control => {
                only(&self.control)?;
                read_control(connection, stream, rest, priorities).await
            }
            StreamType::Encoder => {
                only(&self.encoder)?;
                read_encoder(stream, rest).await
            }
            StreamType::Decoder => {
                only(&self.decoder)?;
                skip(stream).await
            }
            StreamType::Push => Err(Code::STREAM_CREATION_ERROR),
            StreamType::Unknown => {
                let _ = stream.stop(Code::STREAM_CREATION_ERROR.into());
                Ok(())
            }
        }
    }
}

/// Note that a stream is there of which there is one.
fn only(seen: &Cell<bool>) -> Result<(), Code> {
    match seen.replace(true) {
        false => Ok(()),
        true => Err(Code::STREAM_CREATION_ERROR),
    }
}

/// The number that a stream begins with, and what was read behind it; `None`: it ended before.
async fn stream_type(stream: &mut RecvStream) -> Option<(u64, Bytes)> {
    let mut begun = Vec::with_capacity(varint::LONGEST);
    loop {
        let mut chunk = stream.read_chunk(usize::MAX, true).await.ok()??.bytes;
        while !chunk.is_empty() {
            begun.push(chunk.get_u8());
            if let Some((kind, _)) = varint::read(&begun) {
                return Some((kind, chunk));
            }
        }
    }
}

async fn read_control(
    connection: &Connection,
    stream: RecvStream,
    rest: Bytes,
    priorities: &Priorities,
) -> Result<(), Code> {
    let mut frames = Receiving::new(connection.clone(), stream, rest, Carrier::Control);
    let mut has_settings = false;
    loop {
        let (kind, payload) = match poll_fn(|cx| frames.poll_piece(cx)).await {
            Ok(Some(Piece::Control(kind, payload))) => (kind, payload),
            Ok(_) | Err(Lost::Gone | Lost::TooLarge) => return Err(Code::CLOSED_CRITICAL_STREAM),
            Err(Lost::Broken) => return Ok(()),
        };
        match (kind, has_settings) {
            (frame::SETTINGS, false) => {
                Settings::read(&payload)?;
                has_settings = true;
            }
            (frame::SETTINGS, true) => return Err(Code::FRAME_UNEXPECTED),
            (_, false) => return Err(Code::MISSING_SETTINGS),
            (frame::PRIORITY_UPDATE, true) => priorities.update(&payload)?,
            _ => {}
        }
    }
}

async fn read_encoder(mut stream: RecvStream, rest: Bytes) -> Result<(), Code> {
    let mut instructions = rest;
    loop {
        if instructions.iter().any(|instruction| *instruction != NO_CAPACITY) {
            return Err(Code::QPACK_ENCODER_STREAM_ERROR);
        }
        instructions = more(&mut stream).await?;
    }
}

/// What is said to our encoder, which references nothing, changes nothing.
async fn skip(mut stream: RecvStream) -> Result<(), Code> {
    loop {
        more(&mut stream).await?;
    }
}

async fn more(stream: &mut RecvStream) -> Result<Bytes, Code> {
    match stream.read_chunk(usize::MAX, true).await {
        Ok(Some(chunk)) => Ok(chunk.bytes),
        _ => Err(Code::CLOSED_CRITICAL_STREAM),
    }
}
