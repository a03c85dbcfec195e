//! A disk as its cache sees it: what comes back, after a restart and after faults too.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use ::bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use tidegate_core::cache::Terms;
use tidegate_core::cache::freshness::Source;
use tidegate_core::cache::key::{Key, Text};
use tidegate_core::cache::tags::{self, Tags};
use tidegate_core::plan::CacheDiskSize;
use xxhash_rust::xxh3::xxh3_128;

use super::clock::nanos;
use super::testing::{Faults, Faulty, Folder};
use super::volume::WAITING;
use super::*;
use crate::http::body::{Body, Frame};
use crate::net::clock;
use crate::objects::cache::content::Content;
use crate::objects::cache::entry::Parts;
use crate::objects::cache::pieces::Pieces;
use crate::objects::cache::room::Room;

/// A disk with what a test needs beside it.
struct Stage {
    folder: Folder,
    purges: Arc<Purges>,
    room: Arc<Room>,
    disk: Arc<Disk>,
}

fn plan(folder: &Folder) -> CacheDisk {
    let path = folder.path().to_str().unwrap().to_owned();
    CacheDisk { path, size: CacheDiskSize::new(16 << 20).unwrap(), admit: CacheAdmission::Always }
}

fn opened(folder: Folder) -> Stage {
    let purges = Arc::<Purges>::default();
    let disk = Disk::open(&plan(&folder), &purges).unwrap();
    disk.follow(&plan(&folder));
    Stage { folder, purges, room: Room::new(64 << 20), disk }
}

fn faulty(faults: &Arc<Faults>) -> Stage {
    let (folder, purges) = (Folder::new(), Arc::<Purges>::default());
    let (lock, store) = (open::lock(folder.path()).unwrap(), Faulty::new(folder.path(), faults));
    let disk = Disk::with(Box::new(store), folder.path(), lock, &plan(&folder), &purges).unwrap();
    disk.follow(&plan(&folder));
    Stage { folder, purges, room: Room::new(64 << 20), disk }
}

impl Stage {
    fn new() -> Self {
        opened(Folder::new())
    }

    /// The process ends, and another one begins.
    fn restart(self) -> Self {
        self.disk.close(std::iter::empty(), Duration::from_secs(5));
        opened(self.folder)
    }

    /// The process is killed, and another one begins.
    fn kill(self) -> Self {
        let Self { folder, disk, .. } = self;
        disk.lock.unlock().unwrap();
        disk.volume.is_served.store(false, Relaxed);
        opened(folder)
    }

    /// All that was handed to the threads is done.
    fn settle(&self) {
        while self.room.taken() > 0 || !self.disk.volume.index.lock().is_settled() {
            std::thread::yield_now();
        }
        // What is removed just now is then.
        drop(self.disk.volume.publishing.lock());
    }

    fn put(&self, entry: &Arc<Entry>) {
        self.disk.take(entry, &self.room);
        self.settle();
    }

    /// What is found of a path.
    fn get(&self, path: &str) -> Option<Arc<Entry>> {
        self.disk.load_now(key(path).hash).into_iter().next()
    }

    fn body(&self, path: &str) -> Option<Vec<u8>> {
        read(self.get(path)?.content.body()?)
    }

    /// The only file.
    fn file(&self) -> PathBuf {
        let parts = (0..=255u8).map(|part| self.folder.path().join(format!("{part:02x}")));
        let mut files = parts.filter_map(|part| fs::read_dir(part).ok()).flatten();
        files.next().unwrap().unwrap().path()
    }
}

/// All of a body; `None` where it breaks off.
fn read(mut body: Body) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    loop {
        match body.poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(Frame::Data(data)))) => read.extend_from_slice(&data),
            Poll::Ready(Some(Ok(Frame::Trailers(_)))) => {}
            Poll::Ready(Some(Err(_))) => return None,
            Poll::Ready(None) => return Some(read),
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

fn key(path: &str) -> Key {
    let text = Text::from_slice(path.as_bytes());
    Key { url: xxh3_128(&text), hash: xxh3_128(&text), text }
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn entry(stage: &Stage, path: &str, length: usize) -> Arc<Entry> {
    let mut headers = HeaderMap::new();
    headers.insert("etag", HeaderValue::from_static("\"1\""));
    headers.append("x-own", HeaderValue::from_static("a"));
    headers.append("x-own", HeaderValue::from_bytes(b"\xe9").unwrap());
    let none = Duration::ZERO;
    let terms = Terms {
        arrived: clock::now(),
        initial_age: Duration::from_secs(3).into(),
        lifetime: Duration::from_secs(3600).into(),
        by: Source::SMaxage,
        validate_always: false,
        never_stale: true,
        while_revalidate: none.into(),
        if_error: Duration::from_secs(60).into(),
        if_disconnected: none.into(),
        immutable: false,
    };
    Arc::new(Entry::new(Parts {
        key: Arc::new(key(path).stored()),
        status: StatusCode::NOT_FOUND,
        fields: headers.iter().collect(),
        content: Content::Whole(Pieces::new(vec![Bytes::from(text(length))])),
        terms,
        vary: Default::default(),
        tags: Tags::of_hashes(vec![tags::hash("p42")]),
        arrived: nanos(SystemTime::now()),
        asked_at: stage.purges.last(),
    }))
}

/// Lengths around those of blocks.
const LENGTHS: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 300_000];

