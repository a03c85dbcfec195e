//! The method PURGE: a client that the route lets do so has what is stored of a URL purged. The origin is not asked.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde_json::json;
use tidegate_core::cache::{is_purge, is_soft_purge};
use tidegate_core::failure::Failure;

use super::Asking;
use crate::account::metrics::{CacheResult, PurgeKind};
use crate::account::outbox::Notice;
use crate::call::Call;
use crate::http::body::Body;
use crate::objects::cache::fleet::WORD;
use crate::objects::cache::{Force, PurgeRequest, Purging, Target, written};
use crate::steps::time_limit::Steps;

/// What answers the request, where it is one to purge.
///
/// # Errors
/// If its client may not.
pub fn purge<'a>(asking: &'a Asking<'_>, call: &'a Call<'_>) -> Result<Option<Steps<'a>>, Failure> {
    let Some(rule) = asking.settings.purge.as_ref().filter(|_| is_purge(&call.head.method)) else {
        return Ok(None);
    };
    if !rule.lets(call.address, call.head) {
        return Err(Failure::PurgeForbidden);
    }
    Ok(Some(Box::pin(asking.purge(call))))
}

impl Asking<'_> {
    async fn purge(&self, call: &Call<'_>) -> Result<Response<Body>, Failure> {
        let Some(target) = &self.target else { return Err(Failure::Internal) };
        let soft = is_soft_purge(&call.head.headers);
        let purging = Purging {
            kind: PurgeKind::Url,
            targets: self.of.urls.hashes(&target.url()).map(Target::Url).collect(),
            force: if soft { Force::Soft } else { Force::Hard },
        };
        let (cache, local) = (&self.of.cache, &call.client.local);
        let (purged, long_work) = (cache.clone(), local.outbound.long_work.clone());
        // A disk is waited for, which no worker does.
        let done = local.outbound.long_work.result(move || purged.purge([purging], &long_work));
        let purged = done.await.map_err(|_| Failure::Internal)?;
        let url = written(&target.url());
        let is_told = match &cache.fleet {
            Some(fleet) => {
                let number = fleet.tell(&PurgeRequest::of_url(url.clone(), soft));
                fleet.waiting.becomes_told(number, WORD).await
            }
            None => true,
        };
        if let Err(cause) = purged {
            tracing::error!(cache = cache.plan.name, cause, "a purge is not whole");
            return Err(Failure::Internal);
        }
        self.tell(CacheResult::Purged, call, 0, &|| self.decision(CacheResult::Purged));
        let cache = cache.plan.name.clone();
        let mut answer = json!({"url": url, "cache": cache, "soft": soft});
        if !is_told {
            answer["untold"] = json!([cache]);
        }
        let peer = call.address.map_or_else(|| "a Unix socket".into(), |from| from.to_string());
        let author = format!("PURGE from {peer}");
        local.accounts.outbox.tell(Notice::Purged { cache, url, soft, author });
        let mut response = Response::new(Body::full(answer.to_string()));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Ok(response)
    }
}
