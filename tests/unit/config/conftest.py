"""Files to load, and certificates for them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tidegate.config.load import Loaded, load_file
from tidegate.config.problem import ConfigError, Problem

Write = Callable[[str, str], Path]
Find = Callable[..., tuple[Problem, ...]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file with a name and a text."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def load(write: Write) -> Callable[..., Loaded]:
    """Loads a text as if it were a file."""
    return lambda text, name="tidegate.yaml": load_file(write(name, text))


@pytest.fixture
def problems(write: Write) -> Find:
    """The mistakes in a text."""

    def find(text: str, name: str = "tidegate.yaml") -> tuple[Problem, ...]:
        path = write(name, text)
        with pytest.raises(ConfigError) as error:
            load_file(path)
        return error.value.problems

    return find


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Signs the tests' certificates."""
    return trustme.CA()


@pytest.fixture
def certificates(tmp_path: Path, authority: trustme.CA) -> Path:
    """A folder with cert.pem and key.pem, a second pair, the authority, and other files that options name."""
    for prefix in ("", "other-"):
        issued = authority.issue_cert("localhost")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{prefix}cert.pem")
        issued.private_key_pem.write_to_path(tmp_path / f"{prefix}key.pem")
    for name in ("clients-ca.pem", "internal-ca.pem"):
        authority.cert_pem.write_to_path(tmp_path / name)
    (tmp_path / "drop.txt").write_text("203.0.113.0/24 ; SBL0\n")
    for name in ("GeoLite2-Country.mmdb", "GeoLite2-ASN.mmdb"):
        (tmp_path / name).touch()
    return tmp_path
