//! Networks: whether an address is let in.
//!
//! The rule with the longest prefix decides, as in a table of routes, so that an exception can stand beside what it is
//! an exception of, in any order and in any file. Between two rules of one length it is `deny`. An address that no rule
//! has is let in unless something is allowed: who lists what may come means that nothing else may.

use std::net::IpAddr;

use ipnet::IpNet;

use super::network_list::{self, bounds_v4, bounds_v6, canonical};
use super::ranges::{Range, Ranges};
use crate::plan::{self, Issue};

/// Which addresses are let in.
#[derive(Debug, Clone)]
pub struct Networks {
    rules: Box<[Rule]>,
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    lets_others_in: bool,
}

/// A network, and whether it is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    network: IpNet,
    allows: bool,
}

/// What keeps an address out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptOut {
    /// The network that is denied.
    By(IpNet),
    /// It is in none that is allowed.
    Unlisted,
}

impl Networks {
    /// Reads the option `wanted`, which stands at `at`. What is wrong with its files is added to `issues`, and left out.
    pub fn build(wanted: &plan::Networks, at: &str, issues: &mut Vec<Issue>) -> Self {
        let mut rules = Vec::new();
        let mut add = |networks: Vec<IpNet>, allows| {
            let rule = |network| Rule { network: canonical(network), allows };
            rules.extend(networks.into_iter().map(rule));
        };
        add(wanted.allow.clone(), true);
        add(wanted.deny.clone(), false);
        for (option, files, allows) in
            [("allow_files", &wanted.allow_files, true), ("deny_files", &wanted.deny_files, false)]
        {
            for (index, text) in files.iter().enumerate() {
                match network_list::read(text) {
                    Ok(networks) => add(networks, allows),
                    Err(wrong) => issues.push(Issue::new(format!("{at}.{option}.{index}"), wrong)),
                }
            }
        }
        let lets_others_in = wanted.allow.is_empty() && wanted.allow_files.is_empty();
        Self::new(rules, lets_others_in)
    }

    /// These, and no others.
    pub fn of(networks: Vec<IpNet>) -> Self {
        let rule = |network| Rule { network: canonical(network), allows: true };
        Self::new(networks.into_iter().map(rule).collect(), false)
    }

    fn new(mut rules: Vec<Rule>, lets_others_in: bool) -> Self {
        // Outer before inner, and what is denied after what is allowed of the same length.
        rules.sort_by_key(|rule| (rule.network.network(), rule.network.prefix_len(), !rule.allows));
        let (mut v4, mut v6): (Vec<Range<u32>>, Vec<Range<u128>>) = Default::default();
        for (index, rule) in (0..).zip(&rules) {
            match rule.network {
                IpNet::V4(network) => {
                    let (first, last) = bounds_v4(network);
                    v4.push((first, last, index));
                }
                IpNet::V6(network) => {
                    let (first, last) = bounds_v6(network);
                    v6.push((first, last, index));
                }
            }
        }
        let (v4, v6) = (Ranges::new(&v4), Ranges::new(&v6));
        Self { rules: rules.into(), v4, v6, lets_others_in }
    }

    /// Let `address` in or not; `None` is that of a peer that has none, as behind a Unix socket.
    ///
    /// # Errors
    /// What keeps it out.
    pub fn check(&self, address: Option<IpAddr>) -> Result<(), KeptOut> {
        let found = address.and_then(|address| match address.to_canonical() {
            IpAddr::V4(v4) => self.v4.find(v4.into()),
            IpAddr::V6(v6) => self.v6.find(v6.into()),
        });
        match found.and_then(|index| self.rules.get(index as usize)) {
            Some(rule) if rule.allows => Ok(()),
            Some(rule) => Err(KeptOut::By(rule.network)),
            None if self.lets_others_in => Ok(()),
            None => Err(KeptOut::Unlisted),
        }
    }
}

