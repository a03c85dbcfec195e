//! How many connections an endpoint and its upstream may have.

use std::num::NonZeroU32;
use std::sync::Arc;

use tidegate_core::failure::Failure;

use super::admission::Admission;
use super::{Member, Upstream};

/// One of the connections that an endpoint and its upstream may have; given back when dropped.
#[derive(Debug)]
pub struct ConnectionSlot {
    member: Arc<Member>,
    admission: Arc<Admission>,
}

impl ConnectionSlot {
    /// Take one, if neither the endpoint nor the upstream has all it may have.
    pub fn take(upstream: &Upstream, member: &Arc<Member>) -> Result<Self, Failure> {
        let plan = &upstream.plan;
        let of_member = plan.pool.max_connections.map(NonZeroU32::get);
        let of_upstream = plan.limits.connections.map(NonZeroU32::get);
        Self::within(upstream, member, of_member, of_upstream).ok_or(Failure::ConnectionLimit)
    }

    /// Take one whatever the limits are.
    pub fn force(upstream: &Upstream, member: &Arc<Member>) -> Result<Self, Failure> {
        Self::within(upstream, member, None, None).ok_or(Failure::ConnectionLimit)
    }

    fn within(
        upstream: &Upstream,
        member: &Arc<Member>,
        of_member: Option<u32>,
        of_upstream: Option<u32>,
    ) -> Option<Self> {
        let (admission, load) = (&upstream.admission, &member.endpoint.load);
        if !load.open_connection(of_member) {
            return None;
        }
        if !admission.connections.take(of_upstream.unwrap_or(u32::MAX)) {
            load.close_connection();
            return None;
        }
        Some(Self { member: member.clone(), admission: admission.clone() })
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.member.endpoint.load.close_connection();
        self.admission.connections.release();
    }
}
