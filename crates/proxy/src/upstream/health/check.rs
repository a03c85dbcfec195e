//! One check of any kind.

use tidegate_core::plan;

use super::grpc::GrpcCheck;
use super::http::HttpCheck;
use super::words::told;
use crate::upstream::fetch::Fetch;

/// How the endpoints of an upstream are checked.
#[derive(Debug)]
pub enum Check {
    /// By an HTTP request.
    Http(Box<HttpCheck>),
    /// By a connection.
    Tcp,
    /// By the gRPC health protocol.
    Grpc(Box<GrpcCheck>),
}

impl Check {
    /// The check that `plan` asks for, if any; it has no [mistakes](tidegate_core::health::check).
    pub fn build(plan: &plan::Health) -> Option<Self> {
        match (&plan.http, &plan.tcp, &plan.grpc) {
            (Some(http), ..) => HttpCheck::build(http).map(Box::new).map(Self::Http),
            (_, Some(_), _) => Some(Self::Tcp),
            (.., Some(grpc)) => GrpcCheck::build(grpc).map(Box::new).map(Self::Grpc),
            (None, None, None) => None,
        }
    }

    /// Check once.
    ///
    /// # Errors
    /// How it failed, for people: `status 503`.
    pub async fn run(&self, fetch: &Fetch<'_>) -> Result<(), String> {
        match self {
            Self::Http(http) => http.run(fetch).await,
            Self::Tcp => fetch.open().await.map(drop).map_err(told),
            Self::Grpc(grpc) => grpc.run(fetch).await,
        }
    }
}
