"""The mapped lists of models: fetched by manifest, hashes checked, swapped between requests."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Literal
from uuid import UUID

from services.api.served.pointers import Published
from services.shared.artifacts import ArtifactStore
from services.shared.errors import ArtifactCorruptError, DiskFullError, UnavailableError
from services.shared.log import get_logger
from services.shared.toplists import TopLists

log = get_logger(__name__)
GRAPHS = ("raw", "denoised")
MAPPED_AT_MOST = 256
REFUSED_SECONDS = 10.0


@dataclass(frozen=True)
class Lists:
    """A model with the lists of both its graphs."""

    model: Published
    by_graph: dict[str, TopLists]


@dataclass(frozen=True)
class _Refusal:
    """Until when the files are not tried again, and whose they are."""

    until: float
    dataset_id: UUID


class Shelf:
    """Maps models' lists; what fails its hash is refused, and what served before serves on."""

    def __init__(
        self, store: Callable[[], ArtifactStore], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._clock = clock
        self._mapped: OrderedDict[UUID, Lists] = OrderedDict()
        self._serving: dict[UUID, Lists] = {}  # by dataset
        self._refused: dict[UUID, _Refusal] = {}  # by model
        self._lock = Lock()

    def at_hand(self, model: Published, *, named: bool) -> Lists | None:
        """Return the lists if nothing has to be fetched for it; never blocks.

        A model that was `named` by the caller has no stand-in; the dataset's own may have one.
        """
        lists = self._mapped.get(model.model_id)
        if lists is not None:
            self._note(lists, named=named)
            return lists
        if not named and self._is_refused(model):
            return self._serving.get(model.dataset_id)
        return None

    def fetch(self, model: Published, *, named: bool) -> Lists:
        """Return the lists, mapped now, or those that the dataset served before.

        Raises UnavailableError when the model's are refused and there are no others.
        """
        with self._lock:
            at_hand = self.at_hand(model, named=named)
            if at_hand is not None:
                return at_hand
            if not self._is_refused(model):
                self._try(model)
        at_hand = self.at_hand(model, named=named)
        if at_hand is None:
            raise UnavailableError("The list file of this model", retry_after=REFUSED_SECONDS)
        return at_hand

    def health(self) -> Literal["ok", "refused", "missing"]:
        """Say whether any list is refused now, and whether a dataset has nothing in its place."""
        now = self._clock()
        refused = [one for one in list(self._refused.values()) if one.until > now]
        if any(one.dataset_id not in self._serving for one in refused):
            return "missing"
        return "refused" if refused else "ok"

    def _is_refused(self, model: Published) -> bool:
        refusal = self._refused.get(model.model_id)
        return refusal is not None and refusal.until > self._clock()

    def _try(self, model: Published) -> None:
        try:
            folder = self._store().open(model.manifest_path, sha256=model.manifest_sha256)
            by_graph = {graph: TopLists(folder / f"lists-{graph}.bin") for graph in GRAPHS}
        except (ArtifactCorruptError, DiskFullError, OSError) as error:
            until = self._clock() + REFUSED_SECONDS
            self._refused[model.model_id] = _Refusal(until, model.dataset_id)
            log.error("lists_refused", model_id=str(model.model_id), error=str(error))  # noqa: TRY400 - known
            return
        self._refused.pop(model.model_id, None)
        self._mapped[model.model_id] = Lists(model, by_graph)
        if len(self._mapped) > MAPPED_AT_MOST:
            self._mapped.popitem(last=False)  # unmapped with its last reader

    def _note(self, lists: Lists, *, named: bool) -> None:
        if not named:
            self._serving[lists.model.dataset_id] = lists
