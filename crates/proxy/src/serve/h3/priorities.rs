//! Which of a connection's responses go first (RFC 9218).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use http::HeaderMap;
use http::header::HeaderName;
use tidegate_core::message::priority::Priority;

use super::response::SendHalf;
use crate::http::h3::code::Code;
use crate::http::h3::varint;

const PRIORITY: HeaderName = HeaderName::from_static("priority");
/// Requests of which a client may have said something before they come.
const MOST_EARLY: usize = 64;

/// What a client said of its requests. Of one of which it said nothing the response shares with others of usual urgency.
#[derive(Default)]
pub struct Priorities {
    /// Our halves of the streams of requests that are under way.
    open: RefCell<BTreeMap<u64, Rc<SendHalf>>>,
    /// What was said of requests before they came.
    early: RefCell<BTreeMap<u64, Priority>>,
    /// Behind the last stream whose request came.
    next: Cell<u64>,
}

impl Priorities {
    /// The request on the stream with this index came, with these fields; its response goes by `send_half`.
    pub fn begin(&self, index: u64, headers: &HeaderMap, send_half: &Rc<SendHalf>) {
        let said = headers.get(PRIORITY).map(|said| Priority::parse(said.as_bytes()));
        // A frame says it later than the field.
        if let Some(priority) = self.early.borrow_mut().remove(&index).or(said) {
            send_half.borrow().set_rank(priority.rank(index));
        }
        self.open.borrow_mut().insert(index, send_half.clone());
        self.next.set(self.next.get().max(index + 1));
    }

    /// The request on the stream with this index is over.
    pub fn end(&self, index: u64) {
        self.open.borrow_mut().remove(&index);
    }

    /// The client says something else of a request (§7.2).
    ///
    /// # Errors
    /// The payload of the frame is none.
    pub fn update(&self, payload: &[u8]) -> Result<(), Code> {
        let (stream, length) = varint::read(payload).ok_or(Code::FRAME_ERROR)?;
        // Streams of requests have every fourth number (RFC 9000 §2.1).
        if !stream.is_multiple_of(4) {
            return Err(Code::ID_ERROR);
        }
        let (index, priority) = (stream / 4, Priority::parse(&payload[length..]));
        match self.open.borrow().get(&index) {
            Some(send_half) => send_half.borrow().set_rank(priority.rank(index)),
            None => {
                let mut early = self.early.borrow_mut();
                // It may be over, too.
                if index >= self.next.get() && early.len() < MOST_EARLY {
                    early.insert(index, priority);
                }
            }
        }
        Ok(())
    }
}
