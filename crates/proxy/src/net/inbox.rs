//! Datagrams that came to the socket of one worker and are another's.

use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::task::{Context, Waker};

use parking_lot::Mutex;
use quinn::udp::RecvMeta;

/// Datagrams that may wait for a worker.
const ROOM: usize = 1_024;
/// Bytes of the longest; peers are told of less (`max_udp_payload_size`, RFC 9000 §18.2).
const LONGEST: usize = 1_500;

/// A datagram, and how it came.
#[derive(Debug)]
pub struct Datagram {
    /// Its bytes.
    pub content: Box<[u8]>,
    /// Its client, and what the system said of it.
    pub meta: RecvMeta,
}

/// Where a worker finds those that others have for it.
#[derive(Debug, Default)]
pub struct Inbox(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    datagrams: VecDeque<Datagram>,
    reader: Option<Waker>,
}

impl Inbox {
    /// Leave one for the worker; `false`: there is no room, or it is too long, and it is lost.
    pub fn put(&self, datagram: Datagram) -> bool {
        let mut waiting = self.0.lock();
        if waiting.datagrams.len() >= ROOM || datagram.content.len() > LONGEST {
            return false;
        }
        waiting.datagrams.push_back(datagram);
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }

    /// Take as many as there are buffers for, of what was received as [`Datagram::meta`] says: how many. Where there is none
    /// the task is woken when one comes.
    pub fn take(
        &self,
        cx: &Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        received: &mut [RecvMeta],
    ) -> usize {
        let mut waiting = self.0.lock();
        let mut taken = 0;
        for (buffer, meta) in buffers.iter_mut().zip(received) {
            let Some(datagram) = waiting.datagrams.pop_front() else { break };
            let length = datagram.content.len();
            // A buffer takes the longest that can come.
            let Some(place) = buffer.get_mut(..length) else { continue };
            place.copy_from_slice(&datagram.content);
            *meta = RecvMeta { len: length, stride: length, ..datagram.meta };
            taken += 1;
        }
        if taken == 0 && !waiting.reader.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            waiting.reader = Some(cx.waker().clone());
        }
        taken
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    fn datagram(content: &str) -> Datagram {
        Datagram { content: content.as_bytes().into(), meta: RecvMeta::default() }
    }

    /// What is taken into so many buffers.
    fn taken(inbox: &Inbox, waker: &Waker, buffers: usize) -> Vec<String> {
        let mut bytes = vec![[0; 16]; buffers];
        let mut slices: Vec<_> = bytes.iter_mut().map(|each| IoSliceMut::new(each)).collect();
        let mut received = vec![RecvMeta::default(); buffers];
        let count = inbox.take(&Context::from_waker(waker), &mut slices, &mut received);
        let read = |(bytes, meta): (&[u8; 16], &RecvMeta)| {
            assert_eq!(meta.stride, meta.len);
            String::from_utf8(bytes[..meta.len].to_vec()).unwrap()
        };
        bytes.iter().zip(&received).take(count).map(read).collect()
    }

    #[test]
    fn datagrams_are_taken_in_the_order_in_which_they_came() {
        let inbox = Inbox::default();
        for content in ["a", "bc", "d"] {
            assert!(inbox.put(datagram(content)));
        }
        assert_eq!(taken(&inbox, Waker::noop(), 2), ["a", "bc"]);
        assert_eq!(taken(&inbox, Waker::noop(), 2), ["d"]);
        assert_eq!(taken(&inbox, Waker::noop(), 2), [""; 0]);
    }

    #[test]
    fn who_found_none_is_woken_by_the_next() {
        #[derive(Default)]
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        let (inbox, woken) = (Inbox::default(), Arc::<Count>::default());
        assert!(taken(&inbox, &woken.clone().into(), 1).is_empty());
        inbox.put(datagram("a"));
        inbox.put(datagram("b"));
        assert_eq!(woken.0.load(Relaxed), 1);
    }

    #[test]
    fn what_there_is_no_room_for_is_lost() {
        let inbox = Inbox::default();
        assert!(!inbox.put(datagram(&"a".repeat(LONGEST + 1))));
        assert_eq!((0..=ROOM).filter(|_| inbox.put(datagram("a"))).count(), ROOM);
    }
}
