//! Frames of HTTP/3 are found the same however they arrive, and no more of them is kept than is wanted whole.

use bytes::Bytes;

use super::cuttings;
use crate::http::h3::frame::{Breach, Carrier, Frames, Peer, Piece};
use crate::http::h3::settings::Settings;

/// Most bytes of a field section.
const SECTION: u64 = 64;

/// What a stream brings: first as a request's, then as a control stream, of a client and of a server.
pub fn frames(wire: &[u8]) {
    let carriers = [Carrier::Request { section: SECTION }, Carrier::Control];
    let streams = [Peer::Client, Peer::Server].map(|peer| carriers.map(|carrier| (peer, carrier)));
    for stream in streams.into_iter().flatten() {
        let [whole, bytewise, uneven] = cuttings(wire).map(|pieces| read(stream, &pieces));
        assert_eq!(whole, bytewise, "read whole and byte by byte");
        assert_eq!(whole, uneven, "read whole and in uneven pieces");
        for piece in &whole.0 {
            match piece {
                Piece::Section(section) => assert!(section.len() as u64 <= SECTION),
                // None is read that could not be written, whatever else it says.
                Piece::Control(_, payload) => drop(Settings::read(payload)),
                Piece::Data(_) => {}
            }
        }
    }
}

/// What is found, with content that follows content joined, and what is wrong with the rest.
fn read((peer, carrier): (Peer, Carrier), pieces: &[&[u8]]) -> (Vec<Piece>, Option<Breach>) {
    let (mut frames, mut found) = (Frames::new(peer, carrier), Vec::<Piece>::new());
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match frames.next(&mut input) {
                Ok(Some(Piece::Data(data))) => match found.last_mut() {
                    Some(Piece::Data(before)) => *before = [&before[..], &data].concat().into(),
                    _ => found.push(Piece::Data(data)),
                },
                Ok(Some(piece)) => found.push(piece),
                Ok(None) => break,
                Err(breach) => return (found, Some(breach)),
            }
        }
        assert!(input.is_empty(), "what came was read");
    }
    (found, None)
}
