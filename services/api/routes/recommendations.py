"""The place of the recommendations route in the OpenAPI document; `hot.py` answers it."""

from typing import Annotated, Literal, NoReturn
from uuid import UUID

from fastapi import APIRouter, Query

from services.api.deps import PathId, Reader, Uuid
from services.api.schemas.recommendations import Recommendations
from services.api.strict import StrictRoute
from services.shared.errors import NotFoundError

router = APIRouter(prefix="/v1/datasets/{dataset}", route_class=StrictRoute)


@router.get(
    "/recommendations/{user_id}",
    tags=["recommendations"],
    response_model=Recommendations,
    responses={304: {"description": "Not Modified: the ETag still stands"}},
)
def recommend(
    dataset: Uuid,
    user_id: PathId,
    _project: Reader,
    *,
    k: Annotated[int, Query(ge=1, description="how many items at most")] = 20,
    exclude_seen: Annotated[
        Literal[True], Query(description="lists hold unseen items only")
    ] = True,
    explain: Annotated[bool, Query(description="with reasons, where there are any")] = False,
    model: Annotated[UUID | None, Query(description="by default the one that is served")] = None,
    graph: Annotated[
        Literal["raw", "denoised"] | None,
        Query(description="by default as was chosen, else as the model card says"),
    ] = None,
) -> NoReturn:
    """Return a user's top-K; a user whom the model does not know gets what is popular."""
    del dataset, k, exclude_seen, explain, model, graph  # read by hot.py, which stands before
    raise NotFoundError("user", user_id)  # the router: this is never reached
