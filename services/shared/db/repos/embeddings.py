"""Vectors of texts, by content: float16 bytes in little-endian order."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.shared.db.tables import Embedding

_CHUNK = 5_000  # keys per query


def missing(session: Session, model: str, keys: Sequence[bytes]) -> list[bytes]:
    """Return those of `keys` (SHA-256 of UTF-8 texts) that have no vector by `model` yet."""
    known: set[bytes] = set()
    for start in range(0, len(keys), _CHUNK):
        query = select(Embedding.text_sha256).where(
            Embedding.model == model, Embedding.text_sha256.in_(keys[start : start + _CHUNK])
        )
        known.update(session.scalars(query))
    return [key for key in keys if key not in known]


def store(
    session: Session, model: str, vectors: Mapping[bytes, bytes], *, project_id: UUID
) -> None:
    """Keep float16 bytes by text; a vector that is there already stays."""
    rows = [
        {"project_id": project_id, "text_sha256": key, "model": model, "vector": vector}
        for key, vector in vectors.items()
    ]
    if rows:
        session.execute(insert(Embedding).values(rows).on_conflict_do_nothing())


def load(session: Session, model: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return float16 bytes by text, for those of `keys` that have a vector by `model`."""
    found: dict[bytes, bytes] = {}
    for start in range(0, len(keys), _CHUNK):
        query = select(Embedding.text_sha256, Embedding.vector).where(
            Embedding.model == model, Embedding.text_sha256.in_(keys[start : start + _CHUNK])
        )
        found.update({row.text_sha256: row.vector for row in session.execute(query)})
    return found
