//! The body of a stored response, wherever it is.

use std::ops::Range;
use std::sync::Arc;

use super::disk::body::StoredBody;
use super::fill::Fill;
use super::partial::{Joined, Partial};
use super::pieces::Pieces;
use super::sliced::Sliced;
use crate::http::body::Body;

/// The body of a stored response.
#[derive(Debug, Clone)]
pub enum Content {
    /// It is all there.
    Whole(Pieces),
    /// It comes.
    Coming(Arc<Fill>),
    /// Parts of it are there, or come.
    Partial(Partial),
    /// All of it lies on disk.
    OnDisk(Arc<StoredBody>),
    /// It lies in other entries.
    Sliced(Sliced),
}

impl From<Joined> for Content {
    fn from(joined: Joined) -> Self {
        match joined {
            Joined::Whole(pieces) => Self::Whole(pieces),
            Joined::Parts(partial) => Self::Partial(partial),
        }
    }
}

impl Content {
    /// Its bytes, where all are there or their number was announced.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(pieces) => Some(pieces.length()),
            Self::Coming(fill) => fill.announced(),
            Self::Partial(partial) => Some(partial.length()),
            Self::OnDisk(body) => Some(body.length()),
            Self::Sliced(sliced) => Some(sliced.slices.length),
        }
    }

    /// Bytes of it that are here, or come in a part.
    pub fn held(&self) -> u64 {
        match self {
            Self::Sliced(_) => 0,
            Self::Coming(fill) => fill.came(),
            Self::Partial(partial) => partial.held(),
            whole => whole.length().unwrap_or(0),
        }
    }

    /// The same, after all has come that was to come.
    pub fn come(&self) -> Self {
        match self {
            Self::Coming(fill) => Self::Whole(fill.pieces()),
            Self::Partial(partial) => partial.come().into(),
            there => there.clone(),
        }
    }

    /// All of it, as a body; `None` where some of it is not here, or the beginning of what comes is gone, or what lay on
    /// disk.
    pub fn body(&self) -> Option<Body> {
        match self {
            Self::Whole(pieces) => Some(pieces.part(0..pieces.length())),
            Self::Coming(fill) => fill.reader().map(Body::stream),
            Self::Partial(partial) => partial.part(&(0..partial.length())),
            Self::OnDisk(body) => body.is_there().then(|| body.part(0..body.length())),
            Self::Sliced(_) => None,
        }
    }

    /// These bytes of it, which the whole must have, as a body; `None` where some are not here, or the first of what
    /// comes is gone, or what lay on disk.
    pub fn part(&self, range: Range<u64>) -> Option<Body> {
        match self {
            Self::Whole(pieces) => Some(pieces.part(range)),
            Self::Coming(fill) => fill.part(range).map(Body::stream),
            Self::Partial(partial) => partial.part(&range),
            Self::OnDisk(body) => body.is_there().then(|| body.part(range)),
            Self::Sliced(_) => None,
        }
    }

    /// Whether it can still be read from disk, where it lies there.
    pub fn is_there(&self) -> bool {
        match self {
            Self::Whole(_) | Self::Coming(_) | Self::Partial(_) | Self::Sliced(_) => true,
            Self::OnDisk(body) => body.is_there(),
        }
    }

    /// Where it is, as people read it.
    pub fn tier(&self) -> &'static str {
        match self {
            Self::Whole(_) | Self::Coming(_) | Self::Partial(_) | Self::Sliced(_) => "memory",
            Self::OnDisk(_) => "disk",
        }
    }
}
