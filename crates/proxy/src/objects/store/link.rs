//! A connection to a store's server, of the crate `redis`.
//!
//! Its connection never connects again by itself, and a request that is given up leaves its answer to come. So a link on
//! which anything goes wrong is dropped with all that is under way, and another is opened. Sockets and TLS are ours, so
//! that all of the process has one TLS.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisConnectionInfo, RedisError,
    ServerErrorKind, Value,
};
use thiserror::Error;
use tidegate_core::plan::{Secret, Valkey};
use tidegate_core::rate::fleet::{BUCKET_SCRIPT, GATEWAYS_SCRIPT};
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::timeout;

use super::Store;
use super::address::Addresses;
use crate::net::Address;
use crate::net::io::Io;
use crate::tls::stream;
use crate::upstream::dial;

/// Why a store does not answer.
#[derive(Debug, Error)]
pub enum Trouble {
    /// The server there cannot be connected to, for this reason.
    #[error("{0}: {1}")]
    Unreachable(String, String),
    /// It takes too long.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// The server says so.
    #[error("{0}")]
    Refused(RedisError),
    /// The server says what makes no sense.
    #[error("an answer that was not expected: {0}")]
    Unexpected(String),
    /// The sentinels do not know the server of this name, for this reason.
    #[error("no sentinel knows where `{0}` is: {1}")]
    Nowhere(String, String),
    /// Another node of the cluster has the key.
    #[error("moved to {0}")]
    Moved(String),
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        match (error.kind(), error.redirect_node()) {
            (ErrorKind::Server(ServerErrorKind::Moved), Some((node, _))) => {
                Self::Moved(node.to_owned())
            }
            _ => Self::Refused(error),
        }
    }
}

/// The names of the scripts that were made known.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    pub(super) bucket: String,
    pub(super) gateways: String,
}

/// An open connection. It ends when this is dropped.
pub(super) struct Link {
    connection: MultiplexedConnection,
    driver: AbortHandle,
    limit: Duration,
    pub(super) scripts: Scripts,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    /// Connect to the server of `store`, wherever that is now.
    pub(super) async fn open(store: &Store) -> Result<Self, Trouble> {
        match &store.addresses {
            Addresses::Server(address) => Self::to_node(address, store).await,
            Addresses::Sentinels(sentinels) => {
                let address = found(store, sentinels).await?;
                let link = Self::to_node(&address, store).await?;
                link.is_master().await?;
                Ok(link)
            }
        }
    }

    /// The same with the node at `address` of a cluster.
    pub(super) async fn to_node(address: &Address, store: &Store) -> Result<Self, Trouble> {
        Self::to(address, store, user(&store.plan.valkey)).await
    }

    /// Make the scripts known to the server.
    pub(super) async fn learn(&mut self) -> Result<(), Trouble> {
        self.scripts.bucket = self.load(BUCKET_SCRIPT).await?;
        self.scripts.gateways = self.load(GATEWAYS_SCRIPT).await?;
        Ok(())
    }

    async fn to(
        address: &Address,
        store: &Store,
        user: RedisConnectionInfo,
    ) -> Result<Self, Trouble> {
        let limit = store.plan.lease.duration();
        let opening = Box::pin(Self::opening(address, store, user));
        timeout(limit, opening).await.unwrap_or(Err(Trouble::Silent(limit)))
    }

    async fn opening(
        address: &Address,
        store: &Store,
        user: RedisConnectionInfo,
    ) -> Result<Self, Trouble> {
        let limit = store.plan.lease.duration();
        let unreachable = |error: String| Trouble::Unreachable(told(address), error);
        let socket =
            dial(address).await.map_err(|failure| unreachable(failure.meaning().label.into()))?;
        let io = match &store.tls {
            None => Io::Plain(socket),
            Some((tls, config)) => {
                let name = tls.server_name_for(&address.host());
                let name = name.map_err(|error| unreachable(error.to_string()))?;
                let connected = stream::connect(config, name, socket, limit).await;
                Io::Tls(connected.map_err(|error| unreachable(error.to_string()))?.0)
            }
        };
        // Every wait has its limit here, for as many as one sends at once.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&user, io, config).await?;
        let driver = spawn_local(driver).abort_handle();
        Ok(Self { connection, driver, limit, scripts: Scripts::default() })
    }

