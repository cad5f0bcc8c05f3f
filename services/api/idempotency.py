"""A repeated POST is answered, not repeated: one Idempotency-Key, one effect.

The first answer is stored in the transaction of the effect itself, so there is never one without
the other; an advisory lock, held as long, tells a repetition that comes too early.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from services.shared.db.repos import idempotency
from services.shared.errors import ConflictError, IdempotencyMismatchError

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="repeat a request safely: the first answer comes again for 24 hours",
        examples=["7f9c2ba4-e88f-4c1e-9f4d-2a1c"],
    ),
]


class ReplayError(Exception):
    """Not a fault: this request was answered before, and here is that answer."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


@dataclass(frozen=True)
class Once:
    """Builds a request's answer and keeps it under the request's Idempotency-Key, if it has one."""

    session: Session
    project_id: UUID
    key: str | None
    request_sha256: bytes

    def answer(
        self,
        status: int,
        body: BaseModel,
        *,
        headers: Mapping[str, str] | None = None,
        secret: frozenset[str] = frozenset(),
    ) -> Response:
        """Return the answer; fields named in `secret` are null in what is kept."""
        if self.key is not None:
            kept = body.model_dump(mode="json", exclude_none=False)
            kept |= dict.fromkeys(secret)
            idempotency.keep(
                self.session,
                project_id=self.project_id,
                key=self.key,
                request_sha256=self.request_sha256,
                status=status,
                answer={"headers": dict(headers or {}), "body": kept},
            )
        return _json(status, body.model_dump_json().encode(), headers or {})


async def fingerprint(request: Request) -> bytes:
    """Return 32 bytes over method, path, query and body."""
    line = f"{request.method} {request.scope['path']}?{request.url.query}\n".encode()
    return hashlib.sha256(line + await request.body()).digest()


def begin(session: Session, project_id: UUID, key: str | None, request_sha256: bytes) -> Once:
    """Return the right to act once.

    Raises ReplayError when this request was answered before, ConflictError while it is being
    answered, IdempotencyMismatchError when the key came with another body.
    """
    if key is not None:
        if not idempotency.lock(session, project_id, key):
            raise ConflictError(
                "A request with this Idempotency-Key is still running.", code="STILL_RUNNING"
            )
        kept = idempotency.find(session, project_id, key)
        if kept is not None and kept.request_sha256 != request_sha256:
            raise IdempotencyMismatchError
        if kept is not None and kept.status is not None and kept.answer is not None:
            raise ReplayError(_replayed(kept.status, kept.answer))
    return Once(session, project_id, key, request_sha256)


def _replayed(status: int, answer: Mapping[str, object]) -> Response:
    headers = answer["headers"]
    named = dict(headers) if isinstance(headers, dict) else {}
    return _json(status, orjson.dumps(answer["body"]), {**named, "Idempotency-Replayed": "true"})


def _json(status: int, raw: bytes, headers: Mapping[str, str]) -> Response:
    return Response(raw, status, headers=dict(headers), media_type="application/json")
