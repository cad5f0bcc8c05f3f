"""Items that the training did not know, with the vectors of their texts; read behind the requests.

A request takes what is at hand and never waits: reading the catalogue and embedding what is new
happen on one thread of its own, and an item can be recommended as soon as that has seen it. The
catalogue is gone through when the dataset has changed, or while texts wait for their vectors.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy.exc import SQLAlchemyError

from services.shared.db.repos import catalogue, datasets
from services.shared.db.session import unit_of_work
from services.shared.errors import NotFoundError
from services.shared.log import get_logger
from services.trainer.scorer.embedder import Embedder, Vector
from services.trainer.scorer.models import Servable

log = get_logger(__name__)

MOST = 1_000
"""New items of one dataset, the latest written first."""

FRESH_SECONDS = 2.0
DATASETS = 64

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Arrived:
    """New items and their text vectors, row by row."""

    ids: tuple[str, ...]
    texts: Vectors  # (m, d_llm)


NOBODY = Arrived((), np.empty((0, 0), dtype=np.float32))


@dataclass(frozen=True, eq=False)
class _Read:
    arrived: Arrived
    at: float
    whole_at: int | None  # the dataset's version, if no text of it waits for a vector


class Arrivals:
    """Knows each model's new items as of some seconds ago."""

    def __init__(self, embedder: Embedder, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._embedder = embedder
        self._clock = clock
        self._known: OrderedDict[UUID, _Read] = OrderedDict()
        self._under_way: set[UUID] = set()
        self._lock = Lock()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="arrivals")

    def of(self, project_id: UUID, model: Servable) -> Arrived:
        """Return what is known now, and have it read anew where that is old; never waits."""
        if model.text_width is None:
            return NOBODY
        with self._lock:
            known = self._known.get(model.model_id)
            old = known is None or self._clock() - known.at > FRESH_SECONDS
            if old and model.model_id not in self._under_way:
                self._under_way.add(model.model_id)
                self._reader.submit(self._refresh, project_id, model)
        return NOBODY if known is None else known.arrived

    def close(self) -> None:
        """Read no more."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    def _refresh(self, project_id: UUID, model: Servable) -> None:
        try:
            self._keep(model, self._read(project_id, model))
        except (SQLAlchemyError, NotFoundError) as error:
            log.warning("arrivals_unread", error=type(error).__name__)
        finally:
            with self._lock:
                self._under_way.discard(model.model_id)

    def _keep(self, model: Servable, read: _Read) -> None:
        with self._lock:
            self._known[model.model_id] = read
            self._known.move_to_end(model.model_id)
            if len(self._known) > DATASETS:
                self._known.popitem(last=False)

    def _read(self, project_id: UUID, model: Servable) -> _Read:
        with self._lock:
            before = self._known.get(model.model_id)
        with unit_of_work(project_id) as session:
            version = datasets.live(session, model.dataset_id).version
            if before is not None and before.whole_at == version:
                return replace(before, at=self._clock())
            new = catalogue.outside(session, model.dataset_id, model.item_at, most=MOST)
        wanted = {item.sha256: item.text for item in new}
        vectors = self._embedder.embed(project_id, model.embedder, wanted, keep=True)
        whole = all(key in vectors or self._embedder.has_refused(key) for key in wanted)
        told = [(item.id, vectors[item.sha256]) for item in new if item.sha256 in vectors]
        fitting = [(ident, row) for ident, row in told if len(row) == model.text_width]
        return _Read(_arrived(fitting), self._clock(), version if whole else None)


def _arrived(rows: Sequence[tuple[str, Vector]]) -> Arrived:
    if not rows:
        return NOBODY
    ids, vectors = zip(*rows, strict=True)
    return Arrived(ids, np.stack(vectors))
