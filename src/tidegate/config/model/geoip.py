"""GeoIP: databases that know where addresses are."""

from pydantic import Field

from tidegate.config.model.mark import GeoIpPath
from tidegate.config.model.options import Options


class GeoIp(Options):
    """Databases in the MaxMind DB format that know where addresses are, which you bring. They are watched;
    one that is not whole is not used, and the last good one stays."""

    country: GeoIpPath | None = Field(default=None, examples=["GeoLite2-Country.mmdb"])
    """Path of a database with countries, as GeoLite2 Country or City; null: none."""
    asn: GeoIpPath | None = Field(default=None, examples=["GeoLite2-ASN.mmdb"])
    """Path of a database with autonomous systems, as GeoLite2 ASN; null: none."""
