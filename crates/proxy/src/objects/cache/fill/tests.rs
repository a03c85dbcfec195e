//! What readers get of a body that comes.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Wake;

use super::*;
use crate::http::body::Body;
use crate::http::body::testing::read;

/// Notes that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

fn room(fill: &Fill) -> bool {
    fill.poll_room(&Context::from_waker(Waker::noop())).is_ready()
}

fn alone(fill: &Fill) -> bool {
    fill.poll_alone(&Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn all_readers_read_all_of_it_wherever_they_begin() {
    let fill = Fill::new(None);
    let mut early = Body::stream(fill.reader().unwrap());
    fill.push("one ".into());
    assert_eq!(read(&mut early), ("one ".into(), None));
    let mut late = Body::stream(fill.reader().unwrap());
    fill.push("two".into());
    fill.end(Ok(None));
    assert_eq!(read(&mut early), ("two".into(), Some(Ok(()))));
    assert_eq!(read(&mut late), ("one two".into(), Some(Ok(()))));
    assert_eq!(fill.pieces().length(), 7);
}

#[test]
fn a_reader_never_takes_a_break_for_the_end() {
    let fill = Fill::new(Some(10));
    let mut body = Body::stream(fill.reader().unwrap());
    fill.push("one".into());
    fill.end(Err(Failure::UpstreamReset));
    fill.end(Ok(None));
    assert!(!body.is_end());
    assert_eq!(read(&mut body), ("one".into(), Some(Err(Failure::UpstreamReset))));
}

#[test]
fn what_is_not_kept_comes_no_faster_than_the_slowest_reader_reads() {
    let fill = Fill::new(None);
    let (mut quick, mut slow) =
        (Body::stream(fill.reader().unwrap()), Body::stream(fill.reader().unwrap()));
    fill.pass();
    let piece = Bytes::from(vec![b'x'; 600 << 10]);
    fill.push(piece.clone());
    assert!(room(&fill));
    fill.push(piece);
    read(&mut quick);
    assert!(!room(&fill));
    read(&mut slow);
    assert!(room(&fill));
    assert!(fill.reader().is_none(), "its beginning is gone");
}

#[test]
fn a_reader_that_holds_the_others_up_is_broken_off() {
    let fill = Fill::new(None);
    let (mut quick, mut slow) =
        (Body::stream(fill.reader().unwrap()), Body::stream(fill.reader().unwrap()));
    fill.pass();
    fill.push(Bytes::from(vec![b'x'; 2 << 20]));
    read(&mut quick);
    assert!(!room(&fill));
    fill.cut_slowest();
    assert!(room(&fill));
    assert_eq!(read(&mut slow).1, Some(Err(Failure::ClientGone)));
    fill.push("end".into());
    fill.end(Ok(None));
    assert_eq!(read(&mut quick), ("end".into(), Some(Ok(()))));
}

#[test]
fn it_is_alone_when_all_readers_have_left_or_read_it() {
    let fill = Fill::new(None);
    assert!(alone(&fill));
    let (one, mut other) = (fill.reader().unwrap(), Body::stream(fill.reader().unwrap()));
    drop(one);
    assert!(!alone(&fill));
    fill.end(Ok(None));
    read(&mut other);
    assert!(alone(&fill));
    // Its place is another's by now.
    let _third = fill.reader().unwrap();
    drop(other);
    assert!(!alone(&fill));
}

#[test]
fn a_reader_that_holds_nothing_up_may_take_its_time() {
    let fill = Fill::new(None);
    let mut readers = [0; 2].map(|_| Body::stream(fill.reader().unwrap()));
    fill.pass();
    fill.push(Bytes::from(vec![b'x'; 2 << 20]));
    assert!(!room(&fill));
    fill.cut_slowest();
    fill.end(Ok(None));
    assert!(readers.iter_mut().all(|reader| read(reader).1 == Some(Ok(()))));
}

#[test]
fn the_writer_is_woken_when_the_last_reader_leaves_whatever_that_has_read() {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let cx = Context::from_waker(&waker);
    let fill = Fill::new(None);
    let mut reader = Body::stream(fill.reader().unwrap());
    fill.pass();
    fill.push("x".into());
    assert!(fill.poll_alone(&cx).is_pending());
    read(&mut reader);
    assert!(woken.0.swap(false, Relaxed), "there is room for more");
    assert!(fill.poll_alone(&cx).is_pending());
    drop(reader);
    assert!(woken.0.swap(false, Relaxed));
    assert!(fill.poll_alone(&cx).is_ready());
}

#[test]
fn a_part_is_read_as_soon_as_it_is_there_and_its_reader_leaves() {
    let fill = Fill::new(Some(12));
    let mut parts =
        [0..2, 3..4, 2..9, 6..12, 11..12].map(|range| Body::stream(fill.part(range).unwrap()));
    fill.push("0123".into());
    let came = parts.each_mut().map(|part| read(part).0);
    assert_eq!(came, ["01", "3", "23", "", ""]);
    assert!(parts[0].is_end() && parts[1].is_end() && !parts[2].is_end());
    fill.push("4567".into());
    fill.push("8901".into());
    let late = Body::stream(fill.part(7..10).unwrap());
    for (mut part, rest) in
        parts.into_iter().skip(2).chain([late]).zip(["45678", "678901", "1", "789"])
    {
        assert_eq!(read(&mut part), (rest.into(), Some(Ok(()))));
    }
    assert!(alone(&fill), "all have left before it ended");
}

#[test]
fn a_part_that_comes_late_holds_nothing_up_and_wakes_nothing_before() {
    let (fill, woken) = (Fill::new(Some(3 << 20)), Arc::new(Woken::default()));
    fill.pass();
    let mut tail = fill.part((2 << 20) + 1..3 << 20).unwrap();
    let waker = Waker::from(woken.clone());
    assert!(tail.poll_frame(&mut Context::from_waker(&waker)).is_pending());
    for _ in 0..2 {
        fill.push(Bytes::from(vec![b'x'; 1 << 20]));
        assert!(room(&fill) && !woken.0.load(Relaxed));
    }
    assert!(fill.part(0..1).is_none(), "the beginning is gone");
    assert!(fill.part(2 << 20..3 << 20).is_some());
    fill.push(Bytes::from(vec![b'y'; 1 << 20]));
    assert!(woken.0.load(Relaxed));
    assert_eq!(read(&mut Body::stream(tail)).0.len(), (1 << 20) - 1);
}

#[test]
fn a_part_that_does_not_come_has_failed() {
    let (fill, other) = (Fill::new(Some(10)), Fill::new(Some(10)));
    let mut parts = [&fill, &other].map(|fill| Body::stream(fill.part(5..10).unwrap()));
    fill.push("0123456".into());
    fill.end(Ok(None));
    assert_eq!(read(&mut parts[0]), ("56".into(), Some(Err(Failure::UpstreamProtocol))));
    other.end(Err(Failure::UpstreamReset));
    assert_eq!(read(&mut parts[1]), (String::new(), Some(Err(Failure::UpstreamReset))));
}

#[test]
fn what_broke_off_gets_no_new_readers() {
    let fill = Fill::new(Some(10));
    let reader = fill.reader();
    assert!(!fill.give_up(), "it is read");
    drop(reader);
    assert!(fill.give_up());
    assert!(fill.reader().is_none());
}

#[test]
fn many_small_pieces_are_no_longer_a_window_than_a_large_one() {
    let fill = Fill::new(None);
    let reader = fill.reader();
    fill.pass();
    let pushed = (0..WINDOW).take_while(|_| room(&fill)).map(|_| fill.push("x".into())).count();
    assert!((pushed as u64) < WINDOW / PIECE, "{pushed}");
    drop(reader);
}
