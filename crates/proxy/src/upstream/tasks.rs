//! Tasks that go on beside the requests, all on one thread.

use std::convert::Infallible;
use std::future::pending;
use std::panic::resume_unwind;

use tokio::task::{AbortHandle, JoinSet};

/// All tasks of a thread.
#[derive(Default)]
pub struct Tasks(JoinSet<()>);

/// One of them. It ends when this is dropped.
pub struct Task(AbortHandle);

impl Tasks {
    /// Begin a task.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + 'static) -> Task {
        Task(self.0.spawn_local(task))
    }

    /// Wait for ever, and panic as soon as a task has, so that the thread that watches them begins all of them anew.
    pub async fn watch(&mut self) -> Infallible {
        while let Some(ended) = self.0.join_next().await {
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                resume_unwind(panic);
            }
        }
        pending().await
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::future::ready;

    use tokio::runtime::{Builder, LocalOptions};

    use super::*;

    #[test]
    #[should_panic(expected = "one bad check")]
    fn a_task_that_panics_is_not_lost() {
        let runtime = Builder::new_current_thread().build_local(LocalOptions::default());
        runtime.unwrap().block_on(async {
            let mut tasks = Tasks::default();
            let _ended = tasks.spawn(ready(()));
            drop(tasks.spawn(pending()));
            let _panics = tasks.spawn(async { panic!("one bad check") });
            match tasks.watch().await {}
        });
    }
}
