"""A model as one value: what belongs to it, and what is refused."""

import io
import json
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ai.packages import archive, package
from tidegate.ai.file_names import GOLDEN, MANIFEST
from tidegate.ai.manifest import Manifest, ManifestError
from tidegate.ai.package import MOST_BYTES, Package, PackageError, sha256

MODEL = "model.trees"


def test_an_archive_holds_the_same_model_and_is_the_same_for_it() -> None:
    made = package(0.5)
    found = Package.of_archive(made.archive())
    assert found == made
    assert found.digest == made.digest == sha256(made.files[MANIFEST])
    assert found.archive() == made.archive()
    with tarfile.open(fileobj=io.BytesIO(made.archive())) as tar:
        assert tar.getnames() == [MANIFEST, GOLDEN, MODEL]


@pytest.mark.parametrize("name", [GOLDEN, MODEL])
def test_a_file_that_was_changed_is_named(name: str) -> None:
    files = dict(package().files)
    files[name] += b" "
    with pytest.raises(PackageError, match=f"^{name} is not the file that manifest.json was written for"):
        Package.of(files)


@pytest.mark.parametrize("name", [MANIFEST, GOLDEN, MODEL])
def test_a_file_that_is_missing_is_named(name: str) -> None:
    files = {other: content for other, content in package().files.items() if other != name}
    with pytest.raises(PackageError, match=f"^{name} is missing"):
        Package.of(files)


def test_what_does_not_belong_to_a_model_is_named() -> None:
    with pytest.raises(PackageError, match=r"^model.pickle does not belong to a model"):
        Package.of({**package().files, "model.pickle": b""})


def test_files_have_an_order() -> None:
    files = list(package().files.items())
    with pytest.raises(
        PackageError, match=r"expected the files in the order manifest.json, golden.f32, model.trees"
    ):
        Package.of_archive(archive(files[::-1]))


def test_a_file_is_in_an_archive_once() -> None:
    files = list(package().files.items())
    with pytest.raises(PackageError, match=r"golden.f32 is in the archive twice"):
        Package.of_archive(archive([*files, files[1]]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE, tarfile.FIFOTYPE])
def test_an_archive_has_plain_files_only(kind: bytes) -> None:
    with pytest.raises(PackageError, match=r"manifest.json/? is no plain file of the archive's own folder"):
        Package.of_archive(archive([(MANIFEST, b"")], type=kind))


def test_an_archive_that_is_cut_short_is_refused() -> None:
    whole = package().archive()
    with pytest.raises(PackageError, match=r"golden.f32 is cut short"):
        Package.of_archive(whole[:4096])


def test_an_archive_may_have_16_mb() -> None:
    with pytest.raises(PackageError, match="may have 16777216 bytes"):
        Package.of_archive(bytes(MOST_BYTES + 1))


@given(st.binary(max_size=4096))
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(PackageError):
        Package.of_archive(content)


@given(at=st.integers(0, 511), byte=st.integers(0, 255))
def test_a_header_with_any_byte_changed_gives_the_model_or_is_refused(at: int, byte: int) -> None:
    whole = bytearray(package().archive())
    whole[at] = byte
    try:
        assert Package.of_archive(bytes(whole)) == package()
    except PackageError as error:
        assert str(error)


def changed(**values: Any) -> bytes:
    return json.dumps({**json.loads(package().files[MANIFEST]), **values}).encode()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"format": 2}, "format: Input should be 1"),
        ({"kind": "threat"}, "kind: Input should be 'cost'"),
        ({"features": "features/v2"}, "features: this tidegate knows features/v1; found 'features/v2'"),
        ({"features_hash": "0" * 64}, "features_hash: the features of features/v1 hash to"),
        (
            {"files": {"model.trees": "0" * 64}},
            "expected files model.trees and golden.f32; found model.trees",
        ),
        (
            {"calibration": {"scale": 1, "offset": 1e999}},
            "calibration.offset: Input should be a finite number",
        ),
        ({"note": "x"}, "note: Extra inputs are not permitted"),
        (
            {"drift": {"inputs": [], "residuals": {"edges": [2.0, 1.0], "shares": [0.2, 0.3, 0.5]}}},
            "drift.residuals: expected edges that ascend",
        ),
        (
            {"drift": {"inputs": [], "residuals": {"edges": [1.0], "shares": [0.2, 0.3]}}},
            "drift.residuals: expected shares whose sum is 1; found 0.5",
        ),
        (
            {"drift": {"inputs": [{"feature": "name", "edges": [], "shares": [1.0]}], "residuals": {}}},
            "drift.inputs.0.feature: Input should be 'expected'",
        ),
        ({"created": "yesterday"}, "created: "),
    ],
)
def test_a_manifest_that_is_wrong_says_where(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestError) as told:
        Manifest.read(changed(**values))
    assert str(told.value).startswith(said)


def test_a_manifest_may_say_more_of_its_data_and_figures() -> None:
    read = Manifest.read(changed(data={"rows": 3, "note": "x"}, figures={"explained": {"model": 0.9}}))
    assert read.data["note"] == "x"
    assert Manifest.read(read.written()) == read
