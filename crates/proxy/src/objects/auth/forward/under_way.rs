//! Questions under way: of those that are alike, one is asked.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::watch;

/// Questions that are asked just now, by what they have in common. There are no more than requests under way.
#[derive(Debug, Default)]
pub struct UnderWay(Mutex<HashMap<Vec<u8>, watch::Receiver<()>>>);

/// A place among questions that are alike.
pub enum Turn<'a> {
    /// It is asked, as long as this is held.
    First(Asking<'a>),
    /// Another one is asked.
    Behind(Waiting),
}

/// A question that is asked. When this is dropped, by an answer or because its client left, those behind it go on.
pub struct Asking<'a> {
    under_way: &'a UnderWay,
    key: Vec<u8>,
    _first: watch::Sender<()>,
}

/// Waits for the question that is asked.
pub struct Waiting(watch::Receiver<()>);

impl UnderWay {
    /// Ask what has this key, or wait for another one that does.
    pub fn join(&self, key: &[u8]) -> Turn<'_> {
        let mut asked = self.0.lock();
        if let Some(first) = asked.get(key) {
            return Turn::Behind(Waiting(first.clone()));
        }
        let (_first, behind) = watch::channel(());
        asked.insert(key.to_vec(), behind);
        Turn::First(Asking { under_way: self, key: key.to_vec(), _first })
    }
}

impl Waiting {
    /// Wait until it is over.
    pub async fn over(mut self) {
        // Nothing is ever sent: the channel closes.
        while self.0.changed().await.is_ok() {}
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.under_way.0.lock().remove(&self.key);
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_behind_go_on_when_the_first_is_over() {
        let under_way = UnderWay::default();
        let Turn::First(first) = under_way.join(b"a") else { panic!("none is asked yet") };
        let Turn::Behind(behind) = under_way.join(b"a") else { panic!("one is asked") };
        assert!(matches!(under_way.join(b"b"), Turn::First(_)), "another question");
        drop(first);
        behind.over().await;
        assert!(under_way.0.lock().is_empty());
        assert!(matches!(under_way.join(b"a"), Turn::First(_)));
    }
}
