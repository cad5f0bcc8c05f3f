"""From a request to its lists: who they are, what may be said, what is best, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from services.recsys.topk import NO_ITEM
from services.shared import expression
from services.shared.errors import ConflictError, NotFoundError
from services.shared.expression import Comparison
from services.shared.scoring import Ask, AskSimilar, Entry, Reply, SimilarReply, Told
from services.trainer.lists import EXPLAINED, nearest
from services.trainer.scorer.arrivals import Arrivals, Arrived
from services.trainer.scorer.embedder import Embedder
from services.trainer.scorer.models import Models, Servable, Space
from services.trainer.scorer.people import People, Person
from services.trainer.scorer.ranking import Ranked, Shelf, Sieve, best

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Reasons = tuple[JsonValue, ...]

BY_PROFILE: JsonValue = {"code": "LIKE_YOUR_PROFILE"}
NEW_BY_TEXT: JsonValue = {"code": "NEW_ITEM_BY_TEXT"}


@dataclass(frozen=True)
class Scorer:
    """What a request needs beside itself."""

    models: Models
    embedder: Embedder
    arrivals: Arrivals

    def recommend(self, ask: Ask) -> Reply:
        """Return a list for everybody who is asked about.

        Raises NotFoundError for a dataset or model that the project does not have, InvalidError
        for a filter that cannot be read, ConflictError for a model without the scorer's files.
        """
        model = self._model(ask)
        space = model.space(ask.graph)
        people = People(ask, model, self.embedder).find()
        arrived = self.arrivals.of(ask.project_id, model) if ask.include_new_items else None
        shelf = _shelf(model, space, arrived)
        places = _Places(model, shelf)
        found = best(
            [person.vector for person in people],
            shelf,
            hidden=[places.of(person.taken if ask.exclude_seen else ()) for person in people],
            sieve=Sieve(ask.project_id, ask.dataset_id, _clauses(ask.filter)),
            k=ask.k,
        )
        explained = _Explained(ask, model, space, shelf)
        answers = [
            Told(
                strategy=person.strategy,
                items=explained.entries(person, ranked),
                unknown_items=person.unknown,
            )
            for person, ranked in zip(people, found, strict=True)
        ]
        return Reply(answers=tuple(answers))

    def similar(self, ask: AskSimilar) -> SimilarReply:
        """Return the items nearest to one by the cosine of their vectors, itself left out.

        Raises as `recommend`, and NotFoundError for an item of which nothing is known.
        """
        model = self._model(ask)
        vectors = _likeness(ask, model)
        at = model.item_at.get(ask.item_id)
        if at is None or not vectors[at].any():
            raise NotFoundError("item with a vector", ask.item_id)
        silent = np.flatnonzero(~vectors.any(axis=1))  # no likeness to anybody
        shelf = Shelf(model.item_ids, vectors, model.people)
        sieve = Sieve(ask.project_id, ask.dataset_id, _clauses(ask.filter))
        ((items, scores),) = best(
            [vectors[at]], shelf, hidden=[np.append(silent, at)], sieve=sieve, k=ask.k
        )
        rows = zip(items.tolist(), scores.tolist(), strict=True)
        return SimilarReply(
            items=tuple(Entry(item_id=shelf.ids[i], score=_short(s)) for i, s in rows)
        )

    def _model(self, ask: Ask | AskSimilar) -> Servable:
        model = self.models.get(ask.project_id, ask.model_id)
        if model.dataset_id != ask.dataset_id:
            raise NotFoundError("model", ask.model_id)
        return model


@dataclass(frozen=True)
class _Explained:
    """Writes lists out, with reasons where they are asked for."""

    ask: Ask
    model: Servable
    space: Space
    shelf: Shelf

    def entries(self, person: Person, ranked: Ranked) -> tuple[Entry, ...]:
        items, scores = ranked
        reasons = self._reasons(person, items)
        return tuple(
            Entry(
                item_id=self.shelf.ids[item],
                score=_short(score),
                reasons=why,
                new=item >= len(self.model.item_ids),
            )
            for item, score, why in zip(items.tolist(), scores.tolist(), reasons, strict=True)
        )

    def _reasons(self, person: Person, items: Ints) -> Sequence[Reasons]:
        if not self.ask.explain:
            return [()] * len(items)
        trained = len(self.model.item_ids)
        liked = np.array(
            [self.model.item_at[i] for i in person.taken if i in self.model.item_at], dtype=np.int64
        )
        because = nearest(self.space.unit_items, np.minimum(items[:EXPLAINED], trained - 1), liked)
        told: list[Reasons] = []
        for rank, item in enumerate(items.tolist()):
            if item >= trained:
                told.append((NEW_BY_TEXT,))
            elif person.strategy == "text":
                told.append((BY_PROFILE,))
            elif person.strategy == "popular" or rank >= EXPLAINED or because[rank] == NO_ITEM:
                told.append(())
            else:
                named = self.model.item_ids[int(because[rank])]
                told.append(({"code": "BECAUSE_YOU_LIKED", "item_id": named},))
        return told


def _shelf(model: Servable, space: Space, arrived: Arrived | None) -> Shelf:
    """Return the trained items, and the new ones behind them where they are wanted."""
    to_items = space.maps.item_text
    if arrived is None or not arrived.ids or to_items is None:
        return Shelf(model.item_ids, space.items, model.people)
    vectors = np.concatenate([space.items, to_items(arrived.texts)]).astype(np.float32)
    nobody = np.zeros(len(arrived.ids), dtype=np.float32)
    return Shelf((*model.item_ids, *arrived.ids), vectors, np.concatenate([model.people, nobody]))


class _Places:
    """Where items stand on a shelf."""

    def __init__(self, model: Servable, shelf: Shelf) -> None:
        trained = len(model.item_ids)
        self._trained = model.item_at
        self._new = {ident: trained + at for at, ident in enumerate(shelf.ids[trained:])}

    def of(self, idents: Sequence[str]) -> Ints:
        """Return the places of those that stand there."""
        found = (self._trained.get(ident, self._new.get(ident)) for ident in idents)
        return np.array([at for at in found if at is not None], dtype=np.int64)


def _clauses(text: str | None) -> tuple[Comparison, ...]:
    return () if text is None else expression.parse(text, None, pointer="/query/filter")


def _likeness(ask: AskSimilar, model: Servable) -> Floats:
    if ask.by == "collaborative":
        return model.space(ask.graph).unit_items
    if model.texts is None:
        raise ConflictError(
            "No item had a text vector when this model was trained.", code="NO_TEXTS"
        )
    return model.texts


def _short(score: float) -> float:
    """Return the seven digits that a float32 has, as the published lists write them."""
    return float(f"{score:.7g}")
