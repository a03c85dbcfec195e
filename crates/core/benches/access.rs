//! What it costs to find out whether an address may come, among 100,000 ranges.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use criterion::{Criterion, criterion_group, criterion_main};
use ipnet::IpNet;
use tidegate_core::access::Networks;
use tidegate_core::balance::SplitMix64;
use tidegate_core::plan;

const RANGES: usize = 100_000;
/// A power of two, so that the next one is found without a division.
const ADDRESSES: usize = 1 << 14;

fn v4(random: &mut SplitMix64) -> IpAddr {
    Ipv4Addr::from(random.next() as u32).into()
}

/// Of those that are given out: 2000::/3.
fn v6(random: &mut SplitMix64) -> IpAddr {
    let (high, low) = (u128::from(random.next()), u128::from(random.next()));
    let bits = ((high << 64) | low) >> 3;
    Ipv6Addr::from(bits | (1 << 125)).into()
}

/// As long as those of lists that are in use: from /12 to /32, or from /29 to /64.
fn network(address: IpAddr, random: &mut SplitMix64) -> IpNet {
    let draw = random.next();
    let length = if address.is_ipv4() { 12 + draw % 21 } else { 29 + draw % 36 };
    IpNet::new(address, length as u8).unwrap()
}

fn access(c: &mut Criterion) {
    let mut group = c.benchmark_group("access");
    for (name, address) in [("ipv4", v4 as fn(&mut SplitMix64) -> IpAddr), ("ipv6", v6)] {
        let mut random = SplitMix64::new(7);
        let deny = (0..RANGES).map(|_| network(address(&mut random), &mut random)).collect();
        let files = Vec::new;
        let wanted =
            plan::Networks { allow: Vec::new(), deny, allow_files: files(), deny_files: files() };
        let networks = Networks::build(&wanted, "networks", &mut Vec::new());
        let asked: Vec<_> = (0..ADDRESSES).map(|_| address(&mut random)).collect();
        let mut next = 0;
        group.bench_function(format!("an {name} address among 100,000 ranges"), |bencher| {
            bencher.iter(|| {
                next = (next + 1) % ADDRESSES;
                networks.check(black_box(Some(asked[next])))
            });
        });
        group.bench_function(format!("a table of 100,000 {name} ranges is built"), |bencher| {
            bencher.iter(|| Networks::build(&wanted, "networks", &mut Vec::new()));
        });
    }
    group.finish();
}

criterion_group!(benches, access);
criterion_main!(benches);
