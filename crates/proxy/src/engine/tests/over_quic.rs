//! Connections over QUIC when their worker panics, and when another does.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, ReadToEndError, WriteError};
use rustls::crypto::aws_lc_rs;
use tidegate_core::plan::{Certificate, HttpVersion, ListenerTls, TlsVersion, Workers};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;

const WORKERS: usize = 2;
/// So many that both workers have some.
const CONNECTIONS: usize = 24;
const LIMIT: Duration = Duration::from_secs(20);
/// `GET https://a/` (RFC 9114 §4.3.1, RFC 9204 §4.5).
const REQUEST: &[u8] = b"\x01\x08\0\0\xd1\xd7\xc1\x50\x01a";

#[test]
fn a_worker_that_panics_takes_only_its_own_connections_over_quic_with_it() {
    let (plan, trusted) = quic_plan();
    let stage = Stage::serving(plan);
    let falls = Arc::new(Notify::new());
    let _workers: Vec<_> = (0..WORKERS).map(|index| start(&stage, index, &falls)).collect();
    let test = async {
        let client = client(trusted);
        let before = connect(&client, stage.address).await;
        falls.notify_one();
        while !stage.counts("restarts", "0") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (mut living, mut reset) = (0, 0);
        for connection in &before {
            match ask(connection).await {
                Ok(answer) => living += usize::from(!answer.is_empty()),
                Err(ConnectionError::Reset) => reset += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(living + reset, CONNECTIONS);
        assert!(living > 0 && reset > 0, "{living} lived on, {reset} were reset");
        let after = connect(&client, stage.address).await;
        for connection in &after {
            assert!(!ask(connection).await.unwrap().is_empty());
        }
        let open = living + CONNECTIONS;
        let line = format!("tidegate_listener_open_connections{{listener=\"web\"}} {open}");
        assert!(stage.shows(&line), "{line}");
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { timeout(LIMIT, test).await.unwrap() });
    assert!(!stage.counts("restarts", "1"));
}

/// A worker. The first, as it is at first, panics when it is notified.
fn start(stage: &Stage, index: usize, falls: &Arc<Notify>) -> ThreadHandle {
    let falls = falls.clone();
    stage.start(move |commands, common| {
        keep_running(index, &common.accounts, |first| {
            if index > 0 || !first {
                return run_worker(index, common, false, commands);
            }
            let (snapshot, bound) = {
                let serving = common.serving.lock();
                let bound = &serving.listeners[0];
                let sockets = bound.binding.of_worker(index)?;
                (serving.snapshot.clone(), vec![(bound.listener.clone(), sockets)])
            };
            runtime()?.block_on(async {
                let worker =
                    Local::new(index, common.accounts.clone(), Default::default(), snapshot);
                tokio::select! {
                    () = worker::run(worker, bound, commands) => {}
                    () = falls.notified() => panic!("the worker fell over"),
                }
            });
            Ok(())
        });
    })
}

/// A plan of several workers, one listener for HTTP/3 and no route, and the certificate.
fn quic_plan() -> (Plan, rcgen::Certificate) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut plan = Plan { workers: Workers::started(WORKERS), ..plan() };
    let listener = Arc::make_mut(&mut plan.listeners[0]);
    // All workers share one port, so that it has to be known before.
    let free = UdpSocket::bind("127.0.0.1:0").unwrap();
    listener.address = free.local_addr().unwrap().to_string();
    listener.protocols = vec![HttpVersion::Http3];
    listener.tls = Some(ListenerTls {
        certificates: vec![Certificate {
            cert: made.cert.pem(),
            key: made.signing_key.serialize_pem().as_str().into(),
            ocsp: None,
        }],
        min_version: TlsVersion::V1_3,
        client_auth: None,
        session_tickets: true,
    });
    let many = (2 * CONNECTIONS as u32).try_into().unwrap();
    (listener.limits.connections, listener.limits.connections_per_client) = (many, many);
    (plan, made.cert)
}

fn client(trusted: rcgen::Certificate) -> Endpoint {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let mut tls =
        rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
    endpoint
}

async fn connect(client: &Endpoint, address: SocketAddr) -> Vec<Connection> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(client.connect(address, "localhost").unwrap().await.unwrap());
    }
    connections
}

/// What is answered to a request.
async fn ask(connection: &Connection) -> Result<Vec<u8>, ConnectionError> {
    let (mut send, mut recv) = connection.open_bi().await?;
    match send.write_all(REQUEST).await {
        Err(WriteError::ConnectionLost(error)) => return Err(error),
        written => written.unwrap(),
    }
    send.finish().unwrap();
    match recv.read_to_end(10_000).await {
        Err(ReadToEndError::Read(quinn::ReadError::ConnectionLost(error))) => Err(error),
        answer => Ok(answer.unwrap()),
    }
}
