//! Address rules: whether a client may use a route, by where its address is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::DeniedBy;
use super::lists::{Lists, Unlisted};
use super::networks::{KeptOut, Networks};
use crate::geo::{Asn, Country, Whereabouts};
use crate::plan::{self, Issue};

/// The word for what no database knows.
const UNKNOWN: &str = "unknown";

/// What a client's address must be like.
#[derive(Debug, Clone)]
pub struct AddressRules {
    networks: Option<Networks>,
    countries: Option<Lists<Country>>,
    asns: Option<Lists<Asn>>,
}

/// Why an address is kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressDenied {
    /// By its network.
    Network(KeptOut),
    /// By its country.
    Country(Unlisted<Country>),
    /// By its autonomous system.
    Asn(Unlisted<Asn>),
}

impl AddressRules {
    /// Reads the options of `wanted`, which stands at `at`; `None` where none is about addresses. What is wrong is added
    /// to `issues`, and left out.
    pub fn build(wanted: &plan::Access, at: &str, issues: &mut Vec<Issue>) -> Option<Self> {
        let networks = wanted
            .networks
            .as_ref()
            .map(|networks| Networks::build(networks, &format!("{at}.networks"), issues));
        let countries = lists(wanted.countries.as_ref(), &format!("{at}.countries"), issues);
        let asns = lists(wanted.asns.as_ref(), &format!("{at}.asns"), issues);
        let has_any = networks.is_some() || countries.is_some() || asns.is_some();
        has_any.then_some(Self { networks, countries, asns })
    }

    /// Let the client at `address` in or not.
    ///
    /// # Errors
    /// What keeps it out first.
    pub fn check(
        &self,
        address: Option<IpAddr>,
        whereabouts: &dyn Whereabouts,
    ) -> Result<(), AddressDenied> {
        if let Some(networks) = &self.networks {
            networks.check(address).map_err(AddressDenied::Network)?;
        }
        if let Some(countries) = &self.countries {
            let country = address.and_then(|address| whereabouts.country(address));
            countries.check(country).map_err(AddressDenied::Country)?;
        }
        if let Some(asns) = &self.asns {
            let asn = address.and_then(|address| whereabouts.asn(address));
            asns.check(asn).map_err(AddressDenied::Asn)?;
        }
        Ok(())
    }
}

fn lists<T: Copy + Ord + FromStr<Err = String>>(
    wanted: Option<&plan::Lists>,
    at: &str,
    issues: &mut Vec<Issue>,
) -> Option<Lists<T>> {
    let wanted = wanted?;
    let mut read = |option: &str, words: &[String]| {
        let word = |(index, word): (usize, &String)| match word.as_str() {
            UNKNOWN => Some(None),
            word => {
                let thing = word.parse();
                let told = |wrong| issues.push(Issue::new(format!("{at}.{option}.{index}"), wrong));
                thing.map_err(told).ok().map(Some)
            }
        };
        words.iter().enumerate().filter_map(word).collect()
    };
    Some(Lists::new(read("allow", &wanted.allow), read("deny", &wanted.deny)))
}

impl AddressDenied {
    /// The option that keeps it out.
    pub fn by(&self) -> DeniedBy {
        match self {
            Self::Network(_) => DeniedBy::Networks,
            Self::Country(_) => DeniedBy::Countries,
            Self::Asn(_) => DeniedBy::Asns,
        }
    }
}

/// The address, and what is known of it, is not told: only the rule is.
impl fmt::Display for AddressDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(kept_out) => kept_out.fmt(f),
            Self::Country(unlisted) => told(unlisted, "country", f),
            Self::Asn(unlisted) => told(unlisted, "autonomous system", f),
        }
    }
}

fn told<T: fmt::Display>(
    unlisted: &Unlisted<T>,
    what: &str,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    match unlisted {
        Unlisted::Denied(Some(thing)) => write!(f, "{thing} is denied"),
        Unlisted::Denied(None) => write!(f, "an unknown {what} is denied"),
        Unlisted::NotAllowed => write!(f, "the {what} is none that is allowed"),
    }
}
