//! What a peer sends beside requests and responses: its settings, and what concerns its connection.

use std::cell::Cell;
use std::future::poll_fn;

use bytes::{Buf, Bytes};
use quinn::{Connection, RecvStream};

use super::code::Code;
use super::frame::{self, Carrier, Frames, Peer, Piece};
use super::receiving::{Lost, Receiving};
use super::settings::Settings;
use super::stream_type::StreamType;
use super::varint;

/// The unidirectional streams of a peer; of those that a connection needs there is one each (RFC 9114 §6.2).
#[derive(Debug)]
pub struct PeerStreams {
    peer: Peer,
    control: Cell<bool>,
    encoder: Cell<bool>,
    decoder: Cell<bool>,
}

/// What a peer says on its control stream.
#[derive(Debug, Clone, Copy)]
pub enum ControlFrame<'a> {
    /// Its settings, which come first.
    Settings(Settings),
    /// It goes away: what has this number, or a later one, is not carried out.
    Goaway(u64),
    /// A request's new priority, as RFC 9218 §7.2 writes it.
    PriorityUpdate(&'a [u8]),
}

/// To set the capacity of the dynamic table to 0, which it is (RFC 9204 §4.3.1).
const NO_CAPACITY: u8 = 0x20;

impl PeerStreams {
    /// Those of this peer; none came yet.
    pub fn of(peer: Peer) -> Self {
        let (control, encoder, decoder) = Default::default();
        Self { peer, control, encoder, decoder }
    }

    /// Read a stream until it ends; where it breaks the protocol, the connection ends. What comes on the
    /// control stream is `told`.
    pub async fn receive(
        &self,
        connection: Connection,
        stream: RecvStream,
        told: impl Fn(ControlFrame<'_>) -> Result<(), Code>,
    ) {
        // A connection that ends takes all its streams along, and rightly so.
        if let Err(code) = self.read(&connection, stream, told).await
            && connection.close_reason().is_none()
        {
            tracing::debug!(?code, peer = ?self.peer, "a peer breaks HTTP/3");
            connection.close(code.into(), b"");
        }
    }

    async fn read(
        &self,
        connection: &Connection,
        mut stream: RecvStream,
        told: impl Fn(ControlFrame<'_>) -> Result<(), Code>,
    ) -> Result<(), Code> {
        let Some((kind, rest)) = stream_type(&mut stream).await else { return Ok(()) };
        match StreamType::of(kind) {
            StreamType::Control => {
                only(&self.control)?;
                let frames = Frames::new(self.peer, Carrier::Control);
                let control = Receiving::new(connection.clone(), stream, rest, frames);
                read_control(control, told).await
            }
            StreamType::Encoder => {
                only(&self.encoder)?;
                read_encoder(stream, rest).await
            }
            StreamType::Decoder => {
                only(&self.decoder)?;
                skip(stream).await
            }
            // Only servers push, and none was allowed to (RFC 9114 §4.6, §6.2.2).
            StreamType::Push => Err(match self.peer {
                Peer::Client => Code::STREAM_CREATION_ERROR,
                Peer::Server => Code::ID_ERROR,
            }),
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
    mut frames: Receiving,
    told: impl Fn(ControlFrame<'_>) -> Result<(), Code>,
) -> Result<(), Code> {
    let mut has_settings = false;
    loop {
        let (kind, payload) = match poll_fn(|cx| frames.poll_piece(cx)).await {
            Ok(Some(Piece::Control(kind, payload))) => (kind, payload),
            Ok(_) | Err(Lost::Reset(_) | Lost::Gone | Lost::TooLarge) => {
                return Err(Code::CLOSED_CRITICAL_STREAM);
            }
            Err(Lost::Breach) => return Ok(()),
        };
        match (kind, has_settings) {
            (frame::SETTINGS, false) => {
                told(ControlFrame::Settings(Settings::read(&payload)?))?;
                has_settings = true;
            }
            (frame::SETTINGS, true) => return Err(Code::FRAME_UNEXPECTED),
            (_, false) => return Err(Code::MISSING_SETTINGS),
            (frame::GOAWAY, true) => told(ControlFrame::Goaway(number(&payload)?))?,
            (frame::PRIORITY_UPDATE, true) => told(ControlFrame::PriorityUpdate(&payload))?,
            // How many pushes a client takes, and it gets none.
            (_, true) => _ = number(&payload)?,
        }
    }
}

/// The number that the payload of a frame is (RFC 9114 §7.2.6, §7.2.7).
fn number(payload: &[u8]) -> Result<u64, Code> {
    varint::whole(payload).ok_or(Code::FRAME_ERROR)
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
