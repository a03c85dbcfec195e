//! Geo: the country and the autonomous system of an address, out of databases in the MaxMind DB format
//! (<https://maxmind.github.io/MaxMind-DB/>) with the fields of GeoIP2 and GeoLite2.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use maxminddb::{PathElement, Reader};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A country, by its code in ISO 3166-1 (two letters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Its code.
    pub fn code(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Country {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(format!("`{text}` is no country code of two letters")),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An autonomous system, by its number (RFC 6793).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asn(pub u32);

impl FromStr for Asn {
    type Err = String;

    /// Reads a number, with or without `AS` before it.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = match text.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("as") => &text[2..],
            _ => text,
        };
        digits
            .parse()
            .map(Self)
            .map_err(|_| format!("`{text}` is no number of an autonomous system"))
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

/// What knows where addresses are.
pub trait Whereabouts {
    /// The country of an address; `None` where that is not known.
    fn country(&self, address: IpAddr) -> Option<Country>;

    /// The autonomous system of an address; `None` where that is not known.
    fn asn(&self, address: IpAddr) -> Option<Asn>;
}

const COUNTRY: &[PathElement<'_>] = &[PathElement::Key("country"), PathElement::Key("iso_code")];
/// The country of whoever the address was given to: all that is known of some that are used in many.
const REGISTERED: &[PathElement<'_>] =
    &[PathElement::Key("registered_country"), PathElement::Key("iso_code")];
const NUMBER: &[PathElement<'_>] = &[PathElement::Key("autonomous_system_number")];

/// A database.
#[derive(Debug)]
pub struct Database(Reader<Vec<u8>>);

impl Database {
    /// The database of countries in `content`, read to its end once to be sure that it is whole.
    ///
    /// # Errors
    /// If it is none.
    pub fn of_countries(content: Vec<u8>) -> Result<Self, String> {
        Self::read(content, "country", |database, address| database.country(address).is_some())
    }

    /// The database of autonomous systems in `content`; as above.
    ///
    /// # Errors
    /// If it is none.
    pub fn of_asns(content: Vec<u8>) -> Result<Self, String> {
        Self::read(content, "autonomous system", |database, address| {
            database.asn(address).is_some()
        })
    }

    fn read(
        content: Vec<u8>,
        what: &str,
        knows: impl Fn(&Self, IpAddr) -> bool,
    ) -> Result<Self, String> {
        let broken = |error| format!("it is no whole MaxMind database: {error}");
        let database = Self(Reader::from_source(content).map_err(broken)?);
        // The reader's own `verify` asks for a description as well, which databases that people make may lack.
        let (mut read, mut knows_any) = (HashSet::new(), false);
        // A tree has one leaf more than it has nodes. More of them are the paths of a graph, which have no end.
        let most = database.0.metadata().node_count as usize + 1;
        for (count, found) in database.0.networks(Default::default()).map_err(broken)?.enumerate() {
            let found = found.map_err(broken)?;
            if count > most {
                return Err("it is no whole MaxMind database: its nodes are no tree".into());
            }
            if found.offset().is_some_and(|offset| read.insert(offset)) {
                found.decode::<IgnoredAny>().map_err(broken)?;
                let first = found.network().map_err(broken)?.ip();
                knows_any = knows_any || knows(&database, first);
            }
        }
        if !knows_any {
            let kind = &database.0.metadata().database_type;
            return Err(format!("it tells no {what} of any address: it is of the type `{kind}`"));
        }
        Ok(database)
    }

    /// The country of an address.
    pub fn country(&self, address: IpAddr) -> Option<Country> {
        let code: Option<&str> = self.look_up(address, COUNTRY);
        code.or_else(|| self.look_up(address, REGISTERED))?.parse().ok()
    }

    /// The autonomous system of an address.
    pub fn asn(&self, address: IpAddr) -> Option<Asn> {
        // Databases that people make hold it as a number of whichever type.
        let number: serde_json::Number = self.look_up(address, NUMBER)?;
        number.as_u64()?.try_into().ok().map(Asn)
    }

    fn look_up<'a, T: Deserialize<'a>>(
        &'a self,
        address: IpAddr,
        path: &[PathElement<'_>],
    ) -> Option<T> {
        // It was found to be whole, so that an error says no more than that nothing is known.
        self.0.lookup(address.to_canonical()).ok()?.decode_path(path).ok()?
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    // Made by `tests/e2e/harness/mmdb.py`.
    const COUNTRIES: &[u8] = include_bytes!("../tests/countries.mmdb");
    const ASNS: &[u8] = include_bytes!("../tests/asns.mmdb");

    fn country(address: &str) -> Option<String> {
        let database = Database::of_countries(COUNTRIES.to_vec()).unwrap();
        database.country(address.parse().unwrap()).map(|country| country.to_string())
    }

    #[test]
    fn an_address_has_the_country_that_the_database_says() {
        assert_eq!(country("203.0.113.9").as_deref(), Some("DE"));
        assert_eq!(country("::ffff:203.0.113.9").as_deref(), Some("DE"));
        assert_eq!(country("2001:db8::1").as_deref(), Some("FR"));
    }

    #[test]
    fn where_no_country_is_said_it_is_that_of_whoever_has_the_address() {
        assert_eq!(country("198.51.100.1").as_deref(), Some("US"));
    }

    #[test]
    fn of_other_addresses_no_country_is_known() {
        assert_eq!(country("192.0.2.1"), None);
        assert_eq!(country("2001:db9::1"), None);
    }

    #[test]
    fn an_address_has_the_system_that_the_database_says() {
        let database = Database::of_asns(ASNS.to_vec()).unwrap();
        let asn = |address: &str| database.asn(address.parse().unwrap());
        assert_eq!((asn("203.0.113.9"), asn("192.0.2.1")), (Some(Asn(64_500)), None));
    }

    #[test]
    fn a_graph_of_few_nodes_and_endless_paths_is_no_database() {
        let database = Database::of_countries(COUNTRIES.to_vec()).unwrap();
        let metadata = database.0.metadata();
        let (nodes, width) = (metadata.node_count, usize::from(metadata.record_size) / 8);
        let mut graph = COUNTRIES.to_vec();
        for (node, records) in (1..nodes).zip(graph.chunks_exact_mut(2 * width)).take(120) {
            for record in records.chunks_exact_mut(width) {
                record.copy_from_slice(&node.to_be_bytes()[4 - width..]);
            }
        }
        assert!(Database::of_countries(graph).unwrap_err().contains("no tree"));
    }

    #[test]
    fn what_is_not_whole_or_tells_something_else_is_no_database() {
        let half = COUNTRIES[COUNTRIES.len() / 2..].to_vec();
        for content in [Vec::new(), b"<html>".to_vec(), half] {
            assert!(Database::of_countries(content).is_err());
        }
        let other = Database::of_countries(ASNS.to_vec()).unwrap_err();
        assert!(other.starts_with("it tells no country of any address"), "{other}");
        assert!(Database::of_asns(COUNTRIES.to_vec()).is_err());
    }

    #[test]
    fn a_database_with_a_byte_of_another_value_is_refused_or_answers() {
        for at in 0..COUNTRIES.len() {
            let mut content = COUNTRIES.to_vec();
            content[at] ^= 0x55;
            if let Ok(database) = Database::of_countries(content) {
                let _ = database.country("203.0.113.9".parse().unwrap());
            }
        }
    }

    #[test]
    fn codes_and_numbers_are_read_as_people_write_them() {
        assert_eq!("de".parse::<Country>().unwrap().code(), "DE");
        for wrong in ["", "D", "DEU", "4A", "é"] {
            assert!(wrong.parse::<Country>().is_err(), "{wrong}");
        }
        for written in ["64500", "AS64500", "as64500"] {
            assert_eq!(written.parse(), Ok(Asn(64_500)), "{written}");
        }
        for wrong in ["", "AS", "-1", "4294967296", "éé"] {
            assert!(wrong.parse::<Asn>().is_err(), "{wrong}");
        }
    }
}
