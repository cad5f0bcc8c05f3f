"""Which model a dataset serves, as Postgres said at most a second ago."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.shared.db.repos import datasets, listings
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Model
from services.shared.errors import ConflictError, NotFoundError
from services.shared.log import get_logger
from services.shared.scoring import Graph

log = get_logger(__name__)
FRESH_SECONDS = 1.0
KNOWN_AT_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class Published:
    """A model's row, as far as serving reads it; it never changes."""

    model_id: UUID
    dataset_id: UUID
    dataset_version: int
    default_graph: str
    manifest_path: str
    manifest_sha256: str

    @classmethod
    def of(cls, model: Model) -> "Published":
        """Return what serving needs of the row."""
        return cls(
            model_id=model.id,
            dataset_id=model.dataset_id,
            dataset_version=model.dataset_version,
            default_graph=model.default_graph,
            manifest_path=model.artifact_path,
            manifest_sha256=model.manifest_sha256,
        )


@dataclass(frozen=True)
class Pointer:
    """A live dataset's model, None while it has none; its lists, None for the model's choice."""

    model: Published | None
    read_at: float
    graph: Graph | None = None


class Pointers:
    """Reads pointers and keeps each for a second; `clock` is time.monotonic outside of tests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[UUID, UUID], Pointer] = {}
        self._models: dict[tuple[UUID, UUID], Published] = {}

    def fresh(self, project_id: UUID, dataset_id: UUID) -> Pointer | None:
        """Return the pointer if it is young enough; never blocks."""
        pointer = self._known.get((project_id, dataset_id))
        if pointer is None or self._clock() - pointer.read_at > FRESH_SECONDS:
            return None
        return pointer

    def read(self, project_id: UUID, dataset_id: UUID) -> Pointer:
        """Return the pointer as it stands in Postgres, or the last one known while that is away.

        Raises NotFoundError when the project has no such dataset.
        """
        key = project_id, dataset_id
        try:
            pointer = self._ask(project_id, dataset_id)
        except NotFoundError:
            self._known.pop(key, None)
            raise
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            known = self._known.get(key)
            if known is None:
                raise
            log.warning("pointer_stale", error=type(error).__name__)
            pointer = replace(known, read_at=self._clock())
        if len(self._known) >= KNOWN_AT_MOST:
            self._known.clear()
        self._known[key] = pointer
        return pointer

    def named(self, project_id: UUID, dataset_id: UUID, model_id: UUID) -> Published:
        """Return a model of the dataset by its id; NotFoundError without one."""
        model = self._models.get((project_id, model_id))
        if model is None:
            with unit_of_work(project_id) as session:
                model = Published.of(listings.model(session, model_id))
            if len(self._models) >= KNOWN_AT_MOST:
                self._models.clear()
            self._models[project_id, model_id] = model
        if model.dataset_id != dataset_id:
            raise NotFoundError("model", model_id)
        return model

    def forget(self, project_id: UUID, dataset_id: UUID) -> None:
        """Ask Postgres next time, as after a promotion."""
        self._known.pop((project_id, dataset_id), None)

    def _ask(self, project_id: UUID, dataset_id: UUID) -> Pointer:
        read_at = self._clock()
        with unit_of_work(project_id) as session:
            dataset = datasets.live(session, dataset_id)
            model_id = dataset.current_model_id
            model = None if model_id is None else Published.of(listings.model(session, model_id))
        return Pointer(model, read_at, cast("Graph | None", dataset.current_graph))


def model_of(pointer: Pointer) -> Published:
    """Return the pointer's model; ConflictError while the dataset has none."""
    if pointer.model is None:
        raise ConflictError(
            "The dataset serves no model yet: start a run, or promote a model.", code="NO_MODEL"
        )
    return pointer.model
