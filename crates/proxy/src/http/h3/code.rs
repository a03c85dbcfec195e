//! Why a stream or a connection ends: the error codes of RFC 9114 §8.1 and RFC 9204 §8.3.

use std::fmt;

/// An error code, as the peer gets or sends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u64);

impl Code {
    /// Nothing is wrong.
    pub const NO_ERROR: Self = Self(0x100);
    /// A rule is broken that has no code of its own.
    pub const GENERAL_PROTOCOL_ERROR: Self = Self(0x101);
    /// Something is wrong here.
    pub const INTERNAL_ERROR: Self = Self(0x102);
    /// A stream came that is not to be.
    pub const STREAM_CREATION_ERROR: Self = Self(0x103);
    /// A stream ended that the connection needs.
    pub const CLOSED_CRITICAL_STREAM: Self = Self(0x104);
    /// A frame where none of its type may be.
    pub const FRAME_UNEXPECTED: Self = Self(0x105);
    /// A frame that is not as long as what it holds.
    pub const FRAME_ERROR: Self = Self(0x106);
    /// The peer costs too much.
    pub const EXCESSIVE_LOAD: Self = Self(0x107);
    /// A number of a stream or push that cannot be.
    pub const ID_ERROR: Self = Self(0x108);
    /// A setting that cannot be.
    pub const SETTINGS_ERROR: Self = Self(0x109);
    /// No settings came first.
    pub const MISSING_SETTINGS: Self = Self(0x10a);
    /// The request was not carried out.
    pub const REQUEST_REJECTED: Self = Self(0x10b);
    /// The request, or its response, is not wanted any more.
    pub const REQUEST_CANCELLED: Self = Self(0x10c);
    /// The request ended before it was whole.
    pub const REQUEST_INCOMPLETE: Self = Self(0x10d);
    /// The message breaks the rules.
    pub const MESSAGE_ERROR: Self = Self(0x10e);
    /// A field section that cannot be read.
    pub const QPACK_DECOMPRESSION_FAILED: Self = Self(0x200);
    /// An instruction to our decoder that cannot be.
    pub const QPACK_ENCODER_STREAM_ERROR: Self = Self(0x201);
    /// An instruction to our encoder that cannot be.
    pub const QPACK_DECODER_STREAM_ERROR: Self = Self(0x202);
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}
