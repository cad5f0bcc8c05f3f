"""Let people overrule: set, change and take back their words on pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import audit, datasets, overrides, profiles
from services.shared.db.repos.audit import Actor, Deed
from services.shared.db.repos.overrides import Pair, Word
from services.shared.db.tables import Dataset, Item, Override, User
from services.shared.errors import Fault, InvalidError, NotFoundError
from services.shared.specs import DatasetSettings


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How many words differ from what stood there, what was refused, and the version now."""

    changed: int
    rejected: Sequence[Fault]
    version: int


def set_word(session: Session, dataset_id: UUID, word: Word, *, actor: Actor) -> None:
    """Keep a person's word; the same word, note and author again change nothing.

    InvalidError for an id that was not uploaded where the dataset wants known ids.
    """
    outcome = set_words(session, dataset_id, [(0, word)], actor=actor)
    if outcome.rejected:
        fault = outcome.rejected[0]
        raise InvalidError(fault.detail, code=fault.code, pointer=fault.pointer)


def withdraw_word(
    session: Session, dataset_id: UUID, pair: Pair, *, note: str | None, actor: Actor
) -> None:
    """Take the word back, its history stays; NotFoundError when nobody ever spoke.

    A word that is withdrawn already stays so: a repeated request does no harm.
    """
    datasets.lock(session, dataset_id)
    if not overrides.history(session, dataset_id, pair, most=1):
        raise NotFoundError("person's word on the pair", ", ".join(pair))
    word = Word(user_id=pair[0], item_id=pair[1], verdict=None, note=note, author=actor.author)
    set_words(session, dataset_id, [(0, word)], actor=actor)


def set_words(
    session: Session, dataset_id: UUID, rows: Sequence[tuple[int, Word]], *, actor: Actor
) -> Outcome:
    """Keep many words, each with its place in the request; of a pair that comes twice the last.

    Any pair may be spoken of, in the log or not; a verdict of None takes a word back.
    """
    dataset = datasets.lock(session, dataset_id)
    rejected = _unknown_ids(session, dataset, rows)
    refused = {fault.index for fault in rejected}
    last = {word.pair: word for index, word in rows if index not in refused}
    before = overrides.find(session, dataset_id, list(last))
    new = [word for pair, word in last.items() if _differs(before.get(pair), word)]
    if new:
        dataset.version += 1
        session.flush()
        _write_down(session, dataset, before, new, actor)
        overrides.keep(session, dataset, new, actor)
    return Outcome(changed=len(new), rejected=rejected, version=dataset.version)


def _differs(before: Override | None, word: Word) -> bool:
    if before is None or word.verdict is None:
        return (before is None) != (word.verdict is None)
    return (before.verdict, before.note, before.author) != (word.verdict, word.note, word.author)


def _write_down(
    session: Session,
    dataset: Dataset,
    before: Mapping[Pair, Override],
    new: Sequence[Word],
    actor: Actor,
) -> None:
    by_author: dict[str | None, list[Deed]] = {}
    for word in new:
        deed = _deed(dataset.id, before.get(word.pair), word)
        by_author.setdefault(word.author, []).append(deed)
    for author, deeds in by_author.items():
        audit.add(session, actor.by(author), *deeds, project_id=dataset.project_id)


def _deed(dataset_id: UUID, before: Override | None, word: Word) -> Deed:
    subject: dict[str, Any] = {
        "user_id": word.user_id,
        "item_id": word.item_id,
        "before": None if before is None else before.verdict,
        "after": word.verdict,
    }
    action: audit.Action = "verdict.withdraw" if word.verdict is None else "verdict.set"
    return Deed(action=action, dataset_id=dataset_id, subject=subject)


def _unknown_ids(
    session: Session, dataset: Dataset, rows: Sequence[tuple[int, Word]]
) -> list[Fault]:
    """Return a fault per word on an unknown id, where the dataset takes known ids only.

    A word may always be taken back: its ids may have been deleted since.
    """
    if not DatasetSettings.read(dataset.settings).require_known_ids:
        return []
    said = [(index, word) for index, word in rows if word.verdict is not None]
    users = profiles.known(session, User, dataset.id, {word.user_id for _, word in said})
    items = profiles.known(session, Item, dataset.id, {word.item_id for _, word in said})
    faults = []
    for index, word in said:
        for noun, ident, known in (("user", word.user_id, users), ("item", word.item_id, items)):
            if ident not in known:
                detail = f"There is no {noun} {ident!r}; this dataset takes known ids only."
                pointer = f"/path/{noun}_id"
                fault = Fault(code="UNKNOWN_ID", detail=detail, pointer=pointer, index=index)
                faults.append(fault)
                break
    return faults
