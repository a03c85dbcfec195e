//! The script that a store runs does what its twin in Rust does, step by step, in a real server.
//!
//! Needs redis-server or valkey-server; without either it says so and ends.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use tidegate_core::balance::SplitMix64;
use tidegate_core::rate::Window;
use tidegate_core::rate::fleet::{BUCKET_SCRIPT, Bucket, GATEWAYS_SCRIPT, Order, SharedQuota};
use tokio::net::TcpStream;

const LEASE: f64 = 250e3;
const STEPS: usize = 3_000;

struct Server {
    process: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// One that keeps nothing; `None` where there is no program.
    fn start() -> Option<Self> {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let start = |program: &str| {
            let mut command = Command::new(program);
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.stdout(Stdio::null()).spawn().ok()
        };
        let process = start("valkey-server").or_else(|| start("redis-server"))?;
        Some(Self { process, port })
    }

    async fn connect(&self) -> MultiplexedConnection {
        let stream = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new();
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&info, stream, config).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test is no worker")]
        tokio::spawn(driver);
        connection
    }
}

/// The script on a clock of ours: seconds and microseconds, from a list.
fn on_our_clock(script: &str) -> String {
    let ours = script.replace("redis.call('TIME')", "redis.call('LRANGE', 'clock', 0, 1)");
    assert_ne!(ours, script);
    ours
}

#[tokio::test]
async fn the_script_and_its_twin_lease_the_same() {
    let Some(server) = Server::start() else {
        eprintln!("skipped: neither valkey-server nor redis-server is installed");
        return;
    };
    let mut connection = server.connect().await;
    let script = on_our_clock(BUCKET_SCRIPT);
    let windows = [(100, 1, 150), (700, 10, 900)].map(|(quota, per, burst): (u64, u64, u64)| {
        Window::new(quota.try_into().unwrap(), Duration::from_secs(per), burst.try_into().unwrap())
    });
    let quotas = SharedQuota::of_windows(&windows);
    let (mut random, mut bucket, mut now) =
        (SplitMix64::new(1), Bucket::default(), 1_800_000_000_000_000u64);
    for step in 0..STEPS {
        now += random.below(100_000);
        let order = Order {
            spent: random.below(23) as i64 - 2,
            wish: random.below(30),
            age: Duration::from_micros(random.below(400_000)),
            trip: Duration::from_micros(random.below(400_000)),
            afresh: random.below(100) == 0,
            alone: random.below(10) == 0,
        };
        let ahead: Vec<f64> = match order.alone {
            true => quotas.iter().map(|_| random.below(1_000_000) as f64).collect(),
            false => Vec::new(),
        };
        let gateway = random.below(3) as usize;
        let mut command = redis::cmd("EVAL");
        command.arg(&script).arg(1).arg("bucket").arg(gateway).arg(LEASE);
        command.arg(order.age.as_micros() as u64).arg(order.trip.as_micros() as u64);
        command.arg(order.spent).arg(order.wish).arg(u8::from(order.afresh));
        for (index, quota) in quotas.iter().enumerate() {
            command.arg(&*quota.name).arg(quota.interval).arg(quota.span);
            command.arg(ahead.get(index).copied().unwrap_or(0.0));
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("DEL").arg("clock").ignore();
        pipeline.cmd("RPUSH").arg("clock").arg(now / 1_000_000).arg(now % 1_000_000).ignore();
        pipeline.add_command(command);
        let (answer,): (Vec<i64>,) = pipeline.query_async(&mut connection).await.unwrap();
        let twin = bucket.serve(&order, &ahead, gateway, &quotas, LEASE, now as f64);
        let twin: Vec<i64> = [twin.units as i64]
            .into_iter()
            .chain(twin.ahead.iter().map(|ahead| *ahead as i64))
            .collect();
        assert_eq!(answer, twin, "step {step}: {order:?} of gateway {gateway}");
    }
}

#[tokio::test]
async fn gateways_are_counted_until_they_have_been_silent_for_their_time() {
    let Some(server) = Server::start() else { return };
    let mut connection = server.connect().await;
    let script = on_our_clock(GATEWAYS_SCRIPT);
    for (now, gateway, count) in [(0, "a", 1), (1, "b", 2), (2, "a", 2), (4, "a", 1), (9, "c", 1)] {
        let mut pipeline = redis::pipe();
        pipeline.cmd("DEL").arg("clock").ignore();
        pipeline.cmd("RPUSH").arg("clock").arg(1_800_000_000 + now).arg(0).ignore();
        pipeline.cmd("EVAL").arg(&script).arg(1).arg("gateways").arg(gateway).arg(3_000);
        let (counted,): (i64,) = pipeline.query_async(&mut connection).await.unwrap();
        assert_eq!(counted, count, "after {now} s");
    }
}
