//! A panic ends as little as it can: its connection, or the worker until it is started anew.

mod over_quic;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;
use tidegate_core::plan::{self, Plan};
use tokio::sync::mpsc::UnboundedReceiver;

use super::change::{Existing, Supplied};
use super::common::Common;
use super::thread::{ThreadHandle, keep_running, runtime};
use super::threads::{Threads, run_worker};
use super::{Engine, Serving, change, checker, metrics, panics};
use crate::engine::log::{self, Format};
use crate::local::Local;
use crate::net::ListenSocket;
use crate::objects::auth::live::LiveAuthenticators;
use crate::quic::Secret;
use crate::snapshot::Snapshot;
use crate::testing;
use crate::upstream::live::LiveEndpoints;
use crate::upstream::served_model::LiveModels;
use crate::worker::{self, Command};

/// What a worker thread of one worker has to do with, without the thread.
struct Stage {
    common: Arc<Common>,
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
        let workers = plan.workers.get() as usize;
        let common = Common::new(workers, Serving::begin(Snapshot::empty(workers)));
        let (accounts, live) = (common.accounts.clone(), Mutex::default());
        let (named, quic_secret) = (LiveAuthenticators::default(), Secret::default());
        let mut serving = common.serving.lock();
        let supplied =
            Supplied { endpoints: &live, authenticators: &named, quic_secret: &quic_secret };
        let (snapshot, existing) = (&serving.snapshot, Existing::default());
        let prepared = change::prepare(plan, 0, snapshot, &existing, &supplied, &accounts);
        let prepared = prepared.unwrap_or_else(|issues| panic!("{issues:?}"));
        serving.replace(prepared, &LiveEndpoints::default(), &accounts).unwrap();
        let binding = &serving.listeners[0].binding;
        let address = match &binding.of_worker(0).unwrap()[0] {
            ListenSocket::Tcp(socket) => socket.local_addr().unwrap(),
            ListenSocket::Udp(sockets) => sockets.of_worker(0).unwrap().local_addr().unwrap(),
            ListenSocket::Unix(_) => panic!("not an address of IP"),
        };
        drop(serving);
        Self { common: Arc::new(common), address, log: Arc::default() }
    }

    /// A worker's thread that runs `body`; what it logs is kept.
    fn start(
        &self,
        body: impl FnOnce(&mut UnboundedReceiver<Command>, &Common) + Send + 'static,
    ) -> ThreadHandle {
        let common = self.common.clone();
        let log = self.subscriber();
        ThreadHandle::start("worker-0", move |commands| {
            tracing::subscriber::with_default(log, || body(commands, &common));
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
        self.shows(&format!("tidegate_worker_{metric}_total{{worker=\"{thread}\"}} 1"))
    }

    /// Whether this is a line of the metrics.
    fn shows(&self, line: &str) -> bool {
        let page =
            metrics::page(&self.common.accounts.metrics, &self.common.serving.lock().snapshot);
        page.lines().any(|one| one == line)
    }

    fn logged(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.log.0.lock()).contains(text)
    }
}

/// A listener that leads nowhere.
fn plan() -> Plan {
    Plan { routes: Vec::new(), upstreams: Vec::new(), ..testing::plan() }
}

/// An upstream of this endpoint, which is checked by connecting to it.
fn checked(endpoint: &TcpListener) -> plan::Upstream {
    let address = endpoint.local_addr().unwrap().to_string();
    let mut upstream = testing::upstream();
    upstream.endpoints = vec![testing::endpoint(&address)];
    upstream.health.tcp = Some(plan::HealthTcp {});
    upstream.health.timeout = plan::Timeout::new(10_000).unwrap();
    upstream
}

#[test]
fn a_worker_that_panics_is_started_anew_and_serves_on() {
    let stage = Stage::new();
    let _worker = stage.start(|commands, common| {
        keep_running(0, &common.accounts, |first| match first {
            true => panic!("the worker fell over"),
            false => run_worker(0, common, first, commands),
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
    let _worker = stage.start(|commands, common| {
        keep_running(0, &common.accounts, |_| {
            let (snapshot, bound) = {
                let serving = common.serving.lock();
                let bound = &serving.listeners[0];
                let sockets = bound.binding.of_worker(0)?;
                (serving.snapshot.clone(), vec![(bound.listener.clone(), sockets)])
            };
            runtime()?.block_on(async {
                let worker = Local::new(0, common.accounts.clone(), Default::default(), snapshot);
                tokio::task::spawn_local(async { panic!("one bad request") });
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
        let worker = stage.start(move |commands, common| {
            keep_running(0, &common.accounts, |first| {
                if !first {
                    return run_worker(0, common, first, commands);
                }
                while commands.is_empty() {
                    std::thread::yield_now();
                }
                let _command = takes_the_command.then(|| commands.try_recv());
                panic!("just now");
            });
        });
        let [checker, stores] =
            ["health", "stores"].map(|name| ThreadHandle::start(name, |_| {}).unwrap());
        let engine = Engine {
            common: stage.common.clone(),
            turn: Mutex::default(),
            threads: Threads { workers: vec![worker], checker, stores },
            items: Mutex::default(),
            live: Mutex::default(),
            live_authenticators: LiveAuthenticators::default(),
            models: LiveModels::default(),
            quic_secret: Secret::default(),
            log: log::init(Format::Text, "warn").unwrap(),
        };
        let prepared = engine.build(plan()).unwrap_or_else(|issues| panic!("{issues:?}"));
        tracing::subscriber::with_default(stage.subscriber(), || engine.commit(prepared)).unwrap();
        assert!(!stage.logged("has not taken up"), "the command was taken: {takes_the_command}");
        assert_eq!(stage.ask(), "HTTP/1.1 404 Not Found");
    }
}

#[test]
fn the_thread_that_checks_is_started_anew_when_it_panics_and_checks_on() {
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let stage = Stage::serving(Plan { upstreams: vec![checked(&endpoint).into()], ..plan() });
    let _checker = stage.start(|commands, common| {
        keep_running(1, &common.accounts, |first| match first {
            true => panic!("the checker fell over"),
            false => checker::run(1, common, commands),
        });
    });
    endpoint.accept().unwrap();
    assert!(stage.counts("restarts", "health") && stage.counts("panics", "health"));
    assert!(stage.logged("the checker fell over"));
}

#[test]
fn long_work_that_panics_is_counted_and_the_next_is_done() {
    let stage = Stage::new();
    stage.common.long_work.submit(|| panic!("the work fell over")).unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    stage.common.long_work.submit(move || done.send(()).unwrap()).unwrap();
    let _thread = stage.start(|_, common| {
        keep_running(2, &common.accounts, |_| {
            common.long_work.run();
            Ok(())
        });
    });
    is_done.recv().unwrap();
    assert!(stage.counts("restarts", "long-work") && stage.counts("panics", "long-work"));
    stage.common.long_work.end();
}
