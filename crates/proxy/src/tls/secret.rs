//! The secret of this process.

use std::sync::OnceLock;

use rustls::crypto::GetRandomFailed;
use rustls::crypto::aws_lc_rs::default_provider;

/// 256 random bits, the same as long as the process lives.
///
/// # Errors
/// The system has no randomness to give.
pub fn of_process() -> Result<&'static [u8; 32], GetRandomFailed> {
    static SECRET: OnceLock<[u8; 32]> = OnceLock::new();
    if let Some(secret) = SECRET.get() {
        return Ok(secret);
    }
    let mut fresh = [0; 32];
    default_provider().secure_random.fill(&mut fresh)?;
    Ok(SECRET.get_or_init(|| fresh))
}
