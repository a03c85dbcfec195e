//! A client's connection over HTTP/1: requests one after another (RFC 9112 §9).

mod linger;
pub mod receive;
mod response;
mod state;
mod transport;

use std::future::poll_fn;
use std::rc::Rc;

use bytes::BytesMut;
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use self::response::ResponseWriter;
use self::state::Next;
use self::transport::{SharedTransport, Transport};
use super::request;
use crate::client::Client;
use crate::http::h1::request::RequestHead;
use crate::net::io::Io;

/// Serve a connection until it ends. `input` was read already.
pub async fn serve(client: Rc<Client>, io: Io, input: BytesMut) {
    let listener = &client.settings.plan;
    let timeouts = &listener.timeouts;
    let transport = Rc::new(Transport::new(io, input, timeouts.header_read.duration()));
    loop {
        let ended = match poll_fn(|cx| transport.poll_head(&client, cx)).await {
            Ok(Some(mut head)) => Box::pin(exchange(&client, &transport, &mut head)).await,
            Ok(None) => return,
            Err(failure) => Box::pin(refuse(&client, &transport, failure)).await,
        };
        match transport.next() {
            Next::Request => {}
            Next::Rest if transport.read_rest(listener).await => {}
            Next::Close => return transport.linger(listener).await,
            Next::Rest | Next::Drop => return,
        }
        transport.await_request(ended, timeouts.idle.duration());
    }
}

/// Serve one request. Returns when it ended.
async fn exchange(
    client: &Rc<Client>,
    transport: &SharedTransport,
    head: &mut RequestHead,
) -> Instant {
    let mut reply = ResponseWriter::to(client, transport, head);
    let mut body = transport.receive(client, head);
    let upgrade = head.control.upgrade.as_ref();
    request::serve(client, &mut head.parts, &mut body, upgrade, &mut reply).await
}

/// Answer what could not be read as a request. Returns when that ended.
async fn refuse(client: &Client, transport: &SharedTransport, failure: Failure) -> Instant {
    let mut reply = ResponseWriter::to_malformed(client, transport);
    let line = transport.salvage();
    request::refuse(client, failure, &line.known(), &mut reply).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SMALL_BLOCK, size_of_future, unmade};

    #[test]
    fn a_request_under_way_is_a_small_block() {
        let size = size_of_future(|| exchange(unmade(), unmade(), unmade()));
        assert!(size <= SMALL_BLOCK, "{size}");
    }
}
