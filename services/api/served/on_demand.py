"""Lists that are not published: the scorer's, or what can stand in for it while it is away."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal
from uuid import UUID

import orjson

from services.api.served.query import Query
from services.api.served.scorer import Scorer, ScorerAwayError
from services.api.served.shelf import Lists
from services.api.use_cases.read_filter import read_filter
from services.shared.db.repos import catalogue
from services.shared.db.session import unit_of_work
from services.shared.errors import InvalidError, NotFoundError
from services.shared.expression import Comparison
from services.shared.scoring import Ask, AskSimilar, Entry, Likeness, Question, Strategy, Told
from services.shared.toplists import TopLists

Fallback = Literal["popular", "list"] | None
Item = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class List:
    """One answer, ready to be written; the id is the same as long as the answer."""

    recommendation_id: str
    strategy: Strategy
    fallback: Fallback
    items: bytes  # JSON objects joined by commas
    unknown_items: tuple[str, ...] | None = None

    def fields(self, *, session: bool = False) -> bytes:
        """Return the fields as they stand within an answer's object."""
        head: dict[str, str | list[str] | None] = {
            "recommendation_id": self.recommendation_id,
            "strategy": self.strategy,
            "fallback": self.fallback,
        }
        if session:
            head["unknown_items"] = None if self.unknown_items is None else [*self.unknown_items]
        return orjson.dumps(head)[1:-1] + b',"items":[' + self.items + b"]"


class OnDemand:
    """Answers for one model's lists, within a thread: it asks Postgres and the scorer."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def for_users(
        self,
        project_id: UUID,
        lists: Lists,
        user_ids: Sequence[str],
        query: Query,
        *,
        pointer: str = "/query/filter",
    ) -> list[List]:
        """Return one list a user, in their order; the published one where that is what is asked.

        Raises InvalidError for a filter that cannot be read, UnavailableError where the scorer
        is away and no published list can keep what is asked.
        """
        clauses = self._clauses(project_id, lists, query, pointer)
        plain = {} if query.beyond_lists else _published(lists, user_ids, query)
        left = [user_id for user_id in dict.fromkeys(user_ids) if user_id not in plain]
        told = self._told(project_id, lists, query, [Question(user_id=one) for one in left])
        if told is None:
            rest = {one: self._for_away(project_id, lists, one, query, clauses) for one in left}
        else:
            said = zip(left, told, strict=True)
            rest = {one: _written(lists, query, f"u {one}", answer) for one, answer in said}
        return [plain.get(user_id) or rest[user_id] for user_id in user_ids]

    def for_session(self, project_id: UUID, lists: Lists, question: Question, query: Query) -> List:
        """Return a list for somebody who is nobody's user.

        Raises InvalidError where neither an item nor a text says anything; else as `for_users`.
        """
        clauses = self._clauses(project_id, lists, query, "/filter")
        told = self._told(project_id, lists, query, [question])
        if told is None:
            taken = frozenset(question.items) if query.exclude_seen else frozenset()
            items = self._stand_in(project_id, lists, query, clauses, None, without=taken)
            return _listed(lists, query, _who(question), "popular", "popular", items)
        (one,) = told
        if set(one.unknown_items) >= set(question.items) and not question.text:
            raise InvalidError(
                "None of the items is known to the model, and there is no text to go by.",
                pointer="/items",
                code="NOTHING_TO_GO_BY",
            )
        return _written(lists, query, _who(question), one)

    def similar(
        self, project_id: UUID, lists: Lists, item_id: str, by: Likeness, query: Query
    ) -> tuple[Entry, ...]:
        """Return the items that are like one; nothing stands in while the scorer is away."""
        self._clauses(project_id, lists, query, "/query/filter")
        ask = AskSimilar(
            project_id=project_id,
            dataset_id=lists.model.dataset_id,
            model_id=lists.model.model_id,
            graph=query.graph,
            k=query.k,
            filter=query.filter,
            item_id=item_id,
            by=by,
        )
        return self._scorer.similar(ask).items

    def _clauses(
        self, project_id: UUID, lists: Lists, query: Query, pointer: str
    ) -> tuple[Comparison, ...]:
        return read_filter(project_id, lists.model.dataset_id, query.filter, pointer=pointer)

    def _told(
        self, project_id: UUID, lists: Lists, query: Query, questions: Sequence[Question]
    ) -> Sequence[Told] | None:
        """Return the scorer's answers; None where lists have to stand in for it."""
        if not questions:
            return ()
        ask = Ask(
            project_id=project_id,
            dataset_id=lists.model.dataset_id,
            model_id=lists.model.model_id,
            graph=query.graph,
            k=query.k,
            filter=query.filter,
            exclude_seen=query.exclude_seen,
            explain=query.explain,
            fresh=query.fresh,
            include_new_items=query.include_new_items,
            questions=tuple(questions),
        )
        try:
            return self._scorer.recommend(ask).answers
        except NotFoundError:  # deleted, or promoted away, within this very second
            raise
        except ScorerAwayError:
            if not query.exclude_seen:
                raise  # published lists hold unseen items only
            return None

    def _for_away(
        self,
        project_id: UUID,
        lists: Lists,
        user_id: str,
        query: Query,
        clauses: Sequence[Comparison],
    ) -> List:
        """Return what published lists have for a user, while the scorer is away."""
        if not clauses:
            return _as_published(lists, user_id, query)
        graph = _graph(lists, query)
        own = graph.fragment(user_id, graph.length, explain=query.explain)
        items = self._stand_in(project_id, lists, query, clauses, own)
        if own is None:
            return _listed(lists, query, f"u {user_id}", "popular", "popular", items)
        return _listed(lists, query, f"u {user_id}", "model", "list", items)

    def _stand_in(
        self,
        project_id: UUID,
        lists: Lists,
        query: Query,
        clauses: Sequence[Comparison],
        own: bytes | None,
        *,
        without: frozenset[str] = frozenset(),
    ) -> list[Item]:
        """Return what a published list has that satisfies the filter, K at most."""
        graph = _graph(lists, query)
        fragment = own if own is not None else graph.popular(graph.length, explain=query.explain)
        items: list[Item] = json.loads(b"[" + fragment + b"]")
        items = [item for item in items if item["item_id"] not in without]
        if clauses:
            idents = [item["item_id"] for item in items]
            with unit_of_work(project_id) as session:
                kept = catalogue.matching(session, lists.model.dataset_id, idents, clauses)
            items = [item for item in items if item["item_id"] in kept]
        return [{**item, "rank": rank} for rank, item in enumerate(items[: query.k], 1)]


