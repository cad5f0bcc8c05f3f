"""Refuse a run that could not come to an end, and say what it would depend on."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.api.use_cases.check_extent import check_extent
from services.shared.clock import utc_now
from services.shared.db.repos import listings
from services.shared.db.tables import Dataset
from services.shared.errors import InvalidError
from services.shared.llm.budget import DEFAULT_PRICES, Budget, Price, check_enforceable
from services.shared.llm.prompts.defaults import PROMPT_NAMES
from services.shared.settings import Endpoint, settings
from services.shared.specs import DatasetSettings, RunSpec


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """The models and the prompts that a run holds on to, and its spec as its dataset allows it."""

    spec: RunSpec
    llm: str
    embedder: str
    prompt_version: int


def check_run(session: Session, dataset: Dataset, spec: RunSpec) -> Pinned:
    """Return what the run would pin; InvalidError, with counts, when it may not begin."""
    llm, embedder = _model("llm", settings().llm), _model("embedder", settings().embedder)
    check_budget(spec.budget(), DEFAULT_PRICES.on(llm, utc_now().date()))
    wishes = DatasetSettings.read(dataset.settings)
    spec = within_drop_share(spec, wishes)
    check_extent(session, dataset.id, wishes)
    version = _prompt_version(session, spec.prompt_version)
    return Pinned(spec=spec, llm=llm, embedder=embedder, prompt_version=version)


def check_budget(budget: Budget, price: Price | None) -> None:
    """Raise InvalidError when the budget counts dollars and the model costs any.

    Rating stops at `budget_pairs`; nothing counts dollars while it goes on yet.
    """
    check_enforceable(budget, price)
    if budget.usd is not None and price is not None and (price.prompt or price.completion):
        raise InvalidError(
            "A dollar budget cannot be kept yet for a model that costs money; "
            "leave budget_usd out and set budget_pairs.",
            pointer="/budget_usd",
            code="BUDGET_NOT_KEPT",
        )


def within_drop_share(spec: RunSpec, settings_: DatasetSettings) -> RunSpec:
    """Return the run with a share of edges to drop that its dataset allows.

    InvalidError when it asks for more; one that names none gets the dataset's where that is less.
    """
    params, most = spec.params, settings_.max_drop_share
    if params.max_drop_share <= most:
        return spec
    if "max_drop_share" not in params.model_fields_set:
        lowered = params.model_copy(update={"max_drop_share": most})
        return spec.model_copy(update={"params": lowered})
    raise InvalidError(
        f"max_drop_share is {params.max_drop_share:g}, and this dataset lets a run drop at most "
        f"{most:g} of its edges; ask for less, or raise max_drop_share in the dataset's settings.",
        pointer="/params/max_drop_share",
        code="DROP_SHARE_OVER_CEILING",
    )


def _model(noun: str, endpoint: Endpoint) -> str:
    if not endpoint.base_url or not endpoint.model:
        raise InvalidError(
            f"No {noun} is configured: WINNOW_{noun.upper()}__BASE_URL and __MODEL name one.",
            code=f"NO_{noun.upper()}",
        )
    return endpoint.model


def _prompt_version(session: Session, wanted: int | None) -> int:
    usable = listings.prompt_versions(session, set(PROMPT_NAMES.values()))
    if not usable or (wanted is not None and wanted not in usable):
        raise InvalidError(
            f"There is no version {wanted} of the rating prompts, only {sorted(usable)}.",
            pointer="/prompt_version",
        )
    return max(usable) if wanted is None else wanted
