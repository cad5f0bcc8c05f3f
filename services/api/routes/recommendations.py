"""Recommendations: `hot.py` answers the first route, which only has its place here."""

from typing import Annotated, Literal, NoReturn
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from fastapi import Query as FromQuery

from services.api.deps import PathId, Reader, Uuid, uuid_or_404
from services.api.metrics import ANSWERED
from services.api.schemas.recommendations import (
    FILTER,
    BatchOfUsers,
    ManyRecommendations,
    Recommendations,
    Session,
    SessionRecommendations,
    SimilarItem,
    SimilarItems,
)
from services.api.served import Lists
from services.api.served.query import DEFAULT_K, Query
from services.api.served.resolving import lists_of
from services.api.strict import StrictRoute
from services.api.use_cases.put_profiles import check_text
from services.shared.errors import InvalidError, NotFoundError
from services.shared.scoring import MAX_FILTER, Question
from services.shared.settings import settings

router = APIRouter(
    prefix="/v1/datasets/{dataset}", tags=["recommendations"], route_class=StrictRoute
)
Filter = Annotated[
    str | None,
    FromQuery(
        min_length=1,
        max_length=MAX_FILTER,
        description="what an item's attributes must satisfy: comparisons joined by AND",
        examples=[FILTER],
    ),
]
Model = Annotated[UUID | None, FromQuery(description="by default the one that is served")]
Graph = Annotated[
    Literal["raw", "denoised"] | None,
    FromQuery(description="by default as was chosen for the dataset, else as the model card says"),
]
K = Annotated[int, FromQuery(ge=1, description="how many items at most")]


@router.get(
    "/recommendations/{user_id}",
    response_model=Recommendations,
    responses={304: {"description": "Not Modified: the ETag still stands"}},
)
def recommend(  # noqa: PLR0913 - the query's parameters
    dataset: Uuid,
    user_id: PathId,
    _project: Reader,
    *,
    k: K = 20,
    exclude_seen: Annotated[bool, FromQuery(description="leave out what the user has")] = True,
    filter: Filter = None,  # noqa: A002 - the query's name
    fresh: Annotated[
        bool, FromQuery(description="fold in what a known user did since the training")
    ] = False,
    include_new_items: Annotated[
        bool, FromQuery(description="also items that came after the training, by their text")
    ] = False,
    explain: Annotated[bool, FromQuery(description="with reasons, where there are any")] = False,
    model: Model = None,
    graph: Graph = None,
) -> NoReturn:
    """Return a user's top-K; whom the model does not know is folded in, by history or by text."""
    del dataset, k, exclude_seen, filter, fresh, include_new_items, explain, model, graph
    raise NotFoundError("user", user_id)  # never reached: hot.py stands before the router


@router.post("/recommendations:batch", response_model=ManyRecommendations)
def recommend_batch(
    dataset: Uuid, body: BatchOfUsers, project: Reader, request: Request
) -> Response:
    """Return the top-K of up to 1,000 users, each as the single route would."""
    query = _query(body, fresh=body.fresh, include_new_items=body.include_new_items)
    lists = _lists(request, project, dataset, query.model_id)
    query = lists.settled(query)
    found = request.app.state.on_demand.for_users(
        project, lists, body.user_ids, query, pointer="/filter"
    )
    ANSWERED.update(one.strategy for one in found)
    rows = [
        b'{"user_id":' + orjson.dumps(user_id) + b"," + one.fields() + b"}"
        for user_id, one in zip(body.user_ids, found, strict=True)
    ]
    return _json(lists, b'"recommendations":[' + b",".join(rows) + b"]")


@router.post("/recommendations:session", response_model=SessionRecommendations)
def recommend_session(dataset: Uuid, body: Session, project: Reader, request: Request) -> Response:
    """Return a top-K by a list of items, a text or both; nothing of it is kept."""
    text = body.text if body.text and body.text.strip() else None
    if not body.items and text is None:
        raise InvalidError("Name items, or give a text, or both.", pointer="/items")
    check_text(text, pointer="/text")
    query = _query(body, include_new_items=body.include_new_items)
    lists = _lists(request, project, dataset, query.model_id)
    query = lists.settled(query)
    question = Question(items=tuple(dict.fromkeys(body.items)), text=text)
    found = request.app.state.on_demand.for_session(project, lists, question, query)
    ANSWERED[found.strategy] += 1
    return _json(lists, found.fields(session=True))


@router.get("/items/{item_id}/similar")
def similar_items(  # noqa: PLR0913 - the query's parameters
    dataset: Uuid,
    item_id: PathId,
    project: Reader,
    request: Request,
    *,
    by: Annotated[
        Literal["collaborative", "semantic"],
        FromQuery(description="by who takes them, or by what their texts say"),
    ] = "collaborative",
    k: Annotated[
        int | None, FromQuery(ge=1, description="how many items at most; by default 20")
    ] = None,
    filter: Filter = None,  # noqa: A002 - the query's name
    model: Model = None,
    graph: Graph = None,
) -> SimilarItems:
    """Return the items that are most like one."""
    query = Query(k=_length(k, "/query/k"), graph=graph, filter=filter)
    lists = _lists(request, project, dataset, model)
    found = request.app.state.on_demand.similar(project, lists, item_id, by, lists.settled(query))
    items = [
        SimilarItem(item_id=one.item_id, score=one.score, rank=rank)
        for rank, one in enumerate(found, 1)
    ]
    return SimilarItems(model_id=lists.model.model_id, item_id=item_id, by=by, items=items)


def _query(
    body: BatchOfUsers | Session, *, fresh: bool = False, include_new_items: bool = False
) -> Query:
    return Query(
        k=_length(body.k, "/k"),
        explain=body.explain,
        graph=body.graph,
        model_id=body.model,
        exclude_seen=body.exclude_seen,
        filter=body.filter,
        fresh=fresh,
        include_new_items=include_new_items,
    )


def _length(k: int | None, pointer: str) -> int:
    most = settings().list_length
    if k is None:
        return min(DEFAULT_K, most)
    if k > most:
        raise InvalidError(
            f"k is a number from 1 to {most}, the length of the published lists.", pointer=pointer
        )
    return k


def _lists(request: Request, project: UUID, dataset: str, model: UUID | None) -> Lists:
    state = request.app.state
    dataset_id = uuid_or_404("dataset", dataset)
    return lists_of(state.pointers, state.shelf, project, dataset_id, model)


def _json(lists: Lists, fields: bytes) -> Response:
    model = lists.model
    head = {"model_id": str(model.model_id), "dataset_version": model.dataset_version}
    body = orjson.dumps(head)[:-1] + b"," + fields + b"}"
    return Response(body, media_type="application/json")
