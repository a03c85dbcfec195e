//! What must hold for any bytes that the outside sends.
//!
//! Each function takes bytes and panics where a property is broken. The fuzzer in `fuzz/` looks for such
//! bytes; `tests/corpus.rs` calls the same functions with those that were found so far.

mod access_log;
mod cache_fields;
mod cache_file;
mod chunked;
mod credentials;
mod forwarded;
mod frames;
mod grpc_web;
mod head;
mod htpasswd;
mod path;
mod qpack;
mod token;

pub use access_log::access_log;
pub use cache_fields::cache_fields;
pub use cache_file::cache_file;
pub use chunked::chunked;
pub use credentials::credentials;
pub use forwarded::forwarded;
pub use frames::frames;
pub use grpc_web::grpc_web;
pub use head::{request_head, response_head};
pub use htpasswd::htpasswd;
pub use path::path;
pub use qpack::qpack;
pub use token::token;

/// Ways to cut a message into the pieces in which a network might bring it: whole, byte by byte, and at
/// places that depend on the message alone, so that what was found once is found again.
fn cuttings(wire: &[u8]) -> [Vec<&[u8]>; 3] {
    let mut random = wire.iter().fold(1_u64, |seed, byte| next(seed ^ u64::from(*byte)));
    let mut uneven = Vec::new();
    let mut left = wire;
    while !left.is_empty() {
        random = next(random);
        let (piece, rest) = left.split_at(left.len().min(1 + (random >> 59) as usize));
        uneven.push(piece);
        left = rest;
    }
    [vec![wire], wire.chunks(1).collect(), uneven]
}

/// A linear congruential generator (Knuth, MMIX); its high bits are the good ones.
fn next(random: u64) -> u64 {
    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}
