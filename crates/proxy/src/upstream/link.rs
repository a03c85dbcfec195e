//! What a request is sent on.

use std::rc::Rc;
use std::time::Duration;

use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::client::multiplexed::Multiplexed;
use super::client::{Exchange, Outgoing, h1, h2, h3};
use super::connect::{Channel, Opened};
use super::flight::Flight;
use super::pool::Pool;

/// What a request is sent on.
pub enum Link {
    /// A connection of its own.
    H1(Box<h1::Connection>),
    /// One that it shares.
    Multiplexed(Multiplexed),
}

impl Link {
    /// Speak HTTP on a connection that was just opened; one that is shared has to begin within `limit`.
    pub async fn begin(opened: Opened, limit: Duration) -> Result<Self, Failure> {
        let Opened { channel, slot } = opened;
        Ok(match channel {
            Channel::Http1(io) => Self::H1(Box::new(h1::Connection::new(io, Instant::now(), slot))),
            Channel::Http2(io) => {
                Self::Multiplexed(Multiplexed::H2(h2::Connection::begin(io, slot, limit).await?))
            }
            Channel::Http3(quic) => {
                Self::Multiplexed(Multiplexed::H3(h3::Connection::begin(quic, slot, limit).await?))
            }
        })
    }

    /// Whether it speaks HTTP/3.
    pub fn is_http3(&self) -> bool {
        matches!(self, Self::Multiplexed(Multiplexed::H3(_)))
    }

    /// Let other requests be sent on it too, where it carries many.
    pub fn share(&self, pool: &Pool) {
        if let Self::Multiplexed(connection) = self {
            pool.share(connection.clone());
        }
    }

    /// Begin to send a request. What can be used again goes back to `pool`.
    pub fn start(
        self,
        pool: &Rc<Pool>,
        flight: Flight,
        request: Outgoing<'_>,
    ) -> Box<dyn Exchange> {
        match self {
            Self::H1(connection) => {
                Box::new(h1::H1Exchange::start(connection, pool.clone(), flight, request))
            }
            Self::Multiplexed(Multiplexed::H2(connection)) => {
                Box::new(h2::H2Exchange::start(connection, flight, request))
            }
            Self::Multiplexed(Multiplexed::H3(connection)) => {
                Box::new(h3::H3Exchange::start(connection, flight, request))
            }
        }
    }
}
