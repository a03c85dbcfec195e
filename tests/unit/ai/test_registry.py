"""The registry: what a name means, and what happens to files beneath it."""

import errno
import os
from pathlib import Path

import pytest

from tests.unit.ai.packages import MADE, package
from tidegate.ai import registry as registries
from tidegate.ai.file_names import MANIFEST
from tidegate.ai.registry import ModelId, Registry, RegistryError, TamperedError, UnknownModelError
from tidegate.control.store import StoreError


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_a_model_is_found_by_the_first_digits_of_its_digest(registry: Registry) -> None:
    made = package()
    id = registry.add("shop-cost", made)
    assert id == ModelId("shop-cost", made.digest)
    assert registry.find(f"shop-cost@{made.digest[:4]}") == id
    assert registry.find(str(id)) == id
    assert registry.read(id) == made


def test_a_model_that_is_there_already_is_the_same(registry: Registry, tmp_path: Path) -> None:
    assert registry.add("shop-cost", package()) == registry.add("shop-cost", package())
    assert len(registry.entries()) == 1
    assert not list(tmp_path.rglob(".new-*"))


def test_only_its_owner_may_read_a_model(registry: Registry, tmp_path: Path) -> None:
    registry.add("shop-cost", package())
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "models").rglob("*")}
    assert modes == {0o700, 0o600}


@pytest.mark.parametrize("name", ["", "Shop", "-shop", "../shop", "shop cost", "s" * 64])
def test_a_name_has_few_characters(registry: Registry, name: str) -> None:
    with pytest.raises(RegistryError, match="small letters, digits and hyphens"):
        registry.add(name, package())


@pytest.mark.parametrize(
    "reference", ["shop-cost", "shop-cost@", "shop-cost@3f9", "shop-cost@3F9C", "a/b@3f9c"]
)
def test_a_reference_has_a_name_and_four_digits(registry: Registry, reference: str) -> None:
    with pytest.raises(UnknownModelError, match="expected a model like shop-cost@3f9c"):
        registry.find(reference)


def test_an_unknown_model_is_told_with_those_there_are(registry: Registry) -> None:
    with pytest.raises(UnknownModelError, match="there are none: tidegate ai train makes one"):
        registry.find("shop-cost@0000")
    id = registry.add("shop-cost", package())
    with pytest.raises(UnknownModelError, match=f"no model other@0000; there are {id.short}"):
        registry.find("other@0000")


def test_digits_that_mean_several_models_are_told_with_both(registry: Registry, tmp_path: Path) -> None:
    digests = [f"abcd{number:060d}" for number in (1, 2)]
    for digest in digests:
        (tmp_path / "models" / "shop-cost" / digest).mkdir(parents=True)
    with pytest.raises(UnknownModelError) as told:
        registry.find("shop-cost@abcd")
    assert all(digest[:12] in str(told.value) for digest in digests)
    assert "write more digits" in str(told.value)


def test_without_a_state_dir_that_is_said() -> None:
    nowhere = Registry(None)
    assert nowhere.entries() == []
    with pytest.raises(UnknownModelError, match="set state_dir"):
        nowhere.find("shop-cost@3f9c")
    with pytest.raises(RegistryError, match="set state_dir"):
        nowhere.add("shop-cost", package())


@pytest.mark.parametrize("name", [MANIFEST, "golden.f32", "model.trees"])
def test_a_file_that_was_tampered_with_is_named(registry: Registry, tmp_path: Path, name: str) -> None:
    id = registry.add("shop-cost", package())
    file = tmp_path / "models" / id.name / id.digest / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(TamperedError, match=f"tampered with and is not used: .*{name}"):
        registry.read(id)
    assert registry.find(str(id)) == id
    registry.add("shop-cost", package())
    assert registry.read(id) == package()


def test_a_manifest_that_cannot_be_read_is_listed_as_that(registry: Registry, tmp_path: Path) -> None:
    good, bad = registry.add("good", package()), registry.add("bad", package())
    (tmp_path / "models" / bad.name / bad.digest / MANIFEST).write_text("{")
    listed = {entry.id: entry for entry in registry.entries()}
    assert listed[good].problem is None
    assert listed[bad].manifest is None
    assert "manifest.json" in (listed[bad].problem or "")


def test_the_latest_of_a_name_is_listed_first(registry: Registry) -> None:
    old = registry.add("shop-cost", package(1, created=MADE.replace(day=1)))
    new = registry.add("shop-cost", package(2))
    other = registry.add("app-cost", package(3))
    assert [entry.id for entry in registry.entries()] == [other, new, old]


def test_nothing_is_left_of_a_model_that_could_not_be_written(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(
            StoreError, match=r"the model cannot be kept in .*models: No space left on device"
        ):
            registry.add("shop-cost", package())
    assert registry.entries() == []
    assert [path.name for path in (tmp_path / "models" / "shop-cost").iterdir()] == []


def test_there_is_an_end_to_the_models_that_are_kept(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "MOST", 1)
    registry.add("shop-cost", package(1))
    registry.add("shop-cost", package(1))
    with pytest.raises(RegistryError, match="remove the folder of one"):
        registry.add("shop-cost", package(2))
