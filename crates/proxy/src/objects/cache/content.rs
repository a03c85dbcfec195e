//! The body of a stored response, wherever it is.

use std::ops::Range;
use std::sync::Arc;

use super::disk::body::StoredBody;
use super::fill::Fill;
use super::pieces::Pieces;
use crate::http::body::Body;

/// The body of a stored response.
#[derive(Debug, Clone)]
pub enum Content {
    /// It is all there.
    Whole(Pieces),
    /// It comes.
    Coming(Arc<Fill>),
    /// All of it lies on disk.
    OnDisk(Arc<StoredBody>),
}

impl Content {
    /// Its bytes, where all are there or their number was announced.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(pieces) => Some(pieces.length()),
            Self::Coming(fill) => fill.announced(),
            Self::OnDisk(body) => Some(body.length()),
        }
    }

    /// All of it, as a body; `None` where the beginning of what comes is gone, or what lay on disk.
    pub fn body(&self) -> Option<Body> {
        match self {
            Self::Whole(pieces) => Some(pieces.part(0..pieces.length())),
            Self::Coming(fill) => fill.reader().map(Body::stream),
            Self::OnDisk(body) => body.is_there().then(|| body.part(0..body.length())),
        }
    }

    /// These bytes of it, which there must be, as a body; `None` where the first of what comes is gone, or what lay on
    /// disk.
    pub fn part(&self, range: Range<u64>) -> Option<Body> {
        match self {
            Self::Whole(pieces) => Some(pieces.part(range)),
            Self::Coming(fill) => fill.part(range).map(Body::stream),
            Self::OnDisk(body) => body.is_there().then(|| body.part(range)),
        }
    }

    /// Whether it can still be read from disk, where it lies there.
    pub fn is_there(&self) -> bool {
        match self {
            Self::Whole(_) | Self::Coming(_) => true,
            Self::OnDisk(body) => body.is_there(),
        }
    }

    /// Where it is, as people read it.
    pub fn tier(&self) -> &'static str {
        match self {
            Self::Whole(_) | Self::Coming(_) => "memory",
            Self::OnDisk(_) => "disk",
        }
    }
}
