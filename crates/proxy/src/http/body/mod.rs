//! The one body type: content that is there, or comes from a [`Source`].
//!
//! Where a body comes from and what is done to it on its way are sources too: a new one is a type of its own
//! that implements the trait, and nothing here knows of it.

mod ahead;
mod content;
mod guarded;
mod joined;
mod metered;
mod paced;
mod replay;
mod tee;
mod timed;
mod whole;

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use tidegate_core::failure::Failure;

pub use self::content::Content;
pub use self::paced::Pace;
use crate::http::duplex::Duplex;
use crate::http::last_words::LastWords;

/// A piece of a body.
#[derive(Debug, Clone)]
pub enum Frame {
    /// Content.
    Data(Bytes),
    /// Fields after the content; nothing comes after them.
    Trailers(HeaderMap),
}

/// What a body's reader gets next.
pub type NextFrame = Poll<Option<Result<Frame, Failure>>>;

/// Gives a body piece by piece, and holds no more of it than one piece.
pub trait Source {
    /// The next piece.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame;

    /// Whether nothing more will come; `false` where that is not known yet.
    fn is_end(&self) -> bool;

    /// How its reader is told that it broke off with `failure`.
    fn last_words(&self, _failure: Failure) -> LastWords {
        LastWords::Cut
    }
}

/// A message's content.
#[derive(Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// Content that is all there.
    Full(Bytes),
    /// Content as it comes.
    Stream(Box<dyn Source>),
    /// No content: the endpoint's end of a tunnel, for another protocol that it agreed to.
    Upgraded(Box<dyn Duplex>),
}

impl Body {
    /// A body that is all there.
    pub fn full(content: impl Into<Bytes>) -> Self {
        let content = content.into();
        if content.is_empty() { Self::Empty } else { Self::Full(content) }
    }

    /// A body that comes from `source`.
    pub fn stream(source: impl Source + 'static) -> Self {
        Self::Stream(Box::new(source))
    }

    /// The next piece.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        match self {
            Self::Empty | Self::Upgraded(_) => Poll::Ready(None),
            Self::Full(content) => {
                let content = std::mem::take(content);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::Data(content))))
            }
            Self::Stream(source) => source.poll_frame(cx),
        }
    }

    /// Whether nothing more will come; `false` where that is not known yet.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Empty | Self::Upgraded(_) => true,
            Self::Full(content) => content.is_empty(),
            Self::Stream(source) => source.is_end(),
        }
    }

    /// How its reader is told that it broke off with `failure`.
    pub fn last_words(&self, failure: Failure) -> LastWords {
        match self {
            Self::Stream(source) => source.last_words(failure),
            Self::Empty | Self::Full(_) | Self::Upgraded(_) => LastWords::Cut,
        }
    }
}

#[cfg(test)]
pub mod testing;
