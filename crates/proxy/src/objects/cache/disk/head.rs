//! A stored response without its body, as bytes.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tidegate_core::cache::Terms;
use tidegate_core::cache::freshness::Source;
use tidegate_core::cache::key::StoredKey;
use tidegate_core::cache::slice::Slices;
use tidegate_core::cache::tags::Tags;
use tidegate_core::cache::vary::Vary;
use tidegate_core::time::{Moment, Span};
use xxhash_rust::xxh3::xxh3_128;

use super::bytes::{Reading, Written};
use super::clock::DiskClock;
use crate::objects::cache::content::Content;
use crate::objects::cache::entry::{Entry, Parts};
use crate::objects::cache::sliced::Sliced;

/// The head of `entry`.
pub fn write(entry: &Entry, clock: &DiskClock) -> Vec<u8> {
    let mut out = Written::default();
    out.hash(entry.key.url);
    out.text(&entry.key.text);
    out.number(u64::from(entry.status.as_u16()));
    out.number(entry.arrived);
    // With the purges before that it was compared.
    out.number(entry.compared.load(Relaxed));
    write_terms(&entry.terms_now(), clock, &mut out);
    out.text(&entry.vary.to_bytes());
    out.number(entry.tags.hashes().len() as u64);
    out.numbers(entry.tags.hashes());
    out.number(entry.fields.iter().count() as u64);
    for (name, value) in entry.fields.iter() {
        out.text(name);
        out.text(value);
    }
    if let Some(Sliced { slices, version }) = entry.sliced() {
        out.numbers(&[slices.length, slices.size]);
        out.hash(version);
    }
    out.0
}

/// What has this head, and a body that is still to be put in; `None`: it is no head.
pub fn read(head: &[u8], clock: &DiskClock, now: Moment) -> Option<Parts> {
    let mut reading = Reading(head);
    let url = reading.hash()?;
    let text: Box<[u8]> = reading.text()?.into();
    let key = Arc::new(StoredKey { url, hash: xxh3_128(&text), text });
    let status = StatusCode::from_u16(u16::try_from(reading.number()?).ok()?).ok()?;
    let arrived = reading.number()?;
    let asked_at = reading.number()?;
    let terms = read_terms(&mut reading, clock, now)?;
    let vary = Vary::from_bytes(reading.text()?)?;
    let tags = reading.number()?;
    let tags = (0..tags).map(|_| reading.number()).collect::<Option<_>>()?;
    let mut headers = HeaderMap::new();
    for _ in 0..reading.number()? {
        let name = HeaderName::from_bytes(reading.text()?).ok()?;
        headers.append(name, HeaderValue::from_bytes(reading.text()?).ok()?);
    }
    let content = match reading.0.is_empty() {
        true => Content::Whole(Default::default()),
        false => {
            let (length, size) = (reading.number()?, reading.number()?);
            let (slices, version) = (Slices { length, size }, reading.hash()?);
            Content::Sliced((size > 0).then_some(Sliced { slices, version })?)
        }
    };
    let tags = Tags::of_hashes(tags);
    let fields = headers.iter().collect();
    let parts = Parts { key, status, fields, content, terms, vary, tags, arrived, asked_at };
    reading.0.is_empty().then_some(parts)
}

fn write_terms(terms: &Terms, clock: &DiskClock, out: &mut Written) {
    out.number(clock.at(terms.arrived));
    let spans = [
        terms.initial_age,
        terms.lifetime,
        terms.while_revalidate,
        terms.if_error,
        terms.if_disconnected,
    ];
    for span in spans {
        out.number(span.0);
    }
    for flag in [terms.validate_always, terms.never_stale, terms.immutable] {
        out.number(flag.into());
    }
    out.text(terms.by.label().as_bytes());
}

fn read_terms(reading: &mut Reading<'_>, clock: &DiskClock, now: Moment) -> Option<Terms> {
    let arrived = reading.number()?;
    let mut span = || reading.number().map(Span);
    let (initial_age, lifetime) = (span()?, span()?);
    let (while_revalidate, if_error, if_disconnected) = (span()?, span()?, span()?);
    let mut flag = || reading.number().map(|flag| flag != 0);
    let (validate_always, never_stale, immutable) = (flag()?, flag()?, flag()?);
    let by = Source::labelled(str::from_utf8(reading.text()?).ok()?)?;
    let terms = Terms {
        arrived: now,
        initial_age,
        lifetime,
        by,
        validate_always,
        never_stale,
        while_revalidate,
        if_error,
        if_disconnected,
        immutable,
    };
    Some(clock.recall(terms, arrived, now))
}
