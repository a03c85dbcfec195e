//! Tables of zeros.

use zerocopy::{FromZeros, KnownLayout};

/// So many elements, all of them zeros. What is never written to takes no memory: most upstreams use a small part of their
/// tables.
pub(super) fn zeroed<T: FromZeros + Default>(count: usize) -> Box<[T]>
where
    [T]: FromZeros + KnownLayout<PointerMetadata = usize>,
{
    let table = <[T]>::new_box_zeroed_with_elems(count);
    // Where the system has no memory, this ends as any other allocation does.
    table.unwrap_or_else(|_| (0..count).map(|_| T::default()).collect())
}
