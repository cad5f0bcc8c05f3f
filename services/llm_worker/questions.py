"""From a batch's pairs to questions: both views, from the snapshot's texts, under cache keys."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from services.llm_worker.ask import request_for
from services.llm_worker.snapshot import Texts
from services.shared.db.tables import Candidate
from services.shared.llm.cache_key import rating_key
from services.shared.llm.prompts import (
    VIEWS,
    ItemQuestion,
    PromptTemplate,
    Question,
    UserQuestion,
    View,
    reference,
    render,
)
from services.shared.llm.protocol import ChatRequest

Linked = Collection[tuple[str, str, str]]


@dataclass(frozen=True, kw_only=True)
class PairQuestion:
    """One view of one pair, ready to be asked; `key` finds it when it was asked before."""

    user_id: str
    item_id: str
    key: bytes
    question: Question
    template: PromptTemplate
    model: str
    max_chars: int

    @property
    def view(self) -> View:
        """Return the view that is asked."""
        return self.question.view

    def request(self) -> ChatRequest:
        """Return the call; rendered on demand, since many questions are found in the cache."""
        messages = render(self.template, self.question, max_chars=self.max_chars)
        return request_for(messages, model=self.model, reference=self.reference())

    def reference(self) -> str | None:
        """Return what an answer to this very question carries; None where the prompt has none."""
        return reference(self.template, self.question, max_chars=self.max_chars)


@dataclass(frozen=True, kw_only=True)
class Questioner:
    """What all questions of a run have in common."""

    templates: Mapping[View, PromptTemplate]
    model: str
    max_chars: int

    def of(self, pairs: Sequence[Candidate], texts: Texts, *, linked: Linked) -> list[PairQuestion]:
        """Return the questions that the run has no rating for yet.

        A user's questions of one view stand together: servers cache the part of the prompt that
        they share. Missing texts are empty; the renderer has a word for that.
        """
        users = texts.of("users", {pair.user_id for pair in pairs})
        shelves = {item for pair in pairs for item in pair.history}
        items = texts.of("items", shelves | {pair.item_id for pair in pairs})
        ordered = sorted(pairs, key=lambda pair: (pair.user_id, pair.item_id))
        return [
            self._pose(pair, _question(pair, view, users=users, items=items))
            for pair, view in _grouped(ordered)
            if (pair.user_id, pair.item_id, view) not in linked
        ]

    def _pose(self, pair: Candidate, question: Question) -> PairQuestion:
        template = self.templates[question.view]
        key = rating_key(
            template=template,
            question=question,
            model=self.model,
            parameters=request_for([], model=self.model).parameters(),
            max_chars=self.max_chars,
        )
        return PairQuestion(
            user_id=pair.user_id,
            item_id=pair.item_id,
            key=key,
            question=question,
            template=template,
            model=self.model,
            max_chars=self.max_chars,
        )


def _grouped(pairs: Sequence[Candidate]) -> Iterator[tuple[Candidate, View]]:
    for _, of_user in groupby(pairs, key=lambda pair: pair.user_id):
        own = list(of_user)
        yield from ((pair, view) for view in VIEWS for pair in own)


def _question(
    pair: Candidate, view: View, *, users: Mapping[str, str], items: Mapping[str, str]
) -> Question:
    item = items.get(pair.item_id, "")
    if view == "user":
        return UserQuestion(user=users.get(pair.user_id, ""), item=item)
    liked = tuple(items.get(one, "") for one in pair.history if one != pair.item_id)
    return ItemQuestion(liked=liked, item=item)
