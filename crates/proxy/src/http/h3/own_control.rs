//! Our own control stream.

use bytes::BytesMut;
use quinn::{Connection, ConnectionError};

use super::frame;
use super::sending::Sending;
use super::settings::Settings;
use super::stream_type::StreamType;
use super::varint;

/// Open it, which waits until the peer allows it; its first frame, which is not flushed yet, are our settings (RFC 9114
/// §6.2.1). It is to be kept as long as the connection.
///
/// # Errors
/// The connection is gone.
pub async fn open(
    connection: &Connection,
    settings: &Settings,
) -> Result<Sending, ConnectionError> {
    let mut stream = Sending::new(connection.open_uni().await?);
    let mut bytes = BytesMut::new();
    varint::write(StreamType::CONTROL, &mut bytes);
    frame::write(frame::SETTINGS, &mut bytes, |payload| settings.write(payload));
    stream.push(bytes.freeze());
    Ok(stream)
}
