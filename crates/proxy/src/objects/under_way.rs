//! Requests under way: of those that are alike, one is sent.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// Requests that are sent just now, by what they have in common, and what the first of each tells those behind it.
/// There are no more than requests in flight.
#[derive(Debug)]
pub struct UnderWay<K, T>(Mutex<HashMap<K, watch::Receiver<Option<T>>>>);

/// A place among requests that are alike.
pub enum Turn<K: Hash + Eq, T> {
    /// It is sent, as long as this is held.
    First(First<K, T>),
    /// Another one is sent.
    Behind(Waiting<T>),
}

/// The place of a request that is sent. When this is dropped, by an answer or because its client left, those behind it
/// go on.
pub struct First<K: Hash + Eq, T> {
    under_way: Arc<UnderWay<K, T>>,
    key: K,
    behind: watch::Sender<Option<T>>,
}

/// Waits for the request that is sent.
pub struct Waiting<T>(watch::Receiver<Option<T>>);

impl<K, T> Default for UnderWay<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone, T> UnderWay<K, T> {
    /// Send what has this key, or wait for another one that does.
    pub fn join(self: &Arc<Self>, key: K) -> Turn<K, T> {
        let mut under_way = self.0.lock();
        if let Some(first) = under_way.get(&key) {
            return Turn::Behind(Waiting(first.clone()));
        }
        let (behind, first) = watch::channel(None);
        under_way.insert(key.clone(), first);
        Turn::First(First { under_way: self.clone(), key, behind })
    }
}

impl<K: Hash + Eq, T> UnderWay<K, T> {
    /// Wait for the request that is sent with this key, where one is.
    pub fn find(&self, key: &K) -> Option<Waiting<T>> {
        self.0.lock().get(key).cloned().map(Waiting)
    }

    /// How many are sent just now.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl<K: Hash + Eq, T> First<K, T> {
    /// Tell this to those behind it, and to those that come as long as it is held.
    pub fn tell(&self, word: T) {
        self.behind.send_replace(Some(word));
    }
}

impl<T: Clone> Waiting<T> {
    /// What the first one tells; `None` where it is over and told nothing.
    pub async fn word(mut self) -> Option<T> {
        self.0.wait_for(Option::is_some).await.ok().and_then(|word| word.clone())
    }
}

impl<K: Hash + Eq, T> Drop for First<K, T> {
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
        let under_way = Arc::new(UnderWay::<_, ()>::default());
        let Turn::First(first) = under_way.join("a") else { panic!("none is sent yet") };
        let Turn::Behind(behind) = under_way.join("a") else { panic!("one is sent") };
        assert!(matches!(under_way.join("b"), Turn::First(_)), "another request");
        assert!(under_way.find(&"a").is_some() && under_way.find(&"b").is_none());
        drop(first);
        assert_eq!(behind.word().await, None);
        assert!(under_way.0.lock().is_empty());
        assert!(matches!(under_way.join("a"), Turn::First(_)));
    }

    #[tokio::test]
    async fn those_behind_are_told_what_the_first_knows() {
        let under_way = Arc::new(UnderWay::default());
        let Turn::First(first) = under_way.join("a") else { panic!("none is sent yet") };
        let Turn::Behind(early) = under_way.join("a") else { panic!("one is sent") };
        first.tell(7);
        let Turn::Behind(late) = under_way.join("a") else { panic!("it is still under way") };
        assert_eq!((early.word().await, late.word().await), (Some(7), Some(7)));
    }
}
