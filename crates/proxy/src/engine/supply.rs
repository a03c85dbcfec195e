//! Live values: what is no part of the configuration, supplied beside it.
//!
//! A value is taken at once, off the workers, and survives every commit. It may come before the commit that names
//! what it belongs to.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use tidegate_core::plan;

use super::Engine;
use crate::account::outbox::Notice;
use crate::upstream::Upstream;
use crate::upstream::live::LiveEndpoints;
use crate::upstream::word::Word;

/// An operator's word on an endpoint, as it is supplied.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    address: String,
    word: Option<Word>,
}

impl Engine {
    /// Take `value`, which is of this kind and name, into force at once.
    ///
    /// # Errors
    /// What is wrong with it, for people; nothing has changed then.
    pub fn supply(&self, kind: &str, name: &str, value: &[u8]) -> Result<(), String> {
        match kind {
            "endpoint" => self.supply_word(name, read(value)?),
            "endpoints" => self.supply_source(name, read(value)?),
            "geoip" => self.snapshot().geoip.replace(name, value),
            "learnt" => self.live.lock().set_learnt(name, read(value)?),
            "log" => self.supply_log(name, value),
            "api_key" => self.live_authenticators.of(name)?.supply_api_keys(name, value),
            "keys" => self.live_authenticators.of(name)?.supply_keys(value),
            "revocations" => self.live_authenticators.of(name)?.supply_revocations(read(value)?),
            "quic_secret" => self.quic_secret.set(value),
            "model" => self.supply_model(name, value),
            "purge" => self.purge(name, &read(value)?),
            "fresh_bucket" => self.forget_key(name, &read::<Vec<Option<String>>>(value)?),
            other => Err(format!(
                "there is no live value `{other}`: expected `api_key`, `endpoint`, `endpoints`, `fresh_bucket`, `geoip`, \
                 `keys`, `learnt`, `log`, `model`, `purge`, `quic_secret` or `revocations`"
            )),
        }
    }

    /// What an operator says of an endpoint.
    fn supply_word(&self, upstream: &str, told: Told) -> Result<(), String> {
        let Told { address, word } = told;
        let _turn = self.turn.lock();
        let mut live = self.live.lock();
        let before = live.set_word(upstream, &address, word.clone())?;
        let present = match self.upstream(upstream) {
            None => false,
            Some(found) => match self.put_word(&found, &address, &live) {
                Ok(present) => present,
                Err(wrong) => {
                    live.set_word(upstream, &address, before)?;
                    return Err(wrong);
                }
            },
        };
        let (upstream, endpoint) = (upstream.to_owned(), address);
        let word = json!(word);
        self.common.accounts.outbox.tell(Notice::WordApplied { upstream, endpoint, word, present });
        Ok(())
    }

    /// Put what is said of the endpoint at `address` into force; false if there is no such endpoint.
    fn put_word(
        &self,
        upstream: &Arc<Upstream>,
        address: &str,
        live: &LiveEndpoints,
    ) -> Result<bool, String> {
        let live = live.of(&upstream.plan.name);
        let membership = upstream.membership();
        let Some(index) = membership.find(address) else { return Ok(false) };
        if !membership.apply_one(index, live) {
            upstream.renew(live, upstream, &self.common.accounts)?;
            self.watch_anew();
        }
        Ok(true)
    }

    /// The endpoints that a source found.
    fn supply_source(&self, upstream: &str, endpoints: Vec<plan::Endpoint>) -> Result<(), String> {
        let _turn = self.turn.lock();
        let mut live = self.live.lock();
        let before = live.set_source(upstream, endpoints)?;
        if let Some(found) = self.upstream(upstream) {
            if let Err(wrong) = found.renew(live.of(upstream), &found, &self.common.accounts) {
                live.set_source(upstream, before)?;
                return Err(wrong);
            }
            self.watch_anew();
        }
        Ok(())
    }

    /// A model, for the upstreams that name it.
    fn supply_model(&self, name: &str, tar: &[u8]) -> Result<(), String> {
        self.models.set(name, tar)?;
        let _turn = self.turn.lock();
        self.models.serve(&self.snapshot().upstreams);
        Ok(())
    }

    fn supply_log(&self, name: &str, value: &[u8]) -> Result<(), String> {
        match name {
            "filter" => {
                let directives =
                    str::from_utf8(value).map_err(|_| "a log filter is text in UTF-8")?;
                self.log.set(directives)
            }
            "reopen" => {
                if let Some(log) = &self.snapshot().access_log {
                    log.reopen();
                }
                Ok(())
            }
            other => Err(format!("there is no log value `{other}`: expected `filter` or `reopen`")),
        }
    }

    /// The upstream of this name that is served.
    fn upstream(&self, name: &str) -> Option<Arc<Upstream>> {
        self.snapshot().upstreams.iter().find(|upstream| upstream.plan.name == name).cloned()
    }

    /// Have the endpoints that there are now checked and probed.
    fn watch_anew(&self) {
        self.threads.watch(&self.snapshot());
    }
}

/// A value in JSON.
fn read<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(value).map_err(|error| format!("the value is malformed: {error}"))
}
