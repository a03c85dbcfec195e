//! Request id: the client learns the request's name. The request got it when it [began](Transaction::begin).

use http::Response;

use crate::account::event::Event;
use crate::call::Transaction;
use crate::http::body::Body;
use crate::http::ids::REQUEST_ID;

/// Name the request in its response, which is final.
pub fn after(transaction: &Transaction<'_>, response: &mut Response<Body>) {
    let witnesses = &transaction.witnesses;
    let id = witnesses.record().request_id.clone();
    response.headers_mut().insert(REQUEST_ID, id);
    witnesses.tell(&Event::Answered(response.status()));
}
