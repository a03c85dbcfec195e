//! What is counted of workers.

use parking_lot::Mutex;
use tokio::runtime::RuntimeMetrics;

use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::Counter;

/// Counts of one worker, or of the thread that checks health, and its runtime's own figures.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    panics: Counter,
    restarts: Counter,
    runtime: Mutex<Option<RuntimeMetrics>>,
}

impl WorkerMetrics {
    /// Reads the worker's load from `runtime`, which counts it anyway; called by each worker when
    /// it starts (`Handle::current().metrics()`).
    pub fn watch(&self, runtime: RuntimeMetrics) {
        *self.runtime.lock() = Some(runtime);
    }

    /// Counts a task that panicked.
    pub fn panicked(&self) {
        self.panics.add(1);
    }

    /// Counts a new start of the worker after a fault.
    pub fn restarted(&self) {
        self.restarts.add(1);
    }
}

/// What is counted of workers, which are called by `labels`.
pub(super) fn families(page: &mut Exposition, labels: &[String], workers: &[WorkerMetrics]) {
    let workers = || labels.iter().map(String::as_str).zip(workers);
    let runtimes: Vec<_> = workers()
        .filter_map(|(label, worker)| Some((label, worker.runtime.lock().clone()?)))
        .collect();
    let mut family = page.family(
        "tidegate_worker_busy_seconds_total",
        Kind::Counter,
        "Time a worker did not wait; its rate is the busy share of a processor.",
    );
    for (label, runtime) in &runtimes {
        let busy = runtime.worker_total_busy_duration(0).as_secs_f64();
        family.sample(&[("worker", label)], busy);
    }
    let mut family = page.family(
        "tidegate_worker_loops_total",
        Kind::Counter,
        "Times a worker waited for events; busy seconds by loops is the mean time of a loop.",
    );
    for (label, runtime) in &runtimes {
        family.sample(&[("worker", label)], runtime.worker_park_count(0));
    }
    let mut family = page.family(
        "tidegate_worker_tasks",
        Kind::Gauge,
        "Tasks of a worker: about one for each connection.",
    );
    for (label, runtime) in &runtimes {
        family.sample(&[("worker", label)], runtime.num_alive_tasks());
    }
    let mut family =
        page.family("tidegate_worker_panics_total", Kind::Counter, "Tasks that panicked.");
    for (label, worker) in workers() {
        family.sample(&[("worker", label)], worker.panics.get());
    }
    let mut family = page.family(
        "tidegate_worker_restarts_total",
        Kind::Counter,
        "Starts of a worker after a fault.",
    );
    for (label, worker) in workers() {
        family.sample(&[("worker", label)], worker.restarts.get());
    }
}