    /// The answers to all commands of `pipeline`, in their order. One of them may be an error.
    pub(super) async fn ask(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Trouble> {
        let mut connection = self.connection.clone();
        let answers = connection.send_packed_commands(pipeline, 0, pipeline.len());
        let answers = timeout(self.limit, answers).await;
        Ok(answers.map_err(|_| Trouble::Silent(self.limit))??)
    }

    /// The answer to one command.
    pub(super) async fn command(&self, command: &Cmd) -> Result<Value, Trouble> {
        self.blocking(command, Duration::ZERO).await
    }

    /// The answer to a command that the server may take so long for on purpose.
    pub(super) async fn blocking(
        &self,
        command: &Cmd,
        for_long: Duration,
    ) -> Result<Value, Trouble> {
        let (mut connection, limit) = (self.connection.clone(), self.limit + for_long);
        let answer = timeout(limit, connection.send_packed_command(command)).await;
        Ok(answer.map_err(|_| Trouble::Silent(limit))??.extract_error()?)
    }

    /// Make a script known; the answer is its name.
    async fn load(&self, script: &str) -> Result<String, Trouble> {
        let loaded = self.command(redis::cmd("SCRIPT").arg("LOAD").arg(script)).await?;
        Ok(redis::from_redis_value(loaded).map_err(RedisError::from)?)
    }

    /// A sentinel may not have noticed yet that a server is none any more.
    async fn is_master(&self) -> Result<(), Trouble> {
        match self.command(&redis::cmd("ROLE")).await? {
            Value::Array(role) if role.first().and_then(text).as_deref() == Some("master") => {
                Ok(())
            }
            other => Err(Trouble::Unexpected(format!("ROLE: {other:?}"))),
        }
    }
}

/// Where the sentinels say that the server is.
async fn found(store: &Store, sentinels: &[Address]) -> Result<Address, Trouble> {
    let Some(sentinel) = &store.plan.valkey.sentinel else {
        return Err(Trouble::Nowhere(String::new(), "there are none".into()));
    };
    let mut last = String::from("there are none");
    for address in sentinels {
        let info = login(&sentinel.username, &sentinel.password, &sentinel.password_file);
        let asked = async {
            let link = Link::to(address, store, info).await?;
            let mut command = redis::cmd("SENTINEL");
            command.arg("GET-MASTER-ADDR-BY-NAME").arg(&sentinel.master);
            link.command(&command).await
        };
        match asked.await {
            Ok(Value::Array(parts)) => {
                let parts: Vec<_> = parts.iter().filter_map(text).collect();
                if let [host, port] = parts.as_slice() {
                    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                    return Address::parse(&format!("{host}:{port}")).map_err(Trouble::Unexpected);
                }
            }
            Ok(other) => last = format!("{} answers {other:?}", told(address)),
            Err(trouble) => last = trouble.to_string(),
        }
    }
    Err(Trouble::Nowhere(sentinel.master.clone(), last))
}

fn user(valkey: &Valkey) -> RedisConnectionInfo {
    login(&valkey.username, &valkey.password, &valkey.password_file)
        .set_db(valkey.database.get().into())
}

/// What a connection begins with: nothing that is newer than Redis 6.2.
fn login(
    username: &Option<String>,
    password: &Option<Secret>,
    file: &Option<Secret>,
) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(username) = username {
        info = info.set_username(username);
    }
    if let Some(password) = password.as_ref().or(file.as_ref()) {
        info = info.set_password(password.expose().trim_end_matches(['\r', '\n']));
    }
    info
}

fn text(value: &Value) -> Option<String> {
    redis::from_redis_value(value.clone()).ok()
}

fn told(address: &Address) -> String {
    match address {
        Address::Ip(address) => address.to_string(),
        Address::Name(host, port) => format!("{host}:{port}"),
        Address::Unix(path) => format!("unix:{}", path.display()),
    }
}
