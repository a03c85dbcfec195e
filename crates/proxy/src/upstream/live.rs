//! Live values of upstreams: the set of endpoints that a source found, what operators said of them, and what was learnt
//! before the process began.
//!
//! They are no part of the configuration. They are kept here by the upstream's name, whether there is such an
//! upstream or not, and hold in this order: the operator's word, the file, the source.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tidegate_core::plan;
use tidegate_core::predict::{Knowledge, Predictor};
use tidegate_core::time::Moment;

use super::word::Word;
use crate::net::Address;

/// Words that are kept at the most, upstreams with a set, and endpoints of one set.
pub const MOST: usize = 65_536;

/// The live values of all upstreams.
#[derive(Debug, Default)]
pub struct LiveEndpoints {
    upstreams: HashMap<String, LiveUpstream>,
    words: usize,
    changes: u64,
}

/// The live values of one upstream.
#[derive(Debug, Default)]
pub struct LiveUpstream {
    /// Another one with each change.
    version: u64,
    source: Vec<plan::Endpoint>,
    words: HashMap<String, Word>,
    /// What an earlier process learnt of its requests' costs.
    learnt: Option<Knowledge>,
}

impl LiveEndpoints {
    /// Those of one upstream.
    pub fn of(&self, upstream: &str) -> &LiveUpstream {
        static NONE: std::sync::LazyLock<LiveUpstream> = std::sync::LazyLock::new(Default::default);
        self.upstreams.get(upstream).unwrap_or(&NONE)
    }

    /// All that there are, by the upstream's name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &LiveUpstream)> {
        self.upstreams.iter().map(|(name, live)| (name.as_str(), live))
    }

    /// Let the set that a source found for `upstream` be `endpoints`; none: nothing was found. Answers with the
    /// set before it.
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    pub fn set_source(
        &mut self,
        upstream: &str,
        endpoints: Vec<plan::Endpoint>,
    ) -> Result<Vec<plan::Endpoint>, String> {
        check_source(&endpoints)?;
        self.change(upstream, |live| std::mem::replace(&mut live.source, endpoints))
    }

    /// Let an operator's word on the endpoint at `address` hold, or none. Answers with the word before it.
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    pub fn set_word(
        &mut self,
        upstream: &str,
        address: &str,
        word: Option<Word>,
    ) -> Result<Option<Word>, String> {
        if let Some(word) = &word {
            if word.duty.is_none() && word.weight.is_none() {
                return Err("a word says `duty` or `weight` or both".into());
            }
            Address::parse(address)?;
            if self.words >= MOST && !self.of(upstream).words.contains_key(address) {
                return Err(format!(
                    "{MOST} words are kept already: take back those that are not needed any more"
                ));
            }
        }
        let given = usize::from(word.is_some());
        let before = self.change(upstream, |live| match word {
            Some(word) => live.words.insert(address.to_owned(), word),
            None => live.words.remove(address),
        })?;
        self.words = self.words + given - usize::from(before.is_some());
        Ok(before)
    }

    /// Let predictions for `upstream` begin with what an earlier process had `learnt`, where none are made yet.
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    pub fn set_learnt(&mut self, upstream: &str, learnt: Knowledge) -> Result<(), String> {
        Predictor::restored(&learnt, Moment::default())?;
        self.change(upstream, |live| live.learnt = Some(learnt))
    }

    fn change<B>(
        &mut self,
        upstream: &str,
        change: impl FnOnce(&mut LiveUpstream) -> B,
    ) -> Result<B, String> {
        if self.upstreams.len() >= MOST && !self.upstreams.contains_key(upstream) {
            return Err(format!("{MOST} upstreams have live values already"));
        }
        self.changes += 1;
        let live = self.upstreams.entry(upstream.to_owned()).or_default();
        live.version = self.changes;
        let before = change(live);
        if live.source.is_empty() && live.words.is_empty() && live.learnt.is_none() {
            self.upstreams.remove(upstream);
        }
        Ok(before)
    }
}

impl LiveUpstream {
    /// Another number with each change; 0 where there are none.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What an earlier process learnt of its requests' costs.
    pub fn learnt(&self) -> Option<&Knowledge> {
        self.learnt.as_ref()
    }

    /// What an operator said of the endpoint at `address`.
    pub fn word(&self, address: &str) -> Option<&Word> {
        self.words.get(address)
    }

    /// All words, with the addresses of their endpoints.
    pub fn words(&self) -> impl Iterator<Item = (&str, &Word)> {
        self.words.iter().map(|(address, word)| (address.as_str(), word))
    }

    /// `upstream` with the source's endpoints after the file's own, which hold where an address is in both.
    pub fn joined(&self, upstream: &Arc<plan::Upstream>) -> Arc<plan::Upstream> {
        if self.source.is_empty() {
            return upstream.clone();
        }
        let own: HashSet<&str> = upstream.endpoints.iter().map(|each| &*each.address).collect();
        let found = self.source.iter().filter(|each| !own.contains(&*each.address));
        let mut joined = plan::Upstream::clone(upstream);
        joined.endpoints.extend(found.cloned());
        Arc::new(joined)
    }

