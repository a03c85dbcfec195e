//! A connection from its first stream to its end.

use std::ops::Deref;
use std::sync::Arc;

use quinn::Connection;

use crate::client::Admitted;
use crate::http::h3::code::Code;
use crate::snapshot::Listener;

/// A connection on which streams may be opened. However it comes to its end, it is closed then, and what it came to is counted.
pub struct Established {
    connection: Connection,
    listener: Arc<Listener>,
    worker: usize,
}

impl Established {
    /// The `connection` of a client that was let in.
    pub fn new(connection: Connection, admitted: &Admitted) -> Self {
        Self { connection, listener: admitted.listener.clone(), worker: admitted.worker() }
    }
}

impl Deref for Established {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Established {
    /// Also where its task is cut short: what requests are under way then end with the connection.
    fn drop(&mut self) {
        // Without effect on one that is over.
        self.connection.close(Code::NO_ERROR.into(), b"");
        self.listener.metrics.quic.ended(self.worker, &self.connection.stats());
    }
}
