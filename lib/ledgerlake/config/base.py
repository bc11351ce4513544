"""What every configuration model is made of: frozen, strict about keys, with checked names and types."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ledgerlake.core.types import is_type


def _known_type(name: str) -> str:
    if not is_type(name):
        raise ValueError(
            f"{name!r} is not a column type; use string, integer, bigint, boolean, date, timestamp or decimal(p,s)"
        )
    return name


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
ColumnType = Annotated[str, AfterValidator(_known_type)]


class Model(BaseModel):
    """Base of all configuration: frozen and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
