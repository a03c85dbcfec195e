"""Secrets: values that are used and stored, and never shown."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer, SecretStr, SerializationInfo

REDACTED = "***"
"""What is shown in the place of a secret."""

REVEALED: Mapping[str, bool] = {"revealed": True}
"""The context of a dump that holds the secrets themselves."""


def _not_redacted(secret: SecretStr) -> SecretStr:
    if secret.get_secret_value() == REDACTED:
        raise ValueError(f"expected the secret itself; {REDACTED} only stands for one that is in use already")
    return secret


def _dumped(secret: SecretStr, info: SerializationInfo) -> str:
    return secret.get_secret_value() if info.context == REVEALED else REDACTED


Secret = Annotated[SecretStr, AfterValidator(_not_redacted), PlainSerializer(_dumped)]
"""A text that appears in no message, log line or listing. A dump of options holds `***` in its place, unless
it is made to be stored or to be served (`Options.data`)."""
