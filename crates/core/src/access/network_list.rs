//! Lists of networks as files: one network or address a line.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks in the text of a file. What follows `#` or `;` in a line is a remark.
///
/// # Errors
/// What is wrong with which line.
pub(super) fn read(text: &str) -> Result<Vec<IpNet>, String> {
    let mut networks = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let written = line.split(['#', ';']).next().unwrap_or_default().trim();
        if !written.is_empty() {
            let network = network(written).ok_or_else(|| {
                let found: String = written.chars().take(60).collect();
                format!(
                    "line {}: expected a network like 203.0.113.0/24 or an address; found `{found}`",
                    index + 1
                )
            })?;
            networks.push(network);
        }
    }
    Ok(networks)
}

fn network(written: &str) -> Option<IpNet> {
    match written.contains('/') {
        true => written.parse().ok(),
        false => written.parse::<IpAddr>().ok().map(IpNet::from),
    }
}

/// The network without bits behind its prefix; one of IPv4 addresses that are written as IPv6 is one of IPv4.
pub(super) fn canonical(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    match network.trunc() {
        IpNet::V6(v6) if v6.prefix_len() >= MAPPED => {
            let v4 = v6.network().to_ipv4_mapped();
            let v4 = v4.and_then(|first| Ipv4Net::new(first, v6.prefix_len() - MAPPED).ok());
            v4.map_or(IpNet::V6(v6), IpNet::V4)
        }
        other => other,
    }
}

/// The first and the last address as numbers.
pub(super) fn bounds_v4(network: Ipv4Net) -> (u32, u32) {
    (network.network().into(), network.broadcast().into())
}

/// The same of IPv6.
pub(super) fn bounds_v6(network: Ipv6Net) -> (u128, u128) {
    (network.network().into(), network.broadcast().into())
}
