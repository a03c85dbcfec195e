//! Numbers and texts as bytes, the way the files of a cache have them: little-endian, a length before each text.

/// Writes bytes.
#[derive(Debug, Default)]
pub struct Written(pub Vec<u8>);

impl Written {
    /// A number.
    pub fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Numbers.
    pub fn numbers(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|&number| self.number(number));
    }

    /// A hash.
    pub fn hash(&mut self, hash: u128) {
        self.0.extend_from_slice(&hash.to_le_bytes());
    }

    /// A text.
    pub fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text);
    }
}

/// Reads bytes; `None` once there are not enough.
#[derive(Debug)]
pub struct Reading<'a>(pub &'a [u8]);

impl<'a> Reading<'a> {
    /// So many bytes.
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// A number.
    pub fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A hash.
    pub fn hash(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    /// A text.
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }
}
