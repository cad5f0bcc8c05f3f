"""How much each stage has to do, in the unit its time grows with; known, or to be expected."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import median
from typing import Any

from services.shared.db.repos.history import Past
from services.shared.db.tables import Run, Stage
from services.shared.specs import LlmhniParams, RunSpec
from services.shared.stages import StageName

VIEWS_PER_PAIR = 2
TRAIN_SHARE = 0.7
"""Of the rows of an upload, before the snapshot has counted them."""

Figures = Mapping[str, Mapping[str, Any]]
Number = float | None


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a run's stages have counted; None where none has."""

    rows: Number = None
    train: Number = None  # edges
    users: Number = None
    items: Number = None
    texts: Number = None  # users and items
    embedded: Number = None  # texts that had no vector yet
    pairs: Number = None
    calls: Number = None
    asked: Number = None  # calls that the cache did not answer
    epochs: Number = None
    raw_epochs: Number = None


def counted(figures: Figures) -> Size:
    """Return what the figures of a run's stages tell."""
    snapshot, embed, rate = (figures.get(name, {}) for name in ("snapshot", "embed", "rate"))
    users, items = _number(snapshot, "users"), _number(snapshot, "items")
    calls, cached = _number(rate, "calls"), _number(rate, "cached")
    return Size(
        rows=_number(snapshot, "rows"),
        train=_number(snapshot, "train"),
        users=users,
        items=items,
        texts=None if users is None or items is None else users + items,
        embedded=_number(embed, "embedded"),
        pairs=_number(figures.get("candidates", {}), "pairs"),
        calls=calls,
        asked=None if calls is None or cached is None else calls - cached,
        epochs=_number(figures.get("train", {}), "epochs"),
        raw_epochs=_number(figures.get("train_raw", {}), "epochs"),
    )


def of_past(past: Past) -> Size:
    """Return the size of a run that has ended."""
    return counted({name: took.figures for name, took in past.stages.items()})


def usual_epochs(pasts: Sequence[Past]) -> Size:
    """Return after how many epochs the trainings of the past stopped; the middle of them."""
    sizes = [of_past(past) for past in pasts]
    epochs = [one.epochs for one in sizes if one.epochs]
    raw = [one.raw_epochs for one in sizes if one.raw_epochs]
    return Size(epochs=median(epochs) if epochs else None, raw_epochs=median(raw) if raw else None)


def expected(
    run: Run,
    stages: Sequence[Stage],
    pasts: Sequence[Past],
    uploaded: Mapping[str, int],
    *,
    usual: Size,
) -> Size:
    """Return a run's size: as far as it is known, then as its dataset's last run had it.

    Before a dataset's first snapshot the uploads tell; trainings stop after the `usual` epochs.
    """
    known = counted({stage.name: stage.figures for stage in stages if stage.finished_at})
    last = of_past(pasts[0]) if pasts else Size()
    filled = _either(known, _either(replace(last, embedded=None, asked=None), _of(uploaded)))
    params = RunSpec.read(run.spec).params if run.spec else LlmhniParams()
    budget = float(run.spec.get("budget_pairs", RunSpec().budget_pairs))
    pairs = filled.pairs
    if pairs is None and filled.users is not None:
        pairs = filled.users * (params.n1 + params.n2)
    calls = known.calls
    if calls is None and pairs is not None:
        calls = VIEWS_PER_PAIR * min(budget, pairs)
    return replace(
        filled,
        pairs=pairs if pairs is None else min(budget, pairs),
        calls=calls,
        asked=_first(known.asked, _asked(calls, last)),
        embedded=_first(known.embedded, _to_embed(filled.texts, last)),
        epochs=_epochs(known.epochs, usual.epochs, params),
        raw_epochs=_epochs(known.raw_epochs, usual.raw_epochs, params),
    )


def _of(uploaded: Mapping[str, int]) -> Size:
    rows, users, items = (
        float(uploaded.get(kind, 0)) or None for kind in ("interactions", "users", "items")
    )
    texts = None if users is None or items is None else users + items
    train = None if rows is None else TRAIN_SHARE * rows
    return Size(rows=rows, train=train, users=users, items=items, texts=texts)


def _asked(calls: Number, last: Size) -> Number:
    """Return the calls that the cache will not answer, by the share that it answered last time."""
    if calls is None or not last.calls or last.asked is None:
        return calls
    return calls * last.asked / last.calls


def _to_embed(texts: Number, last: Size) -> Number:
    if texts is None or last.texts is None:
        return texts
    return max(0.0, texts - last.texts)


def _epochs(known: Number, usual: Number, params: LlmhniParams) -> Number:
    most = float(params.epochs)
    return _first(known, min(most, usual) if usual is not None else most)


def _either(first: Size, second: Size) -> Size:
    names = [one.name for one in fields(Size)]
    return Size(**{name: _first(getattr(first, name), getattr(second, name)) for name in names})


def _first(first: Number, second: Number) -> Number:
    return second if first is None else first


def _number(figures: Mapping[str, Any], name: str) -> Number:
    value = figures.get(name)
    return float(value) if isinstance(value, int | float) else None


def _times(*factors: Number) -> Number:
    product = 1.0
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return product


WORK: Mapping[StageName, Callable[[Size], Number]] = {
    StageName.SNAPSHOT: lambda size: size.rows,
    StageName.EMBED: lambda size: size.embedded,
    StageName.ALIGN: lambda size: size.train,
    StageName.PRETRAIN: lambda size: size.train,
    StageName.CANDIDATES: lambda size: size.train,
    StageName.RATE: lambda size: size.asked,
    StageName.TRAIN_RAW: lambda size: _times(size.train, size.raw_epochs),
    StageName.REFINE: lambda size: size.pairs,
    StageName.TRAIN: lambda size: _times(size.train, size.epochs),
    StageName.EVALUATE: lambda size: _times(size.users, size.items),
    StageName.PUBLISH: lambda size: _times(size.users, size.items),
}
"""The unit in which a stage's time grows; a test holds it complete."""
