"""Estimate a call's tokens from real prompts: this dataset's texts in this version's words.

The prompts of sampled users are rendered as a worker would render them. Their tokens are counted
by a rule of thumb, which is then corrected by answers of before where the endpoint counted itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import prompts, samples
from services.shared.db.repos.samples import Told
from services.shared.db.tables import Item, User
from services.shared.expression import Comparison
from services.shared.llm.budget import Tokens, estimate_prompt_tokens
from services.shared.llm.prompts import (
    VIEWS,
    ItemQuestion,
    PromptTemplate,
    Question,
    UserQuestion,
    View,
    render,
)
from services.shared.settings import settings

REPLY_TOKENS = 50
"""Of an answer that nobody has counted yet: a sentence of at most 30 words in a JSON object."""

COMPOSED_OF, COMPOSED_CHARS = 5, 400
"""As the snapshot composes the text of a user who has none."""

MOST_LIKED = 60
"""Items of one user that are looked at: more than any shelf holds."""


@dataclass(frozen=True, kw_only=True)
class PerPair:
    """Tokens of both calls of a pair; `measured`: the endpoint's own counts went into it."""

    edge: Tokens
    non_edge: Tokens
    measured: bool


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A sampled user: whom a prompt would describe, and by what."""

    text: str
    liked: Sequence[str]  # texts of what they like, drawn; missing ones are empty


@dataclass(frozen=True)
class Renderer:
    """Both views' templates."""

    templates: Mapping[View, PromptTemplate]

    def tokens(self, question: Question) -> int:
        """Return the rule of thumb's count of a rendered question."""
        limit = settings().limits.prompt_text_chars
        messages = render(self.templates[question.view], question, max_chars=limit)
        return estimate_prompt_tokens(message["content"] for message in messages)


def estimate_tokens(
    session: Session,
    dataset_id: UUID,
    *,
    sample: Sequence[str],
    positive: Sequence[Comparison],
    shelf: int,
    llm: str,
    prompt_version: int,
) -> PerPair:
    """Return the tokens of an average pair; `sample` names users who have pairs."""
    renderer = Renderer(prompts.templates(session, prompt_version))
    readers = _readers(session, dataset_id, sample, positive)
    rates = {
        view: _rate(session, dataset_id, renderer, view, llm=llm, prompt_version=prompt_version)
        for view in VIEWS
    }
    reply = round(sum(rate.reply for rate in rates.values()))
    others = [*readers[1:], *readers[:1]]  # a non-edge's item is one that somebody else likes
    edges, non_edges = (
        round(sum(rates[view].prompt * _mean(renderer, asked, view) for view in VIEWS))
        for asked in (_edges(readers, shelf), _non_edges(readers, others, shelf))
    )
    return PerPair(
        edge=Tokens(prompt=edges or non_edges, completion=reply),
        non_edge=Tokens(prompt=non_edges, completion=reply),
        measured=all(rate.measured for rate in rates.values()),
    )


@dataclass(frozen=True, kw_only=True)
class _Rate:
    """What an endpoint counts over what the rule of thumb does, and tokens of a reply."""

    prompt: float = 1.0
    reply: float = REPLY_TOKENS
    measured: bool = False


Pair = tuple[UserQuestion, ItemQuestion]


def _edges(readers: Sequence[Reader], shelf: int) -> list[Pair]:
    """Return pairs of users with something they like; it is left out of their shelf."""
    return [
        _pair(reader, reader.liked[0], reader.liked[1 : shelf + 1])
        for reader in readers
        if len(reader.liked) > 1
    ]


def _non_edges(readers: Sequence[Reader], others: Sequence[Reader], shelf: int) -> list[Pair]:
    return [
        _pair(reader, other.liked[0], reader.liked[:shelf])
        for reader, other in zip(readers, others, strict=True)
    ]


def _pair(reader: Reader, item: str, liked: Sequence[str]) -> Pair:
    return UserQuestion(user=reader.text, item=item), ItemQuestion(liked=tuple(liked), item=item)


def _mean(renderer: Renderer, pairs: Sequence[Pair], view: View) -> float:
    place = VIEWS.index(view)
    return fmean(renderer.tokens(pair[place]) for pair in pairs) if pairs else 0.0


def _readers(
    session: Session, dataset_id: UUID, sample: Sequence[str], positive: Sequence[Comparison]
) -> list[Reader]:
    likes = samples.pairs_of(session, dataset_id, sample, positive, most=MOST_LIKED)
    users = samples.texts_of(session, User, dataset_id, sample)
    wanted = {item for liked in likes.values() for item in liked}
    items = samples.texts_of(session, Item, dataset_id, wanted)
    return [
        Reader(
            text=users.get(user) or _composed([items[one] for one in liked if one in items]),
            liked=[items.get(one, "") for one in liked],
        )
        for user, liked in likes.items()
    ]


def _composed(liked: Sequence[str]) -> str:
    return "\n".join(text[:COMPOSED_CHARS] for text in liked[:COMPOSED_OF])


def _rate(
    session: Session,
    dataset_id: UUID,
    renderer: Renderer,
    view: View,
    *,
    llm: str,
    prompt_version: int,
) -> _Rate:
    """Return how the endpoint counted answers of before, their texts as they are now."""
    told = samples.answers(session, dataset_id, llm=llm, prompt_version=prompt_version, view=view)
    if not told:
        return _Rate()
    ids = {item for one in told for item in (one.item_id, *one.history)}
    items = samples.texts_of(session, Item, dataset_id, ids)
    users = samples.texts_of(session, User, dataset_id, {one.user_id for one in told})
    usable = [one for one in told if view == "item" or one.user_id in users]
    guessed = sum(renderer.tokens(_asked(one, view, users, items)) for one in usable)
    if not guessed:
        return _Rate()
    return _Rate(
        prompt=sum(one.prompt_tokens for one in usable) / guessed,
        reply=fmean(one.completion_tokens for one in told),
        measured=True,
    )


def _asked(told: Told, view: View, users: Mapping[str, str], items: Mapping[str, str]) -> Question:
    item = items.get(told.item_id, "")
    if view == "user":
        return UserQuestion(user=users[told.user_id], item=item)
    shelf = tuple(items.get(one, "") for one in told.history if one != told.item_id)
    return ItemQuestion(liked=shelf, item=item)
