//! Panics of the engine's threads are logged and counted, not printed.

use std::any::Any;
use std::cell::RefCell;
use std::panic;
use std::sync::{Arc, Once};

use crate::account::metrics::Metrics;

thread_local! {
    static WORKER: RefCell<Option<(Arc<Metrics>, usize)>> = const { RefCell::new(None) };
}

/// Count this thread's panics as those of thread `index`.
pub fn count_for(metrics: Arc<Metrics>, index: usize) {
    WORKER.set(Some((metrics, index)));
}

/// Log and count the panics of workers; those of other threads are told as before.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let counted = WORKER.try_with(|worker| {
                let worker = worker.try_borrow().ok()?;
                let (metrics, index) = worker.as_ref()?;
                metrics.worker(*index).panicked();
                Some(metrics.worker_label(*index))
            });
            match counted {
                Ok(Some(worker)) => {
                    let message = panic_message(info.payload());
                    let place = info.location().map(ToString::to_string).unwrap_or_default();
                    tracing::error!(worker, message, place, "a task panicked; it alone ends");
                }
                _ => before(info),
            }
        }));
    });
}

/// What a panic said.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
