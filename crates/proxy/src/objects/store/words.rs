//! What is said of a limit's keys, as commands of the server, and what it answers.

use std::time::Duration;

use redis::{Pipeline, Value};
use tidegate_core::rate::fleet::{Grant, Placed, SharedQuota};

use super::GATEWAY;
use super::link::{Scripts, Trouble};

/// A gateway is there, and counts for so many milliseconds among those that share `limit`.
pub(super) fn presence(pipeline: &mut Pipeline, scripts: &Scripts, limit: &str, millis: u64) {
    let key = format!("{}gateways", tag(limit));
    pipeline.cmd("EVALSHA").arg(&scripts.gateways).arg(1).arg(key).arg(&*GATEWAY).arg(millis);
}

/// An order for a key of `limit`, which has these `quotas`; its lease lasts so many microseconds.
pub(super) fn order(
    pipeline: &mut Pipeline,
    scripts: &Scripts,
    limit: &str,
    placed: &Placed,
    quotas: &[SharedQuota],
    lease: u64,
) {
    let Placed { name, order, ahead, .. } = placed;
    let key = format!("{}{:032x}", tag(limit), u128::from_be_bytes(name.0));
    pipeline.cmd("EVALSHA").arg(&scripts.bucket).arg(1).arg(key);
    pipeline
        .arg(&*GATEWAY)
        .arg(lease)
        .arg(micros(order.age))
        .arg(micros(order.trip))
        .arg(order.spent)
        .arg(order.wish)
        .arg(u8::from(order.afresh));
    for (index, quota) in quotas.iter().enumerate() {
        let ahead = ahead.get(index).copied().unwrap_or(0.0);
        pipeline.arg(&*quota.name).arg(quota.interval).arg(quota.span).arg(ahead);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What the keys of a limit begin with. In a cluster what stands in braces decides which node has a key, so that one
/// has all of a limit.
fn tag(limit: &str) -> String {
    let escaped = limit.replace('%', "%25").replace('{', "%7B").replace('}', "%7D");
    format!("tidegate:{{{escaped}}}:")
}

/// The answer to an order.
pub(super) fn grant(answer: Value) -> Result<Grant, Trouble> {
    let numbers: Vec<i64> = match answer.extract_error()? {
        Value::Array(numbers) => numbers.into_iter().map(number).collect::<Result<_, _>>()?,
        other => return Err(Trouble::Unexpected(format!("{other:?}"))),
    };
    let Some((units, ahead)) = numbers.split_first() else {
        return Err(Trouble::Unexpected("nothing".into()));
    };
    let ahead = ahead.iter().map(|micros| *micros as f64).collect();
    Ok(Grant { units: u64::try_from(*units).unwrap_or(0), ahead })
}

/// An answer that is a number.
pub(super) fn number(answer: Value) -> Result<i64, Trouble> {
    match answer.extract_error()? {
        Value::Int(number) => Ok(number),
        other => Err(Trouble::Unexpected(format!("{other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_limit_have_one_hash_tag_whatever_its_name_is() {
        assert_eq!(tag("per-user"), "tidegate:{per-user}:");
        assert_eq!(tag("{a}%"), "tidegate:{%7Ba%7D%25}:");
    }
}
