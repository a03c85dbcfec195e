"""Databases of where addresses are, in the MaxMind DB format.

`python -m tests.e2e.harness.mmdb` writes those that the Rust tests read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

COUNTRIES: Mapping[str, Any] = {
    "203.0.113.0/24": {"country": {"iso_code": "DE"}},
    "198.51.100.0/24": {"registered_country": {"iso_code": "US"}},
    "127.0.0.0/8": {"country": {"iso_code": "AT"}},
    "2001:db8::/32": {"country": {"iso_code": "FR"}},
}
ASNS: Mapping[str, Any] = {
    "203.0.113.0/24": {"autonomous_system_number": 64500},
    "127.0.0.0/8": {"autonomous_system_number": 64501},
}


def write(file: Path, records: Mapping[str, Any], kind: str) -> Path:
    """Write a database of a type, in one step."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=kind, description="of tests")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    draft = file.with_suffix(".new")
    writer.to_db_file(str(draft))
    draft.replace(file)
    return file


def countries(file: Path, records: Mapping[str, Any] = COUNTRIES) -> Path:
    """Write a database of countries."""
    return write(file, records, "GeoLite2-Country")


def asns(file: Path, records: Mapping[str, Any] = ASNS) -> Path:
    """Write a database of autonomous systems."""
    return write(file, records, "GeoLite2-ASN")


if __name__ == "__main__":
    CORE = Path(__file__).parents[3] / "crates/core/tests"
    countries(CORE / "countries.mmdb")
    asns(CORE / "asns.mmdb")
