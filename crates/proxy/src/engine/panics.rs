//! Panics of the engine's threads are logged, counted and told, not printed.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Once};

use crate::account::Accounts;
use crate::account::outbox::Notice;

thread_local! {
    static THREAD: RefCell<Option<(Arc<Accounts>, usize)>> = const { RefCell::new(None) };
}

/// Count this thread's panics as those of thread `index`.
pub fn count_for(accounts: Arc<Accounts>, index: usize) {
    THREAD.set(Some((accounts, index)));
}

/// Log, count and tell the panics of the engine's threads; those of other threads are printed as before.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let own = THREAD.try_with(|thread| match thread.try_borrow().as_deref() {
                Ok(Some((accounts, index))) => {
                    record(accounts, *index, info);
                    true
                }
                _ => false,
            });
            if own != Ok(true) {
                before(info);
            }
        }));
    });
}

fn record(accounts: &Accounts, index: usize, info: &PanicHookInfo<'_>) {
    accounts.metrics.worker(index).panicked();
    let thread = accounts.metrics.worker_label(index);
    let message = panic_message(info.payload()).to_owned();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(worker = thread, message, place, "a task panicked; it alone ends");
    accounts.outbox.tell(Notice::TaskPanicked { thread, message, place });
}

/// What a panic said.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
