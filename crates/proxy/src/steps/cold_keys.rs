//! Cold keys: a request of a key that a store has not told of yet waits for its word, for a moment.

use std::pin::Pin;
use std::sync::Arc;

use tidegate_core::rate::fleet::Opening;
use tidegate_core::rate::{Key, Mode};
use tokio::time::{Instant, timeout_at};

use crate::call::Call;
use crate::net::clock;
use crate::objects::rate::{Place, RateLimit};
use crate::objects::store::Store;
use crate::steps::rate_limits::subject;

/// A request that waits for the word of a store on its keys.
pub struct Words(Vec<Word>);

struct Word {
    limit: Arc<RateLimit>,
    store: Arc<Store>,
    key: Key,
    /// Held while it waits.
    _place: Place,
}

impl Words {
    /// Wait for them, or as long as is worth it.
    pub fn come(self) -> Pin<Box<impl Future<Output = ()>>> {
        Box::pin(async move {
            let began = Instant::now();
            for word in self.0 {
                word.come(began).await;
            }
        })
    }
}

impl Word {
    async fn come(self, began: Instant) {
        let Self { limit, store, key, .. } = &self;
        let Some(shared) = limit.limit.shared() else { return };
        let (cost, until) =
            (limit.limit.terms().cost.ahead(), began + store.plan.cold_wait.duration());
        loop {
            // Before it is looked, so that no answer comes between.
            let answered = store.answered.notified();
            if shared.is_heard(*key, cost, clock::now()) {
                return;
            }
            if timeout_at(until, answered).await.is_err() {
                return;
            }
        }
    }
}

/// Make sure that the stores of the request's limits are asked about its keys. The words are those that it had better
/// wait for.
pub fn before(limits: &[Arc<RateLimit>], call: &Call<'_>) -> Option<Words> {
    // Of most routes no limit is shared.
    if limits.iter().all(|limit| limit.store.is_none()) {
        return None;
    }
    let shared = limits.iter().filter_map(|limit| Some((limit, limit.store.as_ref()?)));
    let words: Vec<_> = shared.filter_map(|(limit, store)| word(limit, store, call)).collect();
    (!words.is_empty()).then_some(Words(words))
}

fn word(limit: &Arc<RateLimit>, store: &Arc<Store>, call: &Call<'_>) -> Option<Word> {
    let subject = subject(call);
    // A request without a key is for the limit itself to judge.
    let key = limit.key(&subject).ok()?;
    let now = clock::moment(call.transaction.witnesses.coarse_now());
    let opening = limit.open(key, &subject, now);
    if opening == Opening::Ready || limit.limit.terms().mode == Mode::Shadow {
        return None;
    }
    let _place = limit.place()?;
    Some(Word { limit: limit.clone(), store: store.clone(), key, _place })
}
