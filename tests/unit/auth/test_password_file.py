"""htpasswd files, as `tidegate passwd` writes them."""

import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from tidegate.auth.password_file import PasswordFileError, set_password


def test_a_password_is_written_as_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "staff"
    assert not set_password(file, "ann", "open sesame")
    name, _, written = file.read_text().removesuffix("\n").partition(":")
    assert name == "ann"
    assert written.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    Argon2id.verify_phc_encoded(b"open sesame", written)
    with pytest.raises(InvalidKey):
        Argon2id.verify_phc_encoded(b"sesame", written)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_new_password_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "staff"
    file.write_text("# staff\nann:$apr1$old\nbob:$2b$12$hash\n")
    assert set_password(file, "ann", "secret")
    assert not set_password(file, "carol", "secret")
    lines = file.read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["# staff", "ann", "bob", "carol"]
    assert "$argon2id$" in lines[1]
    assert lines[2] == "bob:$2b$12$hash"


@pytest.mark.parametrize("name", ["", "a:b", "#ann", " ann", "ann\n", "a\x00b"])
def test_a_name_that_a_line_cannot_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PasswordFileError, match="a name has"):
        set_password(tmp_path / "staff", name, "secret")


@pytest.mark.parametrize("password", ["", "a\tb", "a\x7f"])
def test_a_password_that_no_request_can_bring_is_refused(tmp_path: Path, password: str) -> None:
    with pytest.raises(PasswordFileError, match="a password is"):
        set_password(tmp_path / "staff", "ann", password)
    assert not (tmp_path / "staff").exists()
