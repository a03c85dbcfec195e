//! GeoIP: the databases that know where addresses are. They are supplied beside the plan and hold over each plan that
//! comes.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tidegate_core::geo::{Asn, Country, Database, Whereabouts};

/// The databases that there are now.
#[derive(Debug, Default)]
pub struct GeoIp {
    countries: ArcSwapOption<Database>,
    asns: ArcSwapOption<Database>,
}

impl GeoIp {
    /// Look into the database in `content` from now on: of the kind `country` or `asn`. An empty one is none.
    ///
    /// # Errors
    /// If it is of no use; the one before stays.
    pub fn replace(&self, kind: &str, content: &[u8]) -> Result<(), String> {
        type Read = fn(Vec<u8>) -> Result<Database, String>;
        let (place, read): (_, Read) = match kind {
            "country" => (&self.countries, Database::of_countries),
            "asn" => (&self.asns, Database::of_asns),
            other => {
                return Err(format!(
                    "there is no database of `{other}`: expected `country` or `asn`"
                ));
            }
        };
        let database = (!content.is_empty()).then(|| read(content.to_vec())).transpose()?;
        place.store(database.map(Arc::new));
        Ok(())
    }
}

impl Whereabouts for GeoIp {
    fn country(&self, address: IpAddr) -> Option<Country> {
        self.countries.load().as_ref()?.country(address)
    }

    fn asn(&self, address: IpAddr) -> Option<Asn> {
        self.asns.load().as_ref()?.asn(address)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const COUNTRIES: &[u8] = include_bytes!("../../../core/tests/countries.mmdb");

    fn country(geoip: &GeoIp) -> Option<String> {
        let country = geoip.country("203.0.113.9".parse().unwrap());
        country.map(|country| country.to_string())
    }

    #[test]
    fn the_last_good_database_stays_until_it_is_taken_back() {
        let geoip = GeoIp::default();
        assert_eq!(country(&geoip), None);
        geoip.replace("country", COUNTRIES).unwrap();
        assert!(geoip.replace("country", &COUNTRIES[..100]).is_err());
        assert_eq!(country(&geoip).as_deref(), Some("DE"));
        geoip.replace("country", b"").unwrap();
        assert_eq!(country(&geoip), None);
    }

    #[test]
    fn there_are_two_kinds_of_databases() {
        let wrong = GeoIp::default().replace("city", COUNTRIES).unwrap_err();
        assert_eq!(wrong, "there is no database of `city`: expected `country` or `asn`");
    }
}