impl std::fmt::Display for KeptOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::By(network) => write!(f, "{network} is denied"),
            Self::Unlisted => f.write_str("the address is in no network that is allowed"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn networks(allow: &[&str], deny: &[&str]) -> Networks {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let wanted = plan::Networks {
            allow: list(allow),
            deny: list(deny),
            allow_files: Vec::new(),
            deny_files: Vec::new(),
        };
        Networks::build(&wanted, "n", &mut Vec::new())
    }

    fn lets_in(networks: &Networks, address: &str) -> bool {
        networks.check(Some(address.parse().unwrap())).is_ok()
    }

    #[test]
    fn what_is_denied_is_kept_out_and_all_else_let_in() {
        let networks = networks(&[], &["203.0.113.0/24", "2001:db8::/32"]);
        for kept_out in ["203.0.113.0", "203.0.113.255", "2001:db8::1", "::ffff:203.0.113.9"] {
            assert!(!lets_in(&networks, kept_out), "{kept_out}");
        }
        for let_in in
            ["203.0.112.255", "203.0.114.0", "0.0.0.0", "255.255.255.255", "2001:db9::", "::"]
        {
            assert!(lets_in(&networks, let_in), "{let_in}");
        }
        assert_eq!(networks.check(None), Ok(()), "a peer without an address is in no network");
    }

    #[test]
    fn where_something_is_allowed_nothing_else_is_let_in() {
        let networks = networks(&["10.0.0.0/8"], &[]);
        assert!(lets_in(&networks, "10.255.255.255"));
        for kept_out in ["9.255.255.255", "11.0.0.0", "::1"] {
            assert!(!lets_in(&networks, kept_out), "{kept_out}");
        }
        assert_eq!(networks.check(None), Err(KeptOut::Unlisted));
    }

    #[test]
    fn the_longest_prefix_decides_whichever_list_it_is_in() {
        let networks = networks(
            &["10.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0"],
            &["10.1.0.0/16", "10.1.2.0/24", "192.168.0.0/16"],
        );
        for (address, is_let_in) in [
            ("10.0.0.1", true),
            ("10.1.0.1", false),
            ("10.1.2.2", false),
            ("10.1.2.3", true),
            ("10.1.2.4", false),
            ("10.2.0.0", true),
            ("192.168.1.1", false),
            ("192.169.0.0", true),
        ] {
            assert_eq!(lets_in(&networks, address), is_let_in, "{address}");
        }
    }

    #[test]
    fn between_two_of_one_length_deny_decides() {
        assert!(!lets_in(&networks(&["10.0.0.0/8"], &["10.0.0.0/8"]), "10.0.0.1"));
    }

    #[test]
    fn what_keeps_out_is_told() {
        let networks = networks(&["0.0.0.0/0"], &["203.0.113.7/24"]);
        let told =
            |address: &str| networks.check(Some(address.parse().unwrap())).unwrap_err().to_string();
        assert_eq!(told("::ffff:203.0.113.9"), "203.0.113.0/24 is denied");
        assert_eq!(told("::1"), "the address is in no network that is allowed");
    }

    #[test]
    fn ipv4_addresses_that_are_written_as_ipv6_are_the_same_ones_and_no_others() {
        let mapped = networks(&[], &["::ffff:203.0.113.0/120"]);
        assert!(!lets_in(&mapped, "203.0.113.1") && lets_in(&mapped, "203.0.114.1"));
        let all_of_v6 = networks(&[], &["::/0"]);
        assert!(lets_in(&all_of_v6, "203.0.113.1"), "IPv4 is not what ::/0 means");
    }

    #[test]
    fn files_hold_networks_addresses_and_remarks() {
        let text =
            "\u{feff}# bad ones\r\n203.0.113.0/24 ; SBL1\n\n 198.51.100.7 # one\n2001:db8::/32";
        let wanted = plan::Networks {
            allow: Vec::new(),
            deny: Vec::new(),
            allow_files: Vec::new(),
            deny_files: vec![text.into()],
        };
        let mut issues = Vec::new();
        let networks = Networks::build(&wanted, "n", &mut issues);
        assert_eq!(issues, []);
        for kept_out in ["203.0.113.9", "198.51.100.7", "2001:db8::1"] {
            assert!(!lets_in(&networks, kept_out), "{kept_out}");
        }
        assert!(lets_in(&networks, "198.51.100.8"));
    }

    #[test]
    fn a_line_that_is_no_network_is_told_with_its_number() {
        for line in ["203.0.113.0/33", "10.0.0.0-10.0.0.9", "example.com", "<html>"] {
            let wanted = plan::Networks {
                allow: Vec::new(),
                deny: Vec::new(),
                allow_files: vec!["10.0.0.0/8".into(), format!("10.0.0.0/8\n{line}\n")],
                deny_files: Vec::new(),
            };
            let mut issues = Vec::new();
            Networks::build(&wanted, "n", &mut issues);
            assert_eq!(issues[0].path, "n.allow_files.1");
            let wrong = format!(
                "line 2: expected a network like 203.0.113.0/24 or an address; found `{line}`"
            );
            assert_eq!(issues[0].message, wrong);
        }
    }

    #[test]
    fn a_file_of_nothing_that_may_come_lets_nothing_in() {
        let wanted = plan::Networks {
            allow: Vec::new(),
            deny: Vec::new(),
            allow_files: vec![String::new()],
            deny_files: Vec::new(),
        };
        assert!(!lets_in(&Networks::build(&wanted, "n", &mut Vec::new()), "10.0.0.1"));
    }

    /// Networks that are often nested, and addresses that are often in some.
    fn network() -> impl Strategy<Value = IpNet> {
        let v4 = (0..4_u8, any::<u8>(), 0..=32_u8)
            .prop_map(|(a, d, length)| IpNet::new(Ipv4Addr::new(10, a, 0, d).into(), length));
        let v6 = (0..4_u16, any::<u16>(), 0..=128_u8).prop_map(|(b, h, length)| {
            IpNet::new(Ipv6Addr::new(0x2001, b, 0, 0, 0, 0, 0, h).into(), length)
        });
        prop_oneof![v4, v6].prop_map(|network| network.unwrap())
    }

    proptest! {
        #[test]
        fn the_table_says_what_a_look_at_every_rule_says(
            rules in prop::collection::vec((network(), any::<bool>()), 0..40),
            asked in prop::collection::vec(network(), 1..40),
        ) {
            let rules: Vec<_> =
                rules.into_iter().map(|(network, allows)| Rule { network: canonical(network), allows }).collect();
            let table = Networks::new(rules.clone(), true);
            for address in asked.iter().map(|network| network.addr()) {
                let around = rules.iter().filter(|rule| rule.network.contains(&address));
                let longest = around.max_by_key(|rule| (rule.network.prefix_len(), !rule.allows));
                let expected = match longest {
                    Some(rule) if !rule.allows => Err(KeptOut::By(rule.network)),
                    _ => Ok(()),
                };
                prop_assert_eq!(table.check(Some(address)), expected);
            }
        }
    }
}
