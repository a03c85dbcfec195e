//! Bodies whose pieces a test decides on.

use std::task::Waker;

use tokio::sync::mpsc;

use super::*;

/// What is sent into a channel; its end is the body's.
struct Channel(mpsc::Receiver<Frame>);

impl Source for Channel {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }

    fn is_end(&self) -> bool {
        false
    }
}

/// A body of up to `pieces` that were sent and not read.
pub fn channel(pieces: usize) -> (mpsc::Sender<Frame>, Body) {
    let (sender, frames) = mpsc::channel(pieces);
    (sender, Body::stream(Channel(frames)))
}

/// What came before a break, and why it broke off.
struct Breaks {
    before: std::vec::IntoIter<Frame>,
    failure: Failure,
}

impl Source for Breaks {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> NextFrame {
        Poll::Ready(Some(self.before.next().ok_or(self.failure)))
    }

    fn is_end(&self) -> bool {
        false
    }
}

/// A body that breaks off after these pieces.
pub fn breaks(pieces: &[&'static str], failure: Failure) -> Body {
    let before: Vec<_> = pieces.iter().map(|piece| data(piece)).collect();
    Body::stream(Breaks { before: before.into_iter(), failure })
}

/// A piece of content.
pub fn data(content: &'static str) -> Frame {
    Frame::Data(Bytes::from_static(content.as_bytes()))
}

/// Everything that can be read of a body now, pieces joined, and how it goes on: not yet (`None`), with its
/// end, or with a failure.
pub fn read(body: &mut Body) -> (String, Option<Result<(), Failure>>) {
    let mut content = String::new();
    loop {
        match body.poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(Frame::Data(data)))) => {
                content.push_str(&String::from_utf8_lossy(&data));
            }
            Poll::Ready(Some(Ok(Frame::Trailers(trailers)))) => {
                content.push_str(&format!("{trailers:?}"));
            }
            Poll::Ready(Some(Err(failure))) => return (content, Some(Err(failure))),
            Poll::Ready(None) => return (content, Some(Ok(()))),
            Poll::Pending => return (content, None),
        }
    }
}
