//! What leaves a cache that is full.
//!
//! A [`Policy`] knows objects by [`Id`] and size and nothing else of them. It says which ones leave when others come; what
//! they are, and where they are stored, is the caller's. `tidegate sim cache` compares the policies; the gateway has
//! [`TinyLfu`] in memory and [`S3Fifo`] on disk.

mod fifo;
mod ghosts;
mod lru;
mod objects;
mod one_queue;
mod rule;
mod s3_fifo;
mod sieve;
mod sketch;
#[cfg(test)]
mod tests;
mod tiny_lfu;

use smallvec::SmallVec;

pub use self::fifo::Fifo;
pub use self::lru::Lru;
pub use self::s3_fifo::S3Fifo;
pub use self::sieve::Sieve;
pub use self::tiny_lfu::TinyLfu;

/// An object: the hash of its key. Its bits must be as good as random.
pub type Id = u128;

/// Objects that leave, in the order in which they do. What stores them lets go of them.
pub type Evicted = SmallVec<[Id; 4]>;

/// Which objects are kept in a room of so many bytes.
///
/// Whatever is called, on return the objects kept are not larger together than the capacity.
pub trait Policy: std::fmt::Debug {
    /// Takes in an object of `size` bytes, and tells what leaves for it: others, or itself if it is not worth its room or larger
    /// than all there is. One that is kept already is used once more, and has this size from now on.
    fn insert(&mut self, id: Id, size: u64) -> Evicted;

    /// An object is asked for. Whether it is kept.
    fn touch(&mut self, id: Id) -> bool;

    /// Lets go of an object, and tells its size if it was kept. It leaves no trace.
    fn remove(&mut self, id: Id) -> Option<u64>;

    /// Changes the room, and tells what leaves if it became smaller.
    fn set_capacity(&mut self, capacity: u64) -> Evicted;

    /// The room in bytes.
    fn capacity(&self) -> u64;

    /// The sum of the sizes of all objects that are kept.
    fn used(&self) -> u64;

    /// How many objects are kept.
    fn len(&self) -> usize;

    /// Whether none is.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
