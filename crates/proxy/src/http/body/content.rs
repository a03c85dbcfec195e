//! A request's content, which may be sent more than once.

use std::cell::RefCell;
use std::rc::Rc;

use super::Body;
use super::replay::{Recording, Replay};

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
            Self::Kept(recording) => Replay::from_start(recording).map(Body::stream),
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::super::Frame;
    use super::super::testing::{channel, data, read};
    use super::*;

    #[test]
    fn a_body_that_was_read_in_part_is_read_again_from_its_start() {
        let (sender, body) = channel(1);
        sender.try_send(data("one ")).unwrap();
        let content = Content::new(body, 100);
        let mut first = content.body().unwrap();
        assert_eq!(read(&mut first).0, "one ");
        drop(first);
        sender.try_send(data("two")).unwrap();
        assert!(!content.is_whole());
        let mut second = content.body().unwrap();
        assert_eq!(read(&mut second).0, "one two");
    }

    #[test]
    fn a_body_that_is_all_there_is_whole_once_it_was_read() {
        let content = Content::new(Body::full("content"), 100);
        assert!(!content.is_whole() && content.is_left());
        assert_eq!(read(&mut content.body().unwrap()).0, "content");
        assert!(content.is_whole());
        assert_eq!(read(&mut content.body().unwrap()).0, "content");
    }

    #[test]
    fn a_body_above_the_limit_passes_but_is_not_kept() {
        let (sender, body) = channel(1);
        sender.try_send(data("12345")).unwrap();
        let content = Content::new(body, 8);
        let mut first = content.body().unwrap();
        assert_eq!(read(&mut first).0, "12345");
        assert!(content.is_left());
        sender.try_send(data("6789")).unwrap();
        assert_eq!(read(&mut first).0, "6789");
        assert!(!content.is_left() && content.body().is_none());
    }

    #[test]
    fn trailers_are_sent_again_too() {
        let (sender, body) = channel(2);
        sender.try_send(data("x")).unwrap();
        let trailers =
            HeaderMap::from_iter([(HeaderName::from_static("sum"), HeaderValue::from_static("1"))]);
        sender.try_send(Frame::Trailers(trailers)).unwrap();
        let content = Content::new(body, 8);
        for _ in 0..2 {
            let mut body = content.body().unwrap();
            assert!(!body.is_end());
            assert_eq!(read(&mut body).0, "x{\"sum\": \"1\"}");
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
        let (sender, body) = channel(1);
        sender.try_send(data("one ")).unwrap();
        let content = Content::new(body, 100);
        let mut only = content.body().unwrap();
        assert_eq!(read(&mut only).0, "one ");
        let recording = match &content {
            Content::Kept(recording) => recording.clone(),
            _ => panic!("it is to be kept"),
        };
        content.settle();
        sender.try_send(data("two")).unwrap();
        assert_eq!(read(&mut only).0, "two");
        assert!(recording.borrow().kept.is_none());
    }
}
