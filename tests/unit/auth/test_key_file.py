"""Files of API keys, as commands change them."""

import json
import stat
from pathlib import Path

import pytest

from tidegate.auth.key_file import KeyFileError, add, entries, remove

ENTRY = {"id": "new", "name": "CI", "hash": "sha256:00", "claims": {"plan": "gold"}}
TEXT = """\
# Keys of our robots.
- id: first   # the oldest
  hash: "sha256:01"

# Ann's.
- {id: second, hash: "sha256:02", expires: 2027-01-31T00:00:00Z}
- id: third
  hash: sha256:03
"""


def test_a_file_is_made_for_the_first_key(tmp_path: Path) -> None:
    for name in ("keys.yaml", "keys.json"):
        file = tmp_path / name
        add(file, ENTRY)
        assert entries(file) == [ENTRY]
        add(file, {**ENTRY, "id": "other"})
        assert [each["id"] for each in entries(file)] == ["new", "other"]


@pytest.mark.parametrize("indent", ["", "  ", "    "])
def test_a_key_is_added_and_all_else_stays_as_it_was_written(tmp_path: Path, indent: str) -> None:
    file = tmp_path / "keys.yaml"
    text = "".join(indent + line if line.strip() else line for line in TEXT.splitlines(keepends=True))
    file.write_text(text)
    file.chmod(0o640)
    add(file, ENTRY)
    assert file.read_text().startswith(text)
    assert [each["id"] for each in entries(file)] == ["first", "second", "third", "new"]
    assert entries(file)[-1] == ENTRY
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_is_taken_out_with_its_lines_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(TEXT)
    assert remove(file, "first")["hash"] == "sha256:01"
    assert "# Keys of our robots.\n\n# Ann's.\n- {id: second" in file.read_text()
    remove(file, "third")
    assert [each["id"] for each in entries(file)] == ["second"]
    remove(file, "second")
    assert entries(file) == []
    add(file, ENTRY)
    assert entries(file) == [ENTRY]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text(TEXT)
    link = tmp_path / "keys.yaml"
    link.symlink_to("real.yaml")
    add(link, ENTRY)
    assert link.is_symlink()
    assert len(entries(tmp_path / "real.yaml")) == 4


def test_keys_in_json_are_changed_too(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text('[{"id": "first", "hash": "sha256:01"}]')
    add(file, ENTRY)
    remove(file, "first")
    assert json.loads(file.read_text()) == [ENTRY]


@pytest.mark.parametrize(
    "text",
    [
        "keys: []",
        "- plain",
        "- {id: a",
        "[{id: a, hash: b}]",
        "- &shared {id: a, hash: b}\n- *shared\n---\n- c",
    ],
)
def test_a_file_that_is_written_otherwise_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    with pytest.raises(KeyFileError, match=r"keys\.yaml"):
        add(file, ENTRY)
    assert file.read_text() == text


def test_a_key_that_is_there_or_is_not_is_told(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(TEXT)
    with pytest.raises(KeyFileError, match="has a key first already"):
        add(file, {**ENTRY, "id": "first"})
    with pytest.raises(KeyFileError, match="has no key fourth"):
        remove(file, "fourth")
    with pytest.raises(KeyFileError, match="has no key first"):
        remove(tmp_path / "none.yaml", "first")