def _published(lists: Lists, user_ids: Sequence[str], query: Query) -> dict[str, List]:
    """Return the published lists of those whom the model knows."""
    graph, model_id = _graph(lists, query), lists.model.model_id
    slices = ((one, graph.fragment(one, query.k, explain=query.explain)) for one in user_ids)
    return {
        one: List(
            recommendation_id=recommendation_id(model_id, one, query),
            strategy="model",
            fallback=None,
            items=items,
        )
        for one, items in slices
        if items is not None
    }


def _as_published(lists: Lists, user_id: str, query: Query) -> List:
    """Return what the lists have for the user, as it lies there: the user's own, or the popular."""
    graph = _graph(lists, query)
    own = graph.fragment(user_id, query.k, explain=query.explain)
    return List(
        recommendation_id=recommendation_id(lists.model.model_id, user_id, query),
        strategy="popular" if own is None else "model",
        fallback="popular" if own is None else "list",
        items=graph.popular(query.k, explain=query.explain) if own is None else own,
    )


def recommendation_id(model_id: UUID, user_id: str, query: Query) -> str:
    """Return 128 bits over model, user and query, as base64url: the same as long as the answer."""
    asked = f"{query.k} {query.explain} {query.graph} {model_id} ".encode() + user_id.encode()
    return _encoded(asked)


def _listed(
    lists: Lists,
    query: Query,
    who: str,
    strategy: Strategy,
    fallback: Fallback,
    items: Sequence[Item],
    unknown: tuple[str, ...] | None = None,
) -> List:
    written = b",".join(orjson.dumps(item) for item in items)
    about = f"{lists.model.model_id} {query.graph} {strategy} {fallback} {who} ".encode()
    return List(
        recommendation_id=_encoded(about + written),
        strategy=strategy,
        fallback=fallback,
        items=written,
        unknown_items=unknown,
    )


def _written(lists: Lists, query: Query, who: str, told: Told) -> List:
    items = [entry_fields(entry, rank) for rank, entry in enumerate(told.items, 1)]
    fallback: Fallback = "popular" if told.strategy == "popular" else None
    return _listed(lists, query, who, told.strategy, fallback, items, told.unknown_items)


def entry_fields(entry: Entry, rank: int) -> Item:
    """Return an item as an answer shows it; only new ones say that they are."""
    fields: Item = {
        "item_id": entry.item_id,
        "score": entry.score,
        "rank": rank,
        "reasons": [*entry.reasons],
    }
    return {**fields, "new": True} if entry.new else fields


def _who(question: Question) -> str:
    """Return what tells sessions apart; it goes into a hash and nowhere else."""
    return "s " + json.dumps([question.items, question.text])


def _graph(lists: Lists, query: Query) -> TopLists:
    return lists.by_graph[query.graph or lists.model.default_graph]


def _encoded(said: bytes) -> str:
    return base64.urlsafe_b64encode(blake2b(said, digest_size=16).digest()).decode().rstrip("=")