#[test]
fn what_was_taken_in_comes_back_after_a_restart_as_it_was() {
    let stage = Stage::new();
    for length in LENGTHS {
        stage.put(&entry(&stage, &format!("/{length}"), length));
    }
    let stage = stage.restart();
    for length in LENGTHS {
        let path = format!("/{length}");
        let (found, was) = (stage.get(&path).unwrap(), entry(&stage, &path, length));
        assert_eq!(
            (&found.key, found.status, found.fields.map()),
            (&was.key, was.status, was.fields.map())
        );
        assert_eq!((&found.tags, &found.vary), (&was.tags, &was.vary));
        let terms = Terms {
            arrived: found.terms.arrived,
            initial_age: found.terms.initial_age,
            ..was.terms.clone()
        };
        assert_eq!(found.terms, terms);
        assert!(found.terms.age(clock::now()) >= was.terms.initial_age.duration());
        assert_eq!(stage.body(&path), Some(text(length)));
    }
    assert!(stage.get("/other").is_none());
    assert_eq!(stage.disk.stored().1, LENGTHS.len() as u64);
}

#[test]
fn what_is_being_written_when_the_process_ends_is_written_to_its_end() {
    let stage = Stage::new();
    for number in 0..20 {
        stage.disk.take(&entry(&stage, &format!("/{number}"), 300_000), &stage.room);
    }
    let stage = stage.restart();
    assert_eq!(stage.disk.stored().1, 20);
}

#[test]
fn any_part_of_a_body_on_disk_is_read() {
    let stage = Stage::new();
    stage.put(&entry(&stage, "/", 300_000));
    let found = stage.get("/").unwrap();
    let Content::OnDisk(body) = &found.content else { panic!("it is long") };
    for (from, to) in [(0, 1), (65_535, 65_537), (299_999, 300_000), (5, 5), (70_000, 250_000)] {
        let part = read(body.part(from..to)).unwrap();
        assert_eq!(part, &text(300_000)[from as usize..to as usize]);
    }
}

