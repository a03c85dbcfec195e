//! A panic ends as little as it can: its connection, or the worker until it is started anew.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;
use tidegate_core::plan::{self, Plan};
use tokio::sync::mpsc::UnboundedReceiver;

use super::crew::{Crew, run_worker};
use super::thread::{Hand, keep_running, runtime};
use super::{Engine, Serving, change, checker, panics};
use crate::listen::ListenSocket;
use crate::snapshot::Snapshot;
use crate::telemetry::log::{self, Format};
use crate::telemetry::metrics::Metrics;
use crate::worker::{self, Command, Shared, Worker};

/// What a worker thread of one worker has to do with, without the thread.
struct Stage {
    shared: Arc<Shared>,
    serving: Arc<Mutex<Serving>>,
    address: SocketAddr,
    log: Arc<Log>,
}

/// What was logged.
#[derive(Default)]
struct Log(Mutex<Vec<u8>>);

impl Write for &Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stage {
    /// One listener on a free port, and no route.
    fn new() -> Self {
        Self::serving(plan())
    }

    fn serving(plan: Plan) -> Self {
        panics::watch();
        let metrics = Metrics::new(1);
        let mut serving = Serving::begin(Snapshot::empty(1));
        let prepared = change::prepare(plan, 0, &serving.snapshot, Vec::new(), &metrics);
        serving.replace(prepared.unwrap_or_else(|issues| panic!("{issues:?}"))).unwrap();
        let ListenSocket::Tcp(socket) = &serving.listeners[0].sockets[0] else { panic!("not TCP") };
        Self {
            address: socket.local_addr().unwrap(),
            shared: Arc::new(Shared::new(metrics, 1)),
            serving: Arc::new(Mutex::new(serving)),
            log: Arc::default(),
        }
    }

    /// A worker's thread that runs `body`; what it logs is kept.
    fn start(
        &self,
        body: impl FnOnce(&mut UnboundedReceiver<Command>, &Arc<Shared>, &Mutex<Serving>)
        + Send
        + 'static,
    ) -> Hand {
        let (shared, serving) = (self.shared.clone(), self.serving.clone());
        let log = self.subscriber();
        Hand::start("worker-0", move |commands| {
            tracing::subscriber::with_default(log, || body(commands, &shared, &serving));
        })
        .unwrap()
    }

    fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        tracing_subscriber::fmt().with_ansi(false).with_writer(self.log.clone()).finish()
    }

    /// The status line of the answer to a request.
    fn ask(&self) -> String {
        let mut client = TcpStream::connect(self.address).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    /// Whether one of these was counted for this thread.
    fn counts(&self, metric: &str, thread: &str) -> bool {
        let page = self.shared.metrics.render(|_, _| None, |_| None, 0);
        page.contains(&format!("tidegate_worker_{metric}_total{{worker=\"{thread}\"}} 1\n"))
    }

    fn logged(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.log.0.lock()).contains(text)
    }
}

/// The plan that core's tests have.
fn plain() -> Plan {
    serde_json::from_str(include_str!("../../../core/tests/plan.json")).unwrap()
}

/// A listener that leads nowhere.
fn plan() -> Plan {
    Plan { routes: Vec::new(), upstreams: Vec::new(), ..plain() }
}

/// An upstream of this endpoint, which is checked by connecting to it.
fn checked(endpoint: &TcpListener) -> plan::Upstream {
    let mut upstream = plain().upstreams.remove(0);
    upstream.endpoints[0].address = endpoint.local_addr().unwrap().to_string();
    upstream.health.tcp = Some(plan::HealthTcp {});
    upstream.health.timeout = plan::Millis(10_000);
    upstream
}

#[test]
fn a_worker_that_panics_is_started_anew_and_serves_on() {
    let stage = Stage::new();
    let _worker = stage.start(|commands, shared, serving| {
        let shared = Arc::clone(shared);
        keep_running(0, &shared.metrics, |first| match first {
            true => panic!("the worker fell over"),
            false => run_worker(0, &shared, serving, first, commands),
        });
    });
    assert_eq!(stage.ask(), "HTTP/1.1 404 Not Found");
    assert!(stage.counts("restarts", "0") && stage.counts("panics", "0"));
    assert!(stage.logged("a worker panicked and is started anew"));
    assert!(stage.logged("the worker fell over"));
}

#[test]
fn a_connection_that_panics_ends_alone() {
    let stage = Stage::new();
    let _worker = stage.start(|commands, shared, serving| {
        keep_running(0, &shared.metrics, |_| {
            let (snapshot, bound) = {
                let serving = serving.lock();
                let bound = &serving.listeners[0];
                let socket = bound.sockets[0].duplicate()?;
                (serving.snapshot.clone(), vec![(bound.listener.clone(), socket)])
            };
            runtime()?.block_on(async {
                let worker = Worker::new(0, shared.clone(), snapshot);
                worker.spawn(async { panic!("one bad request") });
                worker::run(worker, bound, commands).await;
            });
            Ok(())
        });
    });
    assert_eq!(stage.ask(), "HTTP/1.1 404 Not Found");
    assert!(stage.counts("panics", "0") && !stage.counts("restarts", "0"));
    assert!(stage.logged("a task panicked; it alone ends"));
    assert!(stage.logged("one bad request"));
}

#[test]
fn a_worker_that_panics_does_not_hold_up_a_commit() {
    for takes_the_command in [false, true] {
        let stage = Stage::new();
        let worker = stage.start(move |commands, shared, serving| {
            keep_running(0, &shared.metrics, |first| {
                if !first {
                    return run_worker(0, shared, serving, first, commands);
                }
                while commands.is_empty() {
                    std::thread::yield_now();
                }
                let _command = takes_the_command.then(|| commands.try_recv());
                panic!("just now");
            });
        });
        let checker = Hand::start("health", |_| {}).unwrap();
        let engine = Engine {
            shared: stage.shared.clone(),
            serving: stage.serving.clone(),
            turn: Mutex::default(),
            crew: Crew { members: vec![worker], checker },
            log: log::init(Format::Text, "warn").unwrap(),
        };
        let prepared = engine.prepare(plan()).unwrap_or_else(|issues| panic!("{issues:?}"));
        tracing::subscriber::with_default(stage.subscriber(), || engine.commit(prepared)).unwrap();
        assert!(!stage.logged("has not taken up"), "the command was taken: {takes_the_command}");
        assert_eq!(stage.ask(), "HTTP/1.1 404 Not Found");
    }
}

#[test]
fn the_thread_that_checks_is_started_anew_when_it_panics_and_checks_on() {
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let stage = Stage::serving(Plan { upstreams: vec![checked(&endpoint)], ..plan() });
    let _checker = stage.start(|commands, shared, serving| {
        let metrics = &shared.metrics;
        keep_running(1, metrics, |first| match first {
            true => panic!("the checker fell over"),
            false => checker::run(metrics.worker(1), serving, commands),
        });
    });
    endpoint.accept().unwrap();
    assert!(stage.counts("restarts", "health") && stage.counts("panics", "health"));
    assert!(stage.logged("the checker fell over"));
}
