//! Admit: the upstream takes the request, perhaps after a wait.

use tidegate_core::failure::Failure;

use crate::account::event::Event;
use crate::account::relay::Listening;
use crate::call::Call;
use crate::snapshot::Forward;
use crate::upstream::Upstream;
use crate::upstream::admission::Permit;
use crate::upstream::cost::CostOf;

/// Wait for the request's turn. Its permit is held until the response's end.
///
/// # Errors
/// Why its turn does not come.
pub async fn before<'a>(
    forward: &Forward,
    upstream: &Upstream,
    call: &mut Call<'a>,
) -> Result<&'a Permit, Failure> {
    let priority = forward.priority.of(&call.head.headers, call.client.peer.trusted);
    let transaction = call.transaction;
    let now = transaction.witnesses.coarse_now();
    let cost_of = CostOf { route: forward.cost, priority, head: call.head };
    let (outbound, listening) =
        (&call.client.local.outbound, Listening::Witnesses(&transaction.witnesses));
    match upstream.admit(outbound, &cost_of, call.time_left, listening, now).await {
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
