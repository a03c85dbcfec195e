//! The beginning of a connection: TLS, and which version of HTTP it speaks.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::BytesMut;
use tidegate_core::plan::HttpVersion;

use super::{h1, h2};
use crate::client::{Admitted, Client};
use crate::net::deadline::Deadline;
use crate::net::io::{Io, Socket};
use crate::snapshot::Settings;
use crate::tls::stream;

/// What a client sends first that speaks HTTP/2 (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serve an accepted connection until it ends.
pub async fn serve(admitted: Admitted, settings: Arc<Settings>, socket: Socket) {
    let limit = settings.plan.timeouts.handshake.duration();
    let (io, negotiated) = match &settings.tls {
        None => (Io::Plain(socket), None),
        Some(tls) => match stream::accept(tls, socket, limit).await {
            Ok((io, negotiated)) => {
                admitted.listener.count_handshake(admitted.worker(), Some(&negotiated));
                (Io::Tls(io), Some(negotiated))
            }
            Err(error) => {
                admitted.listener.count_handshake(admitted.worker(), None);
                tracing::debug!(%error, "a client's handshake failed");
                return;
            }
        },
    };
    let agreed = negotiated.as_ref().and_then(|negotiated| negotiated.alpn);
    let client = Client::new(admitted, settings, negotiated);
    let speaks_http2 = client.settings.plan.protocols.contains(&HttpVersion::Http2);
    match agreed {
        Some(HttpVersion::Http2) => Box::pin(h2::serve(client, io, BytesMut::new())).await,
        None if speaks_http2 => detect(client, io).await,
        _ => h1::serve(client, io, BytesMut::new()).await,
    }
}

/// Tell the version by the first bytes.
async fn detect(client: std::rc::Rc<Client>, mut io: Io) {
    let mut input = BytesMut::new();
    let mut deadline = Deadline::default();
    deadline.ensure(client.settings.plan.timeouts.handshake.duration());
    let speaks = poll_fn(|cx| match first_bytes(&mut io, &mut input, cx) {
        Poll::Pending if client.poll_draining(cx) => Poll::Ready(None),
        Poll::Pending => deadline.poll_expired(cx).map(|()| None),
        speaks => speaks,
    })
    .await;
    let allowed = &client.settings.plan.protocols;
    match speaks {
        Some(HttpVersion::Http1) if allowed.contains(&HttpVersion::Http1) => {
            h1::serve(client, io, input).await;
        }
        // A client that speaks nothing that is spoken here learns it from the settings frame of HTTP/2.
        Some(_) => Box::pin(h2::serve(client, io, input)).await,
        None => {}
    }
}

fn first_bytes(
    io: &mut Io,
    input: &mut BytesMut,
    cx: &mut std::task::Context<'_>,
) -> Poll<Option<HttpVersion>> {
    loop {
        let compared = input.len().min(PREFACE.len());
        if input[..compared] != PREFACE[..compared] {
            return Poll::Ready(Some(HttpVersion::Http1));
        }
        if compared == PREFACE.len() {
            return Poll::Ready(Some(HttpVersion::Http2));
        }
        if let 0 = ready!(io.poll_read_through(cx, input)).unwrap_or(0) {
            return Poll::Ready(None);
        }
    }
}
