//! Request bodies that can be sent more than once.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::body::{Body, Frame, NextFrame};

/// A request's body, as tries ask for it.
pub enum Content {
    /// None, which can be sent any number of times.
    Empty,
    /// It can be sent once; absent: it was.
    Once(RefCell<Option<Body>>),
    /// What was taken of it is kept while it is not too much.
    Kept(Rc<RefCell<Recording>>),
}

impl Content {
    /// A body of which up to `limit` bytes are kept to be sent again; 0: none.
    pub fn new(body: Body, limit: usize) -> Self {
        match body {
            Body::Empty => Self::Empty,
            body if limit == 0 => Self::Once(RefCell::new(Some(body))),
            body => Self::Kept(Rc::new(RefCell::new(Recording::new(body, limit)))),
        }
    }

    /// The body from its start, for a try; `None` where its start is gone.
    pub fn body(&self) -> Option<Body> {
        match self {
            Self::Empty => Some(Body::Empty),
            Self::Once(body) => body.borrow_mut().take(),
            Self::Kept(recording) => {
                Replay::from_start(recording).map(|replay| Body::Replay(Box::new(replay)))
            }
        }
    }

    /// Whether there will be a body for another try, as far as is known yet.
    pub fn is_left(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Once(body) => body.borrow().is_some(),
            Self::Kept(recording) => recording.borrow().kept.is_some(),
        }
    }

    /// Whether two tries can be under way at once: all of the body was taken, and kept.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Once(_) => false,
            Self::Kept(recording) => {
                let recording = recording.borrow();
                recording.is_end() && recording.kept.is_some()
            }
        }
    }

    /// There will be no other try: keep nothing more.
    pub fn settle(&self) {
        if let Self::Kept(recording) = self {
            recording.borrow_mut().kept = None;
        }
    }
}

/// A body, and what was taken of it so far.
pub struct Recording {
    source: Body,
    /// Content in one piece, because frames that are kept could hold on to far larger buffers; absent: too
    /// much was taken, or no more is wanted.
    kept: Option<BytesMut>,
    trailers: Option<HeaderMap>,
    ended: bool,
    limit: usize,
}

impl Recording {
    fn new(source: Body, limit: usize) -> Self {
        Self { source, kept: Some(BytesMut::new()), trailers: None, ended: false, limit }
    }

    /// Whether all of it was taken.
    fn is_end(&self) -> bool {
        self.ended || self.source.is_end()
    }

    /// The next piece from where the body comes from.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let frame = ready!(self.source.poll_frame(cx));
        match &frame {
            Some(Ok(Frame::Data(data))) => match &mut self.kept {
                Some(kept) if kept.len() + data.len() <= self.limit => kept.extend_from_slice(data),
                _ => self.kept = None,
            },
            Some(Ok(Frame::Trailers(trailers))) => {
                self.trailers = self.kept.as_ref().map(|_| trailers.clone());
                self.ended = true;
            }
            Some(Err(_)) => self.kept = None,
            None => self.ended = true,
        }
        Poll::Ready(frame)
    }
}

/// One reading of a [`Recording`]: first what was kept, then what is still to come.
pub struct Replay {
    recording: Rc<RefCell<Recording>>,
    /// Content and trailers that are to be read again.
    again: Bytes,
    trailers: Option<HeaderMap>,
}

impl Replay {
    fn from_start(recording: &Rc<RefCell<Recording>>) -> Option<Self> {
        let recorded = recording.borrow();
        let again = Bytes::copy_from_slice(recorded.kept.as_ref()?);
        let trailers = recorded.trailers.clone();
        drop(recorded);
        Some(Self { recording: recording.clone(), again, trailers })
    }

