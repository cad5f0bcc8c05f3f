"""Models in memory: loaded by id, verified by manifest, the least recently used dropped first."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from uuid import UUID

import numpy as np
import numpy.typing as npt
import polars as pl
from safetensors.numpy import load_file

from services.recsys.cold import unit
from services.shared.artifacts import ArtifactStore
from services.shared.db.repos import listings, runs
from services.shared.db.session import unit_of_work
from services.shared.errors import (
    ArtifactCorruptError,
    ConflictError,
    DiskFullError,
    UnavailableError,
)
from services.shared.log import get_logger
from services.shared.scoring import Graph
from services.trainer import newcomers
from services.trainer.newcomers import Maps

log = get_logger(__name__)

BYTES_PER_ID = 120
"""A string of CPython with its place in a dictionary, roughly."""

REFUSED_SECONDS = 10.0
"""Until files that failed their hash, or found no room, are tried again."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Space:
    """One graph's vectors, and the ways into them."""

    users: Floats  # (U, d)
    items: Floats  # (I, d)
    unit_items: Floats  # (I, d), for likeness
    maps: Maps

    @property
    def size(self) -> int:
        """Return the bytes that it takes."""
        return self.users.nbytes + self.items.nbytes + self.unit_items.nbytes


@dataclass(frozen=True, eq=False)
class Servable:
    """A model with both graphs; it never changes."""

    model_id: UUID
    dataset_id: UUID
    run_began: datetime  # what arrived later may be missing from the training
    embedder: str  # whose vectors the maps understand
    default_graph: Graph
    user_at: Mapping[str, int]
    item_at: Mapping[str, int]
    item_ids: tuple[str, ...]
    people: Floats  # (I,), the share of users who have an item
    spaces: Mapping[Graph, Space]
    texts: Floats | None  # (I, d_llm), items' text vectors at length 1; zeros without a text
    size: int

    @property
    def text_width(self) -> int | None:
        """Return the width of the text vectors that the maps read; None without such a map."""
        return self.spaces["raw"].maps.text_width

    def space(self, graph: Graph | None) -> Space:
        """Return the graph's space, by default the one that validation chose."""
        return self.spaces[graph or self.default_graph]


@dataclass(frozen=True)
class _Row:
    """What Postgres says of a model."""

    dataset_id: UUID
    run_began: datetime
    embedder: str
    default_graph: Graph
    manifest_path: str
    manifest_sha256: str


class Models:
    """Keeps models within `most_bytes`; the one in use is kept even where it alone is larger."""

    def __init__(
        self,
        store: ArtifactStore,
        *,
        most_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._most = most_bytes
        self._clock = clock
        self._kept: OrderedDict[tuple[UUID, UUID], Servable] = OrderedDict()
        self._refused: dict[UUID, float] = {}  # by model: until when
        self._lock = Lock()  # of the dictionaries
        self._loading = Lock()  # one model at a time: two would double the memory

    def get(self, project_id: UUID, model_id: UUID) -> Servable:
        """Return the model, loaded now if need be.

        Raises NotFoundError when the project has no such model, ConflictError when it was
        published before the scorer's files were, UnavailableError while its files are damaged or
        find no room.
        """
        key = project_id, model_id
        kept = self._at_hand(key)
        if kept is not None:
            return kept
        with self._loading:
            kept = self._at_hand(key)
            if kept is None:
                kept = self._load(project_id, model_id)
                self._keep(key, kept)
            return kept

    @property
    def size(self) -> int:
        """Return the bytes of all models at hand."""
        with self._lock:
            return sum(one.size for one in self._kept.values())

    def _at_hand(self, key: tuple[UUID, UUID]) -> Servable | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[UUID, UUID], model: Servable) -> None:
        with self._lock:
            self._kept[key] = model
            while len(self._kept) > 1 and sum(m.size for m in self._kept.values()) > self._most:
                self._kept.popitem(last=False)  # freed with its last reader

    def _load(self, project_id: UUID, model_id: UUID) -> Servable:
        row = _row(project_id, model_id)
        if self._refused.get(model_id, 0.0) > self._clock():
            raise UnavailableError("The files of this model", retry_after=REFUSED_SECONDS)
        try:
            folder = self._store.open(row.manifest_path, sha256=row.manifest_sha256)
            return _read(folder, model_id, row)
        except (ArtifactCorruptError, DiskFullError, OSError) as error:
            self._refused[model_id] = self._clock() + REFUSED_SECONDS
            log.error("model_refused", model_id=str(model_id), error=str(error))  # noqa: TRY400 - known
            raise UnavailableError("The files of this model") from error


def _row(project_id: UUID, model_id: UUID) -> _Row:
    with unit_of_work(project_id) as session:
        model = listings.model(session, model_id)
        run = runs.get(session, model.run_id)
        return _Row(
            dataset_id=model.dataset_id,
            run_began=run.created_at,
            embedder=run.embedder,
            default_graph="denoised" if model.default_graph == "denoised" else "raw",
            manifest_path=model.artifact_path,
            manifest_sha256=model.manifest_sha256,
        )


def _read(folder: Path, model_id: UUID, row: _Row) -> Servable:
    if not (folder / newcomers.ITEMS).exists():
        raise ConflictError(
            "This model was published before models kept what scoring needs: run again.",
            code="MODEL_TOO_OLD",
        )
    users = pl.read_parquet(folder / newcomers.USERS)["id"].to_list()
    items = pl.read_parquet(folder / newcomers.ITEMS)
    item_ids = items["id"].to_list()
    spaces: dict[Graph, Space] = {
        "raw": _space(folder, "raw"),
        "denoised": _space(folder, "denoised"),
    }
    texts = _texts(folder)
    people = (items["people"].to_numpy() / max(len(users), 1)).astype(np.float32)
    return Servable(
        model_id=model_id,
        dataset_id=row.dataset_id,
        run_began=row.run_began,
        embedder=row.embedder,
        default_graph=row.default_graph,
        user_at={ident: at for at, ident in enumerate(users)},
        item_at={ident: at for at, ident in enumerate(item_ids)},
        item_ids=tuple(item_ids),
        people=people,
        spaces=spaces,
        texts=texts,
        size=sum(space.size for space in spaces.values())
        + (0 if texts is None else texts.nbytes)
        + BYTES_PER_ID * (len(users) + len(item_ids)),
    )


def _space(folder: Path, graph: Graph) -> Space:
    both = load_file(folder / f"{graph}.safetensors")
    users, items = (both[side].astype(np.float32) for side in ("users", "items"))
    maps = newcomers.read_maps(folder, graph)
    return Space(users, items, unit(items).astype(np.float32), maps)


def _texts(folder: Path) -> Floats | None:
    path = folder / newcomers.TEXTS
    if not path.exists():
        return None
    return unit(load_file(path)[newcomers.VECTORS].astype(np.float32)).astype(np.float32)