    /// `upstream` as it is where the operators' words hold.
    pub fn over<'a>(&self, upstream: &'a plan::Upstream) -> Cow<'a, plan::Upstream> {
        if self.words.is_empty() {
            return Cow::Borrowed(upstream);
        }
        let mut told = upstream.clone();
        for endpoint in &mut told.endpoints {
            if let Some(word) = self.words.get(&endpoint.address) {
                *endpoint = word.over(endpoint);
            }
        }
        Cow::Owned(told)
    }
}

fn check_source(endpoints: &[plan::Endpoint]) -> Result<(), String> {
    if endpoints.len() > MOST {
        return Err(format!("a set has at most {MOST} endpoints, not {}", endpoints.len()));
    }
    let mut seen = HashSet::with_capacity(endpoints.len());
    for endpoint in endpoints {
        Address::parse(&endpoint.address)?;
        if !seen.insert(&endpoint.address) {
            return Err(format!("the endpoint {} is in the set twice", endpoint.address));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {

    use super::*;
    use crate::testing;

    fn endpoint(address: &str, weight: u32) -> plan::Endpoint {
        plan::Endpoint { weight, drain: true, ..testing::endpoint(address) }
    }

    fn upstream(endpoints: &[(&str, u32)]) -> Arc<plan::Upstream> {
        let mut upstream = testing::upstream();
        upstream.endpoints = endpoints.iter().map(|(at, weight)| endpoint(at, *weight)).collect();
        Arc::new(upstream)
    }

    fn word(weight: u32) -> Word {
        Word { weight: Some(weight), ..Word::default() }
    }

    fn weights(upstream: &plan::Upstream) -> Vec<(&str, u32)> {
        upstream.endpoints.iter().map(|each| (each.address.as_str(), each.weight)).collect()
    }

    #[test]
    fn an_operators_word_holds_over_the_file_and_the_file_over_the_source() {
        let mut live = LiveEndpoints::default();
        let found = vec![endpoint("b:1", 20), endpoint("c:1", 20), endpoint("d:1", 20)];
        live.set_source("app", found).unwrap();
        live.set_word("app", "b:1", Some(word(30))).unwrap();
        live.set_word("app", "d:1", Some(word(30))).unwrap();
        let joined = live.of("app").joined(&upstream(&[("a:1", 10), ("b:1", 10)]));
        assert_eq!(weights(&joined), [("a:1", 10), ("b:1", 10), ("c:1", 20), ("d:1", 20)]);
        let told = live.of("app").over(&joined);
        assert_eq!(weights(&told), [("a:1", 10), ("b:1", 30), ("c:1", 20), ("d:1", 30)]);
    }

    #[test]
    fn where_nothing_is_said_nothing_is_copied() {
        let (live, upstream) = (LiveEndpoints::default(), upstream(&[("a:1", 1)]));
        assert!(Arc::ptr_eq(&live.of("app").joined(&upstream), &upstream));
        assert!(matches!(live.of("app").over(&upstream), Cow::Borrowed(_)));
    }

    #[test]
    fn a_word_that_is_taken_back_leaves_nothing() {
        let mut live = LiveEndpoints::default();
        live.set_word("app", "a:1", Some(word(3))).unwrap();
        assert_eq!(live.set_word("app", "a:1", Some(word(4))).unwrap(), Some(word(3)));
        assert_eq!(live.set_word("app", "a:1", None).unwrap(), Some(word(4)));
        assert_eq!(live.set_word("app", "a:1", None).unwrap(), None);
        assert_eq!((live.all().count(), live.words), (0, 0));
        assert_eq!(live.of("app").version(), 0);
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        let mut live = LiveEndpoints::default();
        let nothing = live.set_word("app", "a:1", Some(Word::default())).unwrap_err();
        assert_eq!(nothing, "a word says `duty` or `weight` or both");
        assert!(live.set_word("app", "nowhere", Some(word(1))).is_err());
        let twice = vec![endpoint("a:1", 1), endpoint("a:1", 2)];
        assert_eq!(
            live.set_source("app", twice).unwrap_err(),
            "the endpoint a:1 is in the set twice"
        );
        assert!(live.set_source("app", vec![endpoint("nowhere", 1)]).is_err());
        assert_eq!(live.all().count(), 0);
    }

    #[test]
    fn so_many_words_are_kept_and_no_more() {
        let mut live = LiveEndpoints::default();
        for port in 1..=MOST / 2 {
            live.set_word("a", &format!("h:{port}"), Some(word(1))).unwrap();
            live.set_word("b", &format!("h:{port}"), Some(word(1))).unwrap();
        }
        assert!(live.set_word("c", "h:1", Some(word(1))).is_err());
        live.set_word("a", "h:1", Some(word(2))).unwrap();
        live.set_word("a", "h:1", None).unwrap();
        live.set_word("c", "h:1", Some(word(1))).unwrap();
    }
}
