//! Asks a server on loopback for one path over HTTP/3, on so many connections with so many streams each, for so many seconds.
//!
//!     tidegate-h3-load ADDRESS PATH CONNECTIONS STREAMS SECONDS
//!     tidegate-h3-load hold ADDRESS PATH CONNECTIONS
//!
//! Prints how many requests were answered with 200, how many were not, and how many bytes of content came. `hold` asks once on
//! each connection, says how many it holds then, and ends with its standard input.

use std::cell::Cell;
use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use h3::client::SendRequest;
use h3_quinn::OpenStreams;
use http::Request;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint, TransportConfig, VarInt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::runtime::Runtime;
use tokio::task::{LocalSet, spawn_blocking, spawn_local};
use tokio::time::{Instant, timeout_at};

type Failure = Box<dyn Error + Send + Sync>;
type Requests = SendRequest<OpenStreams, bytes::Bytes>;

/// What came of all requests.
#[derive(Default)]
struct Counts {
    answered: Cell<u64>,
    failed: Cell<u64>,
    bytes: Cell<u64>,
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    match words.as_slice() {
        ["hold", address, path, connections] => {
            let client = client_in(&runtime)?;
            local.block_on(&runtime, hold(client, address.parse()?, path, connections.parse()?))
        }
        [address, path, connections, streams, seconds] => {
            let client = client_in(&runtime)?;
            let seconds = Duration::from_secs_f64(seconds.parse()?);
            let width = (connections.parse()?, streams.parse()?);
            local.block_on(&runtime, load(client, address.parse()?, path, width, seconds))
        }
        _ => {
            Err("usage: tidegate-h3-load [hold] ADDRESS PATH CONNECTIONS [STREAMS SECONDS]".into())
        }
    }
}

/// Ask on so many connections with so many streams each.
async fn load(
    client: Endpoint,
    address: SocketAddr,
    path: &str,
    (connections, streams): (usize, usize),
    seconds: Duration,
) -> Result<(), Failure> {
    let counts = Rc::new(Counts::default());
    let until = Instant::now() + seconds;
    let mut loads = Vec::new();
    for _ in 0..connections {
        let requests = connect(&client, address).await?;
        for _ in 0..streams {
            let (requests, path, counts) = (requests.clone(), path.to_owned(), counts.clone());
            loads.push(spawn_local(async move {
                ask_until(until, requests, &path, &counts).await;
            }));
        }
    }
    for load in loads {
        load.await?;
    }
    println!(
        "answered {} failed {} bytes {}",
        counts.answered.get(),
        counts.failed.get(),
        counts.bytes.get()
    );
    Ok(())
}

/// Open so many connections, ask once on each, and keep them until nobody holds our input open.
async fn hold(
    client: Endpoint,
    address: SocketAddr,
    path: &str,
    connections: usize,
) -> Result<(), Failure> {
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut requests = connect(&client, address).await?;
        ask(&mut requests, path).await?;
        held.push(requests);
    }
    println!("held {}", held.len());
    let input = spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    input.await??;
    Ok(())
}

async fn connect(client: &Endpoint, address: SocketAddr) -> Result<Requests, Failure> {
    let connected = client.connect(address, "localhost")?.await?;
    let connected = h3_quinn::Connection::new(connected);
    // nginx 1.31 resets a stream that ends with a frame of an unknown kind.
    let (mut driver, requests) = h3::client::builder().send_grease(false).build(connected).await?;
    spawn_local(async move { driver.wait_idle().await });
    Ok(requests)
}

/// Ask for `path` one time after the other.
async fn ask_until(until: Instant, mut requests: Requests, path: &str, counts: &Counts) {
    loop {
        match timeout_at(until, ask(&mut requests, path)).await {
            Err(_) => return,
            Ok(Ok(bytes)) => {
                counts.answered.set(counts.answered.get() + 1);
                counts.bytes.set(counts.bytes.get() + bytes);
            }
            Ok(Err(_)) => {
                counts.failed.set(counts.failed.get() + 1);
                return;
            }
        }
    }
}

/// Ask for `path`; answers with how many bytes of content came.
async fn ask(requests: &mut Requests, path: &str) -> Result<u64, Failure> {
    let request = Request::get(format!("https://localhost{path}")).body(())?;
    let mut stream = requests.send_request(request).await?;
    stream.finish().await?;
    let response = stream.recv_response().await?;
    let mut bytes = 0;
    while let Some(part) = stream.recv_data().await? {
        bytes += part.remaining() as u64;
    }
    match response.status().as_u16() {
        200 => Ok(bytes),
        status => Err(format!("status {status}").into()),
    }
}

/// An endpoint that believes any certificate.
fn client_in(runtime: &Runtime) -> Result<Endpoint, Failure> {
    let _entered = runtime.enter();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(1 << 20));
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

/// Takes any certificate for the server's.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
