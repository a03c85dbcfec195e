//! A request's line in the access log, from the request's beginning to its end.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{HOST, REFERER, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderValue, Version};
use sha2::{Digest, Sha256};
use tidegate_core::auth::{Identity, SecretParameters};
use tidegate_core::plan::LoggedSubjects;
use tokio::time::Instant;

use super::{AccessLog, Entry};
use crate::account::event::Event;
use crate::account::metrics::CacheResult;
use crate::account::origin::Origin;
use crate::account::record::Record;
use crate::account::witness::Witness;
use crate::http::ids::TRACEPARENT;
use crate::http::partial_head::PartialHead;
use crate::net::clock;

/// What the access log alone wants to know of a request; written when the request has ended.
pub struct Line {
    log: Arc<AccessLog>,
    time: u64,
    client: Option<IpAddr>,
    version: Option<Version>,
    host: Option<HeaderValue>,
    trace: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    secret: Option<Arc<SecretParameters>>,
}

impl Line {
    /// A request with this head, of the client at this address, begins.
    pub fn begin(
        log: &Arc<AccessLog>,
        client: Option<IpAddr>,
        head: &PartialHead<'_>,
        secret: Option<&Arc<SecretParameters>>,
    ) -> Box<Self> {
        let field = |name| head.headers.and_then(|headers| headers.get(name).cloned());
        Box::new(Self {
            log: log.clone(),
            time: clock::unix_nanos(),
            client,
            version: head.version,
            host: field(HOST),
            trace: field(TRACEPARENT),
            user_agent: field(USER_AGENT),
            referer: field(REFERER),
            secret: secret.cloned(),
        })
    }

    fn write(&self, record: &Record, origin: &Origin<'_>) {
        let endpoint = record.last_try.as_ref().map(|(endpoint, _)| endpoint);
        let subject = record.identity.as_ref().and_then(|identity| self.subject(identity));
        let query = record.target.as_ref().and_then(PathAndQuery::query);
        let query = query.map(|query| match &self.secret {
            Some(secret) => Cow::Owned(secret.redacted(query)),
            None => Cow::Borrowed(query),
        });
        let entry = Entry {
            time: self.time,
            listener: origin.listener.name(),
            client: self.client,
            request_id: record.request_id.as_bytes(),
            method: record.method().as_bytes(),
            host: self.host.as_ref().map_or(b"", HeaderValue::as_bytes),
            path: record.path().as_bytes(),
            query: query.as_deref().map(str::as_bytes),
            protocol: self.version.map_or("", protocol),
            status: record.status,
            request_bytes: record.received(),
            response_bytes: record.sent,
            duration: record.took(),
            route: record.route.as_ref().map(|(_, route)| route.name()),
            upstream: endpoint.map(|endpoint| &**endpoint.upstream()),
            endpoint: endpoint.map(|endpoint| endpoint.address()),
            tries: record.tries,
            upstream_head: record.response_head,
            error: record.failure.map(|failure| failure.meaning().label),
            limit: record.limit.as_deref(),
            authenticator: record.identity.as_ref().map(|identity| &*identity.authenticator),
            subject: subject.as_deref(),
            cache: record.cache.map(CacheResult::label),
            user_agent: self.user_agent.as_ref().map(HeaderValue::as_bytes),
            referer: self.referer.as_ref().map(HeaderValue::as_bytes),
            tls_version: origin.tls.map(|tls| tls.version()),
            tls_server_name: origin.tls.and_then(|tls| tls.server_name.as_deref()),
            tls_client: origin.tls.and_then(|tls| Some(&*tls.peer.as_ref()?.names().subject)),
            trace_id: self.trace.as_ref().and_then(|trace| trace.to_str().ok()?.get(3..35)),
        };
        self.log.write(origin.worker, &entry);
    }
}

impl Line {
    /// The subject of an identity as the log writes it.
    fn subject<'i>(&self, identity: &'i Identity) -> Option<Cow<'i, str>> {
        let subject = identity.subject.as_deref()?;
        match self.log.plan.subjects {
            LoggedSubjects::Plain => Some(Cow::Borrowed(subject)),
            LoggedSubjects::Hashed => {
                let hash = Sha256::digest(subject.as_bytes());
                Some(hash[..8].iter().map(|byte| format!("{byte:02x}")).collect())
            }
            LoggedSubjects::None => None,
        }
    }
}

impl Witness for Line {
    #[inline(always)]
    fn event(&mut self, _at: Instant, event: &Event<'_>, record: &Record) {
        if let Event::Ended { origin } = event {
            self.write(record, origin);
        }
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}
