//! A body that is read to its end, where that is not far.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use tidegate_core::failure::Failure;

use super::{Body, Frame};

impl Body {
    /// All of its content. One of more than `most` bytes is left where it is, and there is nothing: what sends it is
    /// cut off.
    ///
    /// # Errors
    /// Why it broke off.
    pub async fn whole(mut self, most: usize) -> Result<Option<Bytes>, Failure> {
        let mut all = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| self.poll_frame(cx)).await {
            let Frame::Data(data) = frame? else { continue };
            if all.len() + data.len() > most {
                return Ok(None);
            }
            all.extend_from_slice(&data);
        }
        Ok(Some(all.freeze()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{channel, data};
    use super::*;

    async fn whole(pieces: &[&'static str], most: usize) -> Option<Bytes> {
        let (sender, body) = channel(8);
        pieces.iter().for_each(|piece| sender.try_send(data(piece)).unwrap());
        drop(sender);
        body.whole(most).await.unwrap()
    }

    #[tokio::test]
    async fn a_body_is_whole_however_it_comes() {
        for pieces in [&["one two"][..], &["one", " ", "two"], &["", "one ", "", "two"]] {
            assert_eq!(whole(pieces, 7).await.unwrap(), "one two");
        }
        assert_eq!(whole(&[], 0).await.unwrap(), "");
        assert_eq!(Body::Empty.whole(0).await, Ok(Some(Bytes::new())));
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_not_read_on() {
        assert_eq!(whole(&["one", "two"], 5).await, None);
        let (sender, body) = channel(1);
        sender.try_send(data("one")).unwrap();
        assert_eq!(body.whole(2).await, Ok(None), "its end was not awaited");
    }
}
