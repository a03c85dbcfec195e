//! Body limit: how large a request's body may be.

use std::cell::Cell;
use std::rc::Rc;

use http::header::CONTENT_LENGTH;
use tidegate_core::failure::Failure;

use super::Flow;
use crate::account::event::Event;
use crate::call::Call;

/// Count the bytes of the body, and hold it to `limit`; one that announces more is refused at once.
///
/// # Errors
/// If the body is too large.
pub fn before(limit: Option<u64>, call: &mut Call<'_>) -> Result<Flow, Failure> {
    if call.body.is_end() {
        return Ok(Flow::Go);
    }
    let announced = call.head.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let (Some(limit), Some(length)) = (limit, announced)
        && length > limit
    {
        return Err(Failure::BodyTooLarge);
    }
    let taken = Rc::new(Cell::new(0));
    call.tell(&Event::BodyExpected(&taken));
    *call.body = std::mem::take(call.body).metered(limit, taken);
    Ok(Flow::Go)
}
