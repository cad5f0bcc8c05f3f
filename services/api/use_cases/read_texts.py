"""Read how far the texts of users and items reach, and in which scripts they are written."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import wordings
from services.shared.db.repos.wordings import Table, Wording
from services.shared.db.tables import Item, User
from services.shared.scripts import FOREIGN_SHARE, foreign_share, script_of
from services.shared.settings import settings


@dataclass(frozen=True, kw_only=True)
class Side:
    """The texts of users or of items; `scripts` are shares of those that say something."""

    profiles: int
    missing: int
    titled: int
    short: int
    long: int
    median_chars: float | None
    max_chars: int | None
    prompt_limit: int
    scripts: Mapping[str, float]
    non_latin: float  # share of texts that an English encoder would not read in full
    read: int  # texts whose letters were looked at
    exact: bool  # all that could be of another script were


def read_texts(session: Session, dataset_id: UUID) -> dict[str, Side]:
    """Return both sides; lengths are counted over all texts, scripts over some thousands."""
    tables: dict[str, Table] = {"users": User, "items": Item}
    return {name: _side(session, table, dataset_id) for name, table in tables.items()}


def _side(session: Session, table: Table, dataset_id: UUID) -> Side:
    limit = settings().limits.prompt_text_chars
    found = wordings.wording(session, table, dataset_id, max_chars=limit)
    kinds = {
        plain: wordings.some(session, table, dataset_id, plain=plain) for plain in (True, False)
    }
    weights = {True: found.plain, False: found.profiles - found.blank - found.plain}
    scripts: dict[str, float] = defaultdict(float)
    non_latin = 0.0
    for plain, texts in kinds.items():
        each = weights[plain] / len(texts) if texts else 0.0
        for text in texts:
            scripts[script_of(text)] += each
            non_latin += each * (foreign_share(text) >= FOREIGN_SHARE)
    return Side(
        profiles=found.profiles,
        missing=found.blank,
        titled=found.titled,
        short=found.short,
        long=found.long,
        median_chars=found.median,
        max_chars=found.most,
        prompt_limit=limit,
        scripts=_shares(scripts, found),
        non_latin=round(non_latin / max(found.profiles - found.blank, 1), 6),
        read=sum(len(texts) for texts in kinds.values()),
        exact=len(kinds[False]) == weights[False],
    )


def _shares(scripts: Mapping[str, float], found: Wording) -> dict[str, float]:
    said = max(found.profiles - found.blank, 1)
    ordered = sorted(scripts, key=lambda name: (-scripts[name], name))
    return {name: round(scripts[name] / said, 6) for name in ordered}
