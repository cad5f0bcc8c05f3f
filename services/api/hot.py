"""Recommendations on the bare ASGI path: an answer is a slice of a mapped file, never parsed.

`GET /v1/datasets/{dataset}/recommendations/{user}` is answered here, before any routing;
`routes/recommendations.py` holds its place in the OpenAPI document. Whom no list serves, and what
no list can say, is answered on a thread: `served/on_demand.py`.
"""

import re
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.auth import CALLER, Caller
from services.api.errors import DATABASE_AWAY, answer_to
from services.api.metrics import ANSWERED, RECOMMENDATIONS
from services.api.schemas.base import id_of_segment
from services.api.served import Lists, OnDemand, Pointers, Published, Shelf
from services.api.served.on_demand import List, recommendation_id
from services.api.served.pointers import model_of
from services.api.served.query import Query, read_query
from services.shared.errors import InvalidError, NotFoundError, UnavailableError, WinnowError
from services.shared.scoring import Graph

_PATH = re.compile(r"/v1/datasets/([^/]+)/recommendations/([^/]+)")
_HEAD = (
    '{"recommendation_id":"%s","model_id":"%s","dataset_version":%d,'
    '"strategy":"%s","fallback":%s,"items":['
)

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Hot:
    """Answers the one route that must be fast, and hands everything else on."""

    def __init__(self, app: ASGIApp, pointers: Pointers, shelf: Shelf, on_demand: OnDemand) -> None:
        self._app = app
        self._pointers = pointers
        self._shelf = shelf
        self._on_demand = on_demand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        match = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is None or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        scope["winnow.quiet"] = True
        scope["winnow.route"] = RECOMMENDATIONS
        try:
            status, headers, body = await self._answer(scope, match[1], match[2])
        except WinnowError as error:
            await answer_to(error)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, dataset: str, user: str) -> Answer:
        caller: Caller = scope[CALLER]
        project_id = caller.require("read")
        dataset_id, user_id = _dataset_id(dataset), _user_id(user)
        query = read_query(scope["query_string"])
        lists = await self._lists(project_id, dataset_id, query.model_id)
        query = lists.settled(query)
        if not query.beyond_lists:
            ident = recommendation_id(lists.model.model_id, user_id, query)
            if _matches(scope, ident) and user_id in lists.of(query):
                return _unchanged(ident)
            body = render(lists, user_id, query, ident)
            if body is not None:
                return _whole(ident, body)
        return await self._demanded(scope, project_id, lists, user_id, query)

    async def _demanded(
        self, scope: Scope, project_id: UUID, lists: Lists, user_id: str, query: Query
    ) -> Answer:
        try:
            (found,) = await run_in_threadpool(
                self._on_demand.for_users, project_id, lists, [user_id], query
            )
        except DATABASE_AWAY as error:
            raise UnavailableError("Postgres") from error
        if _matches(scope, found.recommendation_id):
            return _unchanged(found.recommendation_id)
        return _whole(found.recommendation_id, written(lists, found))

    async def _lists(self, project_id: UUID, dataset_id: UUID, model_id: UUID | None) -> Lists:
        model, chosen = await self._model(project_id, dataset_id, model_id)
        named = model_id is not None
        lists = self._shelf.at_hand(model, named=named)
        if lists is None:
            lists = await run_in_threadpool(self._shelf.fetch, model, named=named)
        return lists.with_choice(chosen)

    async def _model(
        self, project_id: UUID, dataset_id: UUID, model_id: UUID | None
    ) -> tuple[Published, Graph | None]:
        pointer = self._pointers.fresh(project_id, dataset_id)
        try:
            if pointer is None:
                pointer = await run_in_threadpool(self._pointers.read, project_id, dataset_id)
            if model_id is None:
                return model_of(pointer), pointer.graph
            named = self._pointers.named
            return await run_in_threadpool(named, project_id, dataset_id, model_id), None
        except DATABASE_AWAY as error:
            raise UnavailableError("Postgres") from error


def render(lists: Lists, user_id: str, query: Query, ident: str) -> bytes | None:
    """Return the answer's bytes: a head, a slice of the list file, a tail; None without a list."""
    model = lists.model
    items = lists.of(query).fragment(user_id, query.k, explain=query.explain)
    if items is None:
        return None
    ANSWERED["model"] += 1
    head = _HEAD % (ident, model.model_id, model.dataset_version, "model", "null")
    return head.encode() + items + b"]}"


def written(lists: Lists, found: List) -> bytes:
    """Return the bytes of an answer that was made on demand."""
    ANSWERED[found.strategy] += 1
    fallback = "null" if found.fallback is None else f'"{found.fallback}"'
    model, ident = lists.model, found.recommendation_id
    head = _HEAD % (ident, model.model_id, model.dataset_version, found.strategy, fallback)
    return head.encode() + found.items + b"]}"


def _unchanged(ident: str) -> Answer:
    ANSWERED["unchanged"] += 1
    return 304, _headers(ident), b""


def _whole(ident: str, body: bytes) -> Answer:
    headers = [
        *_headers(ident),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    return 200, headers, body


def _headers(ident: str) -> list[tuple[bytes, bytes]]:
    return [(b"etag", b'"%s"' % ident.encode()), (b"cache-control", b"private, no-cache")]


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
