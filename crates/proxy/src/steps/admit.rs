//! Admit: the upstream takes the request, perhaps after a wait.

use tidegate_core::failure::Failure;

use crate::account::event::Event;
use crate::call::Call;
use crate::snapshot::RoutePriority;
use crate::upstream::Upstream;
use crate::upstream::admission::Permit;

/// Wait for the request's turn. Its permit is held until the response's end.
///
/// # Errors
/// Why its turn does not come.
pub async fn before<'a>(
    priority: &RoutePriority,
    upstream: &Upstream,
    call: &mut Call<'a>,
) -> Result<&'a Permit, Failure> {
    let class = priority.of(&call.head.headers, call.client.peer.trusted);
    let transaction = call.transaction;
    let now = transaction.witnesses.coarse_now();
    match upstream.admit(&call.client.local.outbound, class, now).await {
        Ok(permit) => {
            let permit = transaction.permit.get_or_init(|| permit);
            let decision = || upstream.admission.decision(true);
            let event = Event::UpstreamAdmitted { decision: &decision };
            transaction.witnesses.tell_at(permit.began(), &event);
            Ok(permit)
        }
        Err(failure) => {
            call.tell(&Event::LimitDecided(upstream.admission.decision(false)));
            Err(failure)
        }
    }
}
