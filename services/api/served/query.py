"""The query of a recommendations request, read by hand: the hot path knows no framework."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl
from uuid import UUID

from services.shared.errors import InvalidError
from services.shared.scoring import Graph
from services.shared.settings import settings

DEFAULT_K = 20
KNOWN = frozenset(
    {"k", "explain", "exclude_seen", "filter", "fresh", "include_new_items", "graph", "model"}
)


@dataclass(frozen=True, kw_only=True)
class Query:
    """What a caller may ask for; None stands for the model's own choice."""

    k: int = DEFAULT_K
    explain: bool = False
    graph: Graph | None = None
    model_id: UUID | None = None
    exclude_seen: bool = True
    filter: str | None = None
    fresh: bool = False
    include_new_items: bool = False

    @property
    def beyond_lists(self) -> bool:
        """Say whether published lists cannot answer it, whoever asks."""
        return (
            self.filter is not None or self.fresh or self.include_new_items or not self.exclude_seen
        )


def read_query(raw: bytes) -> Query:
    """Return the query; InvalidError names a parameter that is unknown or wrong."""
    try:
        given = dict(parse_qsl(raw.decode(), keep_blank_values=True, errors="strict"))
    except ValueError:
        raise InvalidError("The query is no UTF-8.", pointer="/query") from None
    unknown = sorted(set(given) - KNOWN)
    if unknown:
        raise InvalidError(
            f"Unknown query parameter: {', '.join(unknown)}.",
            pointer=f"/query/{unknown[0]}",
            code="UNKNOWN_PARAMETER",
        )
    return Query(
        k=_k(given),
        explain=_boolean(given, "explain", default=False),
        graph=_graph(given),
        model_id=_model_id(given),
        exclude_seen=_boolean(given, "exclude_seen", default=True),
        filter=given.get("filter"),
        fresh=_boolean(given, "fresh", default=False),
        include_new_items=_boolean(given, "include_new_items", default=False),
    )


def _k(given: Mapping[str, str]) -> int:
    most = settings().list_length
    text = given.get("k", str(min(DEFAULT_K, most)))
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= most):
        raise _wrong("k", f"is a number from 1 to {most}, the length of the published lists")
    return int(text)


def _boolean(given: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = given.get(name)
    if text is None:
        return default
    if text not in {"true", "false"}:
        raise _wrong(name, "is true or false")
    return text == "true"


def _graph(given: Mapping[str, str]) -> Graph | None:
    graph = given.get("graph")
    if graph not in {None, "raw", "denoised"}:
        raise _wrong("graph", "is raw or denoised")
    return cast("Graph | None", graph)


def _model_id(given: Mapping[str, str]) -> UUID | None:
    text = given.get("model")
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise _wrong("model", "is a model's id") from None


def _wrong(name: str, what: str) -> InvalidError:
    return InvalidError(f"{name} {what}.", pointer=f"/query/{name}")
