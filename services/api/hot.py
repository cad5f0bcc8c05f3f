"""Recommendations on the bare ASGI path: an answer is a slice of a mapped file, never parsed.

`GET /v1/datasets/{dataset}/recommendations/{user}` is answered here, before any routing;
`routes/recommendations.py` holds its place in the OpenAPI document.
"""

import base64
import re
from hashlib import blake2b
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.auth import CALLER, Caller
from services.api.errors import DATABASE_AWAY, answer_to
from services.api.schemas.base import id_of_segment
from services.api.served import Lists, Pointers, Published, Shelf
from services.api.served.pointers import model_of
from services.api.served.query import Query, read_query
from services.shared.errors import InvalidError, NotFoundError, UnavailableError, WinnowError

_PATH = re.compile(r"/v1/datasets/([^/]+)/recommendations/([^/]+)")
_HEAD = (
    '{"recommendation_id":"%s","model_id":"%s","dataset_version":%d,'
    '"strategy":"%s","fallback":%s,"items":['
)


class Hot:
    """Answers the one route that must be fast, and hands everything else on."""

    def __init__(self, app: ASGIApp, pointers: Pointers, shelf: Shelf) -> None:
        self._app = app
        self._pointers = pointers
        self._shelf = shelf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        match = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is None or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        scope["winnow.quiet"] = True
        try:
            status, headers, body = await self._answer(scope, match[1], match[2])
        except WinnowError as error:
            await answer_to(error)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: Scope, dataset: str, user: str
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        caller: Caller = scope[CALLER]
        project_id = caller.require("read")
        dataset_id, user_id = _dataset_id(dataset), _user_id(user)
        query = read_query(scope["query_string"])
        lists = await self._lists(project_id, dataset_id, query.model_id)
        ident = recommendation_id(lists.model.model_id, user_id, query)
        headers = [(b"etag", b'"%s"' % ident.encode()), (b"cache-control", b"private, no-cache")]
        if _matches(scope, ident):
            return 304, headers, b""
        body = render(lists, user_id, query, ident)
        headers += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        return 200, headers, body

    async def _lists(self, project_id: UUID, dataset_id: UUID, model_id: UUID | None) -> Lists:
        model = await self._model(project_id, dataset_id, model_id)
        named = model_id is not None
        at_hand = self._shelf.at_hand(model, named=named)
        if at_hand is not None:
            return at_hand
        return await run_in_threadpool(self._shelf.fetch, model, named=named)

    async def _model(self, project_id: UUID, dataset_id: UUID, model_id: UUID | None) -> Published:
        pointer = self._pointers.fresh(project_id, dataset_id)
        try:
            if pointer is None:
                pointer = await run_in_threadpool(self._pointers.read, project_id, dataset_id)
            if model_id is None:
                return model_of(pointer)
            return await run_in_threadpool(self._pointers.named, project_id, dataset_id, model_id)
        except DATABASE_AWAY as error:
            raise UnavailableError("Postgres") from error


def render(lists: Lists, user_id: str, query: Query, ident: str) -> bytes:
    """Return the answer's bytes: a head, a slice of the list file, a tail."""
    model = lists.model
    graph = lists.by_graph[query.graph or model.default_graph]
    items = graph.fragment(user_id, query.k, explain=query.explain)
    strategy, fallback = "model", "null"
    if items is None:
        items = graph.popular(query.k, explain=query.explain)
        strategy, fallback = "popular", '"popular"'
    head = _HEAD % (ident, model.model_id, model.dataset_version, strategy, fallback)
    return head.encode() + items + b"]}"


def recommendation_id(model_id: UUID, user_id: str, query: Query) -> str:
    """Return 128 bits over model, user and query, as base64url: the same as long as the answer."""
    asked = f"{query.k} {query.explain} {query.graph} {model_id} ".encode() + user_id.encode()
    return base64.urlsafe_b64encode(blake2b(asked, digest_size=16).digest()).decode().rstrip("=")


def _dataset_id(segment: str) -> UUID:
    try:
        return UUID(segment)
    except ValueError:
        raise NotFoundError("dataset", segment) from None


def _user_id(segment: str) -> str:
    try:
        return id_of_segment(segment)
    except ValueError as error:
        raise InvalidError(f"user_id {error}.", pointer="/path/user_id") from None


def _matches(scope: Scope, ident: str) -> bool:
    given = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
    if given is None:
        return False
    wanted = f'"{ident}"'
    tags = [tag.strip().removeprefix("W/") for tag in given.decode("latin-1").split(",")]
    return wanted in tags or "*" in tags
