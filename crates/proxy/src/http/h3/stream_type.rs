//! What a unidirectional stream is for (RFC 9114 §6.2, RFC 9204 §4.2).

/// The type that such a stream begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamType {
    /// Settings, and then what concerns the connection.
    Control,
    /// A response that was not asked for.
    Push,
    /// Instructions to the receiver's QPACK decoder.
    Encoder,
    /// Instructions to the receiver's QPACK encoder.
    Decoder,
    /// Of none that is known: it is not read.
    Unknown,
}

impl StreamType {
    /// The control stream's number.
    pub const CONTROL: u64 = 0;

    /// The type of this number.
    pub const fn of(number: u64) -> Self {
        match number {
            Self::CONTROL => Self::Control,
            1 => Self::Push,
            2 => Self::Encoder,
            3 => Self::Decoder,
            _ => Self::Unknown,
        }
    }
}
