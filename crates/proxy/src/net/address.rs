//! Where an endpoint or a listener is.

use std::net::SocketAddr;
use std::path::PathBuf;

/// An address of a stream socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A host name, looked up at each connect, and a port.
    Name(String, u16),
    /// A Unix domain socket.
    Unix(PathBuf),
}

impl Address {
    /// Read `ip:port`, `[ipv6]:port`, `host:port` or `unix:/path`.
    ///
    /// # Errors
    /// A sentence for the person who wrote the address.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err(format!("`{text}` is not an absolute path after `unix:`")),
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let named = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match named {
            Some((host, port)) if !host.is_empty() && !host.contains([':', '[', '/', ' ']) => {
                Ok(Self::Name(host.into(), port))
            }
            _ => Err(format!(
                "`{text}` is not an address: expected ip:port, [ipv6]:port, host:port or unix:/path"
            )),
        }
    }

    /// Whether both are of IP, with the same port.
    pub fn shares_port(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Ip(one), Self::Ip(other)) if one.port() == other.port())
    }

    /// The same host's `port`; `None` for a Unix socket, which has none.
    pub fn with_port(&self, port: u16) -> Option<Self> {
        match self {
            Self::Ip(address) => Some(Self::Ip(SocketAddr::new(address.ip(), port))),
            Self::Name(host, _) => Some(Self::Name(host.clone(), port)),
            Self::Unix(_) => None,
        }
    }

    /// The host, as TLS and `Host` name it.
    pub fn host(&self) -> String {
        match self {
            Self::Ip(address) => address.ip().to_string(),
            Self::Name(host, _) => host.clone(),
            Self::Unix(_) => "localhost".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        assert!(matches!(Address::parse("127.0.0.1:80"), Ok(Address::Ip(_))));
        assert!(matches!(Address::parse("[::1]:80"), Ok(Address::Ip(_))));
        assert!(matches!(Address::parse("app.internal:80"), Ok(Address::Name(_, 80))));
        assert!(matches!(Address::parse("unix:/run/app.sock"), Ok(Address::Unix(_))));
        for bad in ["", "app", "app:", ":80", "app:99999", "unix:app.sock", "::1:80", "a/b:80"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
