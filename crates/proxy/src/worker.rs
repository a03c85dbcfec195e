//! The loop of a worker: one thread that accepts connections and carries out commands.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::http::h3::code::Code;
use crate::listen::accept;
use crate::local::{DrainSignal, FAREWELL, Local};
use crate::net::ListenSocket;
use crate::quic;
use crate::snapshot::{Listener, Snapshot};

/// How often unused connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether connections have ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a worker is told.
pub enum Command {
    /// Decide by this snapshot from now on, and say so.
    Adopt(Arc<Snapshot>, Sender<()>),
    /// Accept connections.
    Listen(Arc<Listener>, Vec<ListenSocket>),
    /// Accept no more connections of this listener, and let those there are end.
    Close(u64),
    /// Accept no more connections at all, and stop when the last has ended or the time is over.
    Drain(Duration, Sender<bool>),
}

/// Accept from `listeners` and carry out commands until told to drain, or until there will be no more.
pub async fn run(
    local: Rc<Local>,
    listeners: Vec<(Arc<Listener>, Vec<ListenSocket>)>,
    commands: &mut UnboundedReceiver<Command>,
) {
    let listen = |listener: Arc<Listener>, sockets| {
        let id = listener.id;
        (id, spawn_local(accept(local.clone(), listener, sockets)).abort_handle())
    };
    let mut acceptors: HashMap<u64, AbortHandle> =
        listeners.into_iter().map(|(listener, socket)| listen(listener, socket)).collect();
    let mut sweeps = interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            _ = sweeps.tick() => {
                local.outbound.sweep(Instant::now());
                continue;
            }
        };
        match command {
            Some(Command::Adopt(snapshot, done)) => {
                local.adopt(snapshot);
                // Whoever asked may have given up waiting.
                let _ = done.send(());
            }
            // A worker that was started anew meanwhile has it already.
            Some(Command::Listen(listener, sockets)) if !acceptors.contains_key(&listener.id) => {
                acceptors.extend([listen(listener, sockets)]);
            }
            Some(Command::Listen(..)) => {}
            Some(Command::Close(id)) => {
                if let Some(acceptor) = acceptors.remove(&id) {
                    acceptor.abort();
                }
                local.drain_connections(|signal| signal.listener() == id);
                spawn_local(cut_late(local.clone(), id));
                let local = local.clone();
                spawn_local(async move { local.server_endpoints.leave(id).await });
            }
            Some(Command::Drain(limit, done)) => {
                acceptors.into_values().for_each(|acceptor| acceptor.abort());
                local.drain_connections(|_| true);
                let finished = drained(&local, limit).await;
                quic::close_all(Code::NO_ERROR.into()).await;
                let _ = done.send(finished);
                return;
            }
            None => return,
        }
    }
}

/// End the connections that a closed listener still has when their time is over.
async fn cut_late(local: Rc<Local>, listener: u64) {
    sleep(local.snapshot().plan.drain_timeout.duration()).await;
    take_leave(&local, |signal| signal.listener() == listener).await;
    local.cut_connections(|signal| signal.listener() == listener);
}

/// Let tunnels tell their clients that they end.
async fn take_leave(local: &Local, of: impl Fn(&DrainSignal) -> bool + Copy) {
    local.end_tunnels(of);
    let deadline = Instant::now() + FAREWELL;
    while local.has_tunnels(of) && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
    // The last of it is on its way.
    sleep(LOOK_EVERY).await;
}

/// Wait until all connections have ended; false if they had not within `limit`.
async fn drained(local: &Local, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut looks = interval(LOOK_EVERY);
    while !local.is_idle() {
        if Instant::now() >= deadline {
            take_leave(local, |_| true).await;
            return local.is_idle();
        }
        looks.tick().await;
        // Connections that were accepted or switched protocols meanwhile.
        local.drain_connections(|_| true);
    }
    true
}
