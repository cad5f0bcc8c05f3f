"""Imports: how a file is to be read, and what became of it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas.base import MOMENT, UUID_EXAMPLE, Answer, NextPage
from services.shared.errors import InvalidError

KIND = Literal["interactions", "users", "items"]
FOREIGN = Literal["movielens", "gorse", "recbole", "amazon_reviews"]
MAP = "map."


class ImportQuery(BaseModel):
    """The query of an upload; `map.<column>` names the file's header for one of our columns."""

    model_config = ConfigDict(extra="allow")

    kind: KIND = Field(description="what a row is")
    format: Literal["csv", "ndjson", "parquet"] | None = Field(
        default=None, description="by default as the Content-Type says"
    )
    mapping: FOREIGN | None = Field(
        default=None, description="the system whose file this is; map.<column> wins over it"
    )
    ignore_unknown: bool = Field(default=False, description="leave unknown columns out")
    validate_only: bool = Field(
        default=False, description="report what an import would do, and bring nothing in"
    )

    def columns(self) -> dict[str, str]:
        """Return column -> header; InvalidError names a parameter that is none of ours."""
        found = {}
        for name, value in (self.model_extra or {}).items():
            if not name.startswith(MAP):
                detail, pointer = f"There is no {name}.", f"/query/{name}"
                raise InvalidError(detail, pointer=pointer, code="UNKNOWN_PARAMETER")
            found[name.removeprefix(MAP)] = str(value)
        return found


class ImportAnswer(Answer):
    """A bulk upload; its id is its job's."""

    id: UUID = Field(examples=[UUID_EXAMPLE])
    kind: KIND = Field(examples=["interactions"])
    size_bytes: int = Field(examples=[1_048_576])
    accepted: int = Field(examples=[9_980])
    duplicates: int = Field(examples=[15])
    rejected: int = Field(examples=[5])
    options: dict[str, Any] = Field(
        examples=[{"format": "csv", "compression": "gzip", "validate_only": False}]
    )
    created_at: datetime = Field(examples=[MOMENT])
    visible_at: datetime | None = Field(examples=[MOMENT])
    """Since when its rows are seen; null while they are not."""


class Imports(Answer):
    """A page of imports, newest first."""

    imports: list[ImportAnswer]
    next_page_token: NextPage
