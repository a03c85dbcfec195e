"""The manifest of a model: what it is, what it was made of, and what its files hash to."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from tidegate.ai.features import HASH, NAMES, SCHEMA
from tidegate.ai.file_names import GOLDEN

ModelFile = Literal["model.trees", "model.onnx"]
Learner = Literal["lightgbm", "mlp", "linear", "imported"]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=255)]

MOST_EDGES = 9


class ManifestError(ValueError):
    """A manifest is not what it must be; the message names what is wrong."""


class Part(BaseModel):
    """A part of a manifest: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Calibration(Part):
    """What is made of a model's answer: `scale * answer + offset`."""

    scale: Finite = 1
    offset: Finite = 0


class Bins(Part):
    """A distribution: bin i holds the values from `edges[i - 1]` up to, but without, `edges[i]`."""

    edges: Annotated[tuple[Finite, ...], Field(max_length=MOST_EDGES, strict=False)]
    """Ascending."""
    shares: Annotated[tuple[Annotated[Finite, Field(ge=0)], ...], Field(strict=False)]
    """Of all values that are in each bin; together 1."""

    @model_validator(mode="after")
    def _is_a_distribution(self) -> Self:
        if any(later <= former for former, later in pairwise(self.edges)):
            raise ValueError("expected edges that ascend")
        if len(self.shares) != len(self.edges) + 1:
            raise ValueError(f"expected {len(self.edges) + 1} shares for {len(self.edges)} edges")
        if abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"expected shares whose sum is 1; found {sum(self.shares):g}")
        return self


class FeatureBins(Bins):
    """The distribution of a feature."""

    feature: Literal[*NAMES]  # type: ignore[valid-type]


class Drift(Part):
    """What was usual when the model was trained."""

    inputs: Annotated[tuple[FeatureBins, ...], Field(max_length=len(NAMES), strict=False)] = ()
    residuals: Bins = Bins(edges=(), shares=(1.0,))
    """Of the logarithm of the cost, less what the model said."""


def _known_schema(name: str) -> str:
    if name != SCHEMA:
        raise ValueError(f"this tidegate knows {SCHEMA}; found {name!r}")
    return name


def _known_hash(digest: str) -> str:
    if digest != HASH:
        raise ValueError(f"the features of {SCHEMA} hash to {HASH}; found {digest}")
    return digest


class Manifest(Part):
    """What is said of a model."""

    format: Literal[1] = 1
    kind: Literal["cost"] = "cost"
    features: Annotated[str, AfterValidator(_known_schema)] = SCHEMA
    features_hash: Annotated[str, AfterValidator(_known_hash)] = HASH
    model: ModelFile
    """Its file."""
    files: dict[str, Sha256]
    """What the files beside the manifest hash to, by name."""
    calibration: Calibration = Calibration()
    drift: Drift = Drift()
    data: dict[str, Any] = {}
    """What it was trained with: `upstream`, `rows`, `from` and `until`."""
    figures: dict[str, Any] = {}
    """How good it was on later data than it was trained with."""
    author: Text = ""
    learner: Learner
    created: Annotated[AwareDatetime, Field(strict=False)]

    @model_validator(mode="after")
    def _names_its_files(self) -> Self:
        if set(self.files) != {self.model, GOLDEN}:
            raise ValueError(
                f"expected files {self.model} and {GOLDEN}; found {', '.join(self.files) or 'none'}"
            )
        return self

    @classmethod
    def read(cls, content: bytes) -> Self:
        """The manifest in a file. Raises ManifestError."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            message = first["msg"].removeprefix("Value error, ")
            raise ManifestError(f"{place}: {message}" if place else message) from None

    def written(self) -> bytes:
        """The file."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False).encode() + b"\n"


def now() -> datetime:
    """The time, to the second, as manifests have it."""
    return datetime.now(UTC).replace(microsecond=0)