#[test]
fn a_file_that_the_index_does_not_know_is_found_after_a_kill() {
    let stage = Stage::new();
    stage.put(&entry(&stage, "/", 100_000));
    fs::remove_file(stage.folder.path().join("index.v1")).ok();
    let stage = stage.kill();
    while stage.disk.stored().1 == 0 {
        std::thread::yield_now();
    }
    assert_eq!(stage.body("/"), Some(text(100_000)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_byte_that_changed_is_a_miss_or_breaks_off_and_the_file_goes(
        length in prop::sample::select(&LENGTHS[..]),
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
    ) {
        let stage = Stage::new();
        stage.put(&entry(&stage, "/", length));
        let file = stage.file();
        let mut changed = fs::read(&file).unwrap();
        let at = at.index(changed.len());
        changed[at] ^= flip;
        fs::write(&file, changed).unwrap();
        prop_assert_eq!(stage.body("/"), None);
        stage.settle();
        prop_assert!(!file.exists());
        prop_assert_eq!((stage.disk.volume.counts.broken.load(Relaxed), stage.disk.stored()), (1, (0, 0)));
    }
}

#[test]
fn what_was_purged_stays_so_after_a_kill() {
    for (force, is_found) in [(Force::Hard, false), (Force::Soft, true)] {
        let stage = Stage::new();
        stage.put(&entry(&stage, "/", 10));
        stage.settle();
        let target = Target::Tag(tags::hash("p42"));
        let number = stage.purges.add(target.clone(), force);
        stage.disk.remember(&[Purge { number, target, force }], true).unwrap();
        stage.disk.write_index();
        let stage = stage.kill();
        let found = stage.get("/");
        assert_eq!(found.is_some(), is_found);
        if let Some(found) = found {
            assert!(!found.terms_now().is_fresh(clock::now()));
        }
        stage.put(&entry(&stage, "/", 10));
        assert!(stage.get("/").unwrap().terms_now().is_fresh(clock::now()) != is_found);
    }
}

#[test]
fn without_its_purges_nothing_on_disk_is_believed() {
    let stage = Stage::new();
    stage.put(&entry(&stage, "/", 10));
    stage.disk.write_index();
    fs::remove_file(stage.folder.path().join("purges.v1")).unwrap();
    let stage = stage.kill();
    assert!(stage.get("/").is_none());
    assert_eq!(stage.disk.stored(), (0, 0));
}

#[test]
fn a_sweep_takes_away_what_was_purged_and_forgets_the_purge() {
    let stage = Stage::new();
    stage.put(&entry(&stage, "/", 10));
    let number = stage.purges.add(Target::All, Force::Hard);
    stage.disk.sweep(number);
    while stage.purges.noted() > 0 {
        std::thread::yield_now();
    }
    assert_eq!(stage.disk.stored().1, 0);
}

#[test]
fn what_a_purge_has_made_stale_stays_so_once_the_purge_is_forgotten() {
    for length in LENGTHS {
        let stage = Stage::new();
        stage.put(&entry(&stage, "/", length));
        let number = stage.purges.add(Target::Tag(tags::hash("p42")), Force::Soft);
        stage.disk.sweep(number);
        while stage.purges.noted() > 0 {
            std::thread::yield_now();
        }
        let stage = stage.restart();
        assert!(!stage.get("/").unwrap().terms_now().is_fresh(clock::now()));
        assert_eq!(stage.body("/"), Some(text(length)));
    }
}

#[test]
fn a_newer_response_takes_the_older_one_away_wherever_it_is_on_its_way() {
    let faults = Arc::<Faults>::default();
    let stage = faulty(&faults);
    *faults.hangs.lock() = true;
    let old = entry(&stage, "/", 10);
    stage.disk.take(&old, &stage.room);
    stage.disk.forget(&old);
    faults.go_on();
    stage.settle();
    assert!(stage.get("/").is_none());
    stage.put(&old);
    stage.disk.forget_key(old.key.hash);
    stage.settle();
    assert!(stage.get("/").is_none());
    assert_eq!(stage.room.taken(), 0);
}

#[test]
fn a_disk_that_hangs_holds_up_nothing_that_asks_it() {
    let faults = Arc::<Faults>::default();
    let stage = faulty(&faults);
    stage.put(&entry(&stage, "/stored", 10));
    *faults.hangs.lock() = true;
    // More than may wait: this returns at once each time, or the test hangs.
    let entries: Vec<_> =
        (0..1000).map(|number| entry(&stage, &format!("/{number}"), 10)).collect();
    entries.iter().for_each(|entry| stage.disk.take(entry, &stage.room));
    assert!(stage.disk.waiting() <= WAITING);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    assert!(runtime.block_on(stage.disk.load(key("/stored").hash)).is_empty());
    faults.go_on();
    stage.settle();
    assert!(stage.get("/stored").is_some());
}

#[test]
fn a_disk_that_fails_is_left_alone_and_the_rest_goes_on() {
    let faults = Arc::<Faults>::default();
    let stage = faulty(&faults);
    stage.put(&entry(&stage, "/", 10));
    *faults.writing.lock() = Some(ErrorKind::StorageFull);
    stage.put(&entry(&stage, "/more", 10));
    assert_eq!(stage.disk.volume.counts.failures.load(Relaxed), 1);
    assert!(!stage.disk.volume.serves());
    stage.put(&entry(&stage, "/even-more", 10));
    assert_eq!(stage.disk.volume.counts.failures.load(Relaxed), 1);
    *faults.writing.lock() = None;
    stage.disk.volume.rests_until.store(0, Relaxed);
    stage.put(&entry(&stage, "/more", 10));
    assert_eq!((stage.body("/"), stage.body("/more")), (Some(text(10)), Some(text(10))));
}

#[test]
fn what_is_asked_for_once_is_kept_only_where_all_is() {
    let stage = Stage::new();
    let second = CacheDisk { admit: CacheAdmission::SecondRequest, ..plan(&stage.folder) };
    stage.disk.follow(&second);
    let once = entry(&stage, "/once", 10);
    stage.put(&once);
    assert!(stage.get("/once").is_none());
    stage.put(&once);
    assert!(stage.get("/once").is_some(), "it was fetched a second time");
    let used = entry(&stage, "/used", 10);
    used.count();
    stage.put(&used);
    assert!(stage.get("/used").is_some());
}

#[test]
fn no_more_is_kept_than_there_is_room_for() {
    let stage = Stage::new();
    let small = CacheDisk { size: CacheDiskSize::new(1 << 20).unwrap(), ..plan(&stage.folder) };
    stage.disk.follow(&small);
    for number in 0..40 {
        stage.put(&entry(&stage, &format!("/{number}"), 60_000));
    }
    let (bytes, objects) = stage.disk.stored();
    assert!(bytes <= 1 << 20 && (10..40).contains(&objects), "{bytes} bytes, {objects} objects");
    assert_eq!(stage.disk.volume.counts.evictions.load(Relaxed) + objects, 40);
}

#[test]
fn a_directory_is_one_caches_alone() {
    let stage = Stage::new();
    let refused = Disk::open(&plan(&stage.folder), &Arc::default()).unwrap_err();
    assert!(refused.contains("is in use by another process or another cache"), "{refused}");
    let nowhere = CacheDisk { path: "/proc/nowhere".into(), ..plan(&stage.folder) };
    let refused = Disk::open(&nowhere, &Arc::default()).unwrap_err();
    assert!(refused.contains("/proc/nowhere cannot be written"), "{refused}");
    let folder = Folder::new();
    let large = CacheDisk { size: CacheDiskSize::new(1 << 50).unwrap(), ..plan(&folder) };
    let refused = Disk::open(&large, &Arc::default()).unwrap_err();
    assert!(refused.contains("is more than the file system"), "{refused}");
}