    /// The next piece.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if !self.again.is_empty() {
            return Poll::Ready(Some(Ok(Frame::Data(std::mem::take(&mut self.again)))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::Trailers(trailers))));
        }
        let mut recording = self.recording.borrow_mut();
        if recording.ended {
            return Poll::Ready(None);
        }
        recording.poll_source(cx)
    }

    /// Whether nothing more will come; `false` where that is not known yet.
    pub fn is_end(&self) -> bool {
        self.again.is_empty() && self.trailers.is_none() && self.recording.borrow().is_end()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Everything that can be read of a body now, pieces joined.
    fn read(body: &mut Body) -> Vec<u8> {
        let mut content = Vec::new();
        while let Poll::Ready(Some(frame)) =
            body.poll_frame(&mut Context::from_waker(Waker::noop()))
        {
            match frame {
                Ok(Frame::Data(data)) => content.extend_from_slice(&data),
                Ok(Frame::Trailers(trailers)) => assert_eq!(trailers.len(), 1),
                Err(failure) => panic!("{failure:?}"),
            }
        }
        content
    }

    /// A body that comes in two pieces; the second with the sender that is dropped.
    fn in_pieces(first: &'static [u8]) -> (Body, tokio::sync::mpsc::Sender<Frame>) {
        let (sender, body) = Body::channel(4);
        sender.try_send(Frame::Data(Bytes::from_static(first))).unwrap();
        (body, sender)
    }

    #[test]
    fn a_body_that_was_read_in_part_is_read_again_from_its_start() {
        let (body, sender) = in_pieces(b"one ");
        let content = Content::new(body, 100);
        let mut first = content.body().unwrap();
        assert_eq!(read(&mut first), b"one ");
        drop(first);
        sender.try_send(Frame::Data(Bytes::from_static(b"two"))).unwrap();
        assert!(!content.is_whole());
        let mut second = content.body().unwrap();
        assert_eq!(read(&mut second), b"one two");
    }

    #[test]
    fn a_body_that_is_all_there_is_whole_once_it_was_read() {
        let content = Content::new(Body::full("content"), 100);
        assert!(!content.is_whole() && content.is_left());
        assert_eq!(read(&mut content.body().unwrap()), b"content");
        assert!(content.is_whole());
        assert_eq!(read(&mut content.body().unwrap()), b"content");
    }

    #[test]
    fn a_body_above_the_limit_passes_but_is_not_kept() {
        let (body, sender) = in_pieces(b"12345");
        let content = Content::new(body, 8);
        let mut first = content.body().unwrap();
        assert_eq!(read(&mut first), b"12345");
        assert!(content.is_left());
        sender.try_send(Frame::Data(Bytes::from_static(b"6789"))).unwrap();
        assert_eq!(read(&mut first), b"6789");
        assert!(!content.is_left() && content.body().is_none());
    }

    #[test]
    fn trailers_are_sent_again_too() {
        let (body, sender) = in_pieces(b"x");
        let trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("sum"),
            http::HeaderValue::from_static("1"),
        )]);
        sender.try_send(Frame::Trailers(trailers)).unwrap();
        let content = Content::new(body, 8);
        for _ in 0..2 {
            let mut body = content.body().unwrap();
            assert!(!body.is_end());
            assert_eq!(read(&mut body), b"x");
            assert!(body.is_end());
        }
    }

    #[test]
    fn a_body_that_is_not_kept_is_sent_once() {
        let content = Content::new(Body::full("content"), 0);
        assert!(content.is_left());
        assert!(content.body().is_some());
        assert!(!content.is_left() && content.body().is_none());
    }

    #[test]
    fn what_goes_on_after_the_last_try_is_not_kept() {
        let (body, sender) = in_pieces(b"one ");
        let content = Content::new(body, 100);
        let mut only = content.body().unwrap();
        assert_eq!(read(&mut only), b"one ");
        let recording = match &content {
            Content::Kept(recording) => recording.clone(),
            _ => panic!("it is to be kept"),
        };
        content.settle();
        sender.try_send(Frame::Data(Bytes::from_static(b"two"))).unwrap();
        assert_eq!(read(&mut only), b"two");
        assert!(recording.borrow().kept.is_none());
    }
}
