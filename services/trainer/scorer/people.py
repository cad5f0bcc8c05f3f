"""From somebody who is asked about to a vector: the cold-start chain, and what each step reads.

model -> fold-in of the history -> projected text profile -> popular
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.recsys.cold import unit
from services.shared import expression
from services.shared.db.repos import catalogue, datasets, histories
from services.shared.db.repos.catalogue import Told as Text
from services.shared.db.repos.histories import History
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Item, User
from services.shared.llm.cache_key import text_key
from services.shared.scoring import Ask, Question, Strategy
from services.shared.specs import DatasetSettings
from services.trainer.scorer.embedder import Embedder
from services.trainer.scorer.models import Servable, Space

Vector = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float32]

LOOKED_UP = 1_000
"""Items of one request's histories that the training did not know and whose texts are read."""


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody's vector and where it came from; without one there is what is popular."""

    strategy: Strategy
    vector: Vector | None  # (d,)
    taken: tuple[str, ...] = ()  # the history, seen by whom it is not to be said again
    unknown: tuple[str, ...] = ()  # items of a session of which nothing is known


@dataclass
class _Read:
    """What Postgres says of those who are asked about."""

    histories: dict[str, History] = field(default_factory=dict)
    profiles: dict[str, Text] = field(default_factory=dict)
    strangers: dict[str, Text] = field(default_factory=dict)  # items outside the model


class People:
    """Finds vectors for one request, of one model's graph."""

    def __init__(self, ask: Ask, model: Servable, embedder: Embedder) -> None:
        self._ask = ask
        self._model = model
        self._space = model.space(ask.graph)
        self._embedder = embedder

    def find(self) -> list[Person]:
        """Return a person per question, in their order."""
        read = self._read()
        strangers = self._stranger_vectors(read.strangers)
        folded = [self._trained_or_folded(one, read, strangers) for one in self._ask.questions]
        texts = {
            at: text
            for at, (question, person) in enumerate(zip(self._ask.questions, folded, strict=True))
            if person.strategy == "popular" and (text := _text_of(question, read)) is not None
        }
        by_text = self._by_text(texts)
        return [
            Person("text", by_text[at], person.taken, person.unknown) if at in by_text else person
            for at, person in enumerate(folded)
        ]

    def _read(self) -> _Read:
        ask, model = self._ask, self._model
        users = [one.user_id for one in ask.questions if one.user_id is not None]
        with unit_of_work(ask.project_id) as session:
            dataset = datasets.live(session, ask.dataset_id)
            positive = DatasetSettings.read(dataset.settings).positive
            clauses = expression.parse(positive) if positive else ()
            taken = histories.of_users(session, dataset.id, users, clauses) if users else {}
            cold = [user for user in users if user not in model.user_at]
            profiles = catalogue.texts(session, User, dataset.id, cold) if cold else {}
            outside = self._outside(taken)
            strangers = catalogue.texts(session, Item, dataset.id, outside) if outside else {}
        return _Read(taken, profiles, strangers)

    def _outside(self, taken: dict[str, History]) -> list[str]:
        """Return the items of the histories that the training did not know, LOOKED_UP at most."""
        of_users = (item for history in taken.values() for item in history.items)
        of_sessions = (item for question in self._ask.questions for item in question.items)
        known = self._model.item_at
        found = dict.fromkeys(
            i for items in (of_sessions, of_users) for i in items if i not in known
        )
        return list(found)[:LOOKED_UP]

    def _stranger_vectors(self, strangers: dict[str, Text]) -> dict[str, Vector]:
        """Return item vectors of new items by id, made of text vectors that there are already."""
        to_items = self._space.maps.item_text
        if to_items is None or not strangers:
            return {}
        keys = [text.sha256 for text in strangers.values()]
        kept = self._embedder.kept(self._ask.project_id, self._model.embedder, keys)
        rows = {
            ident: kept[text.sha256]
            for ident, text in strangers.items()
            if text.sha256 in kept and len(kept[text.sha256]) == len(to_items.mean)
        }
        if not rows:
            return {}
        return dict(zip(rows, to_items(np.stack(list(rows.values()))), strict=True))

    def _trained_or_folded(
        self, question: Question, read: _Read, strangers: dict[str, Vector]
    ) -> Person:
        model, space = self._model, self._space
        history = read.histories.get(question.user_id or "", History())
        taken = tuple(dict.fromkeys((*question.items, *history.items)))
        unknown = tuple(i for i in question.items if i not in model.item_at and i not in strangers)
        at = model.user_at.get(question.user_id or "")
        newer = history.latest is not None and history.latest > model.run_began
        if at is not None and not (self._ask.fresh and newer):
            return Person("model", space.users[at], taken, unknown)
        folded = _fold_in(taken, model, space, strangers)
        if folded is not None:
            return Person("fold_in", folded, taken, unknown)
        if at is not None:
            return Person("model", space.users[at], taken, unknown)
        return Person("popular", None, taken, unknown)

    def _by_text(self, texts: dict[int, Text]) -> dict[int, Vector]:
        """Return user vectors by the place of the question, of those whose text has a vector."""
        to_users = self._space.maps.user_text
        if to_users is None or not texts:
            return {}
        kept = {t.sha256: t.text for t in texts.values() if t.id}
        passing = {t.sha256: t.text for t in texts.values() if not t.id}
        ask = self._ask
        found = {
            **self._embedder.embed(ask.project_id, self._model.embedder, kept, keep=True),
            **self._embedder.embed(ask.project_id, self._model.embedder, passing, keep=False),
        }
        rows = {
            at: found[text.sha256]
            for at, text in texts.items()
            if len(found.get(text.sha256, ())) == len(to_users.mean)
        }
        if not rows:
            return {}
        return dict(zip(rows, to_users(np.stack(list(rows.values()))), strict=True))


def _text_of(question: Question, read: _Read) -> Text | None:
    """Return the profile that speaks for them; a session's has no id, and is not kept."""
    if question.text is not None and question.text.strip():
        return Text("", question.text, text_key(question.text))
    return read.profiles.get(question.user_id or "")


def _fold_in(
    taken: Sequence[str], model: Servable, space: Space, strangers: dict[str, Vector]
) -> Vector | None:
    """Return the vector of a history; None where nothing in it is known."""
    at = [model.item_at[item] for item in taken if item in model.item_at]
    rows = [space.items[at], *(strangers[item][None] for item in taken if item in strangers)]
    known = np.concatenate(rows)
    if not len(known) or not known.any():
        return None
    folded: Vector = space.maps.history(unit(known.sum(axis=0, keepdims=True)))[0]
    return folded
