"""What a part is solved on and whose histories it reads: G, G', its other readings, or one by one.

A source names both: a graph's name for both, "raw, read as NAME" for a part that was solved on G
and reads the histories of another graph.
"""

from collections.abc import Iterable, Iterator, Mapping

from services.recsys.closed_forms import ClosedForm
from services.recsys.data import Interactions

RAW, REFINED = "raw", "refined"
READ_AS = f"{RAW}, read as "
"""Before the name of the graph whose histories a part reads that was solved on G."""


def graphs(
    train: Interactions, refined: Interactions | None, more: Mapping[str, Interactions]
) -> dict[str, Interactions]:
    """Return G and, where there are any, G' and its other readings."""
    found = {RAW: train}
    if refined is not None:
        found[REFINED] = refined
    return found | dict(more)


def check_names(more: Iterable[str]) -> None:
    """Raise ValueError for a reading of G' that would be taken for another source."""
    for name in more:
        if name in {RAW, REFINED} or name.startswith(READ_AS):
            raise ValueError(f"a reading of G' cannot be named {name}")


def sources(graphs: Iterable[str], *, closed: bool) -> list[str]:
    """Return what a part can be chosen on among graphs; LLMHNI, no closed form, serves two."""
    if not closed:
        return [name for name in graphs if name in {RAW, REFINED}]
    return [*graphs, *(f"{READ_AS}{name}" for name in graphs if name != RAW)]


def readings(
    solved: ClosedForm, source: str, graphs: Mapping[str, Interactions]
) -> Iterator[tuple[str, ClosedForm]]:
    """Yield a part solved on a graph; of G also with the histories read from every other graph.

    A fake costs a closed form more in the history it is asked with than among the many it was
    solved from (docs/log.md), so weights may help the one and cost the other.
    """
    yield source, solved
    if source == RAW:
        for name in [name for name in graphs if name != RAW]:
            yield f"{READ_AS}{name}", solved.reading(graphs[name])


def fitted(model: ClosedForm, source: str, graphs: Mapping[str, Interactions]) -> ClosedForm:
    """Fit a part as `readings` named it."""
    if source.startswith(READ_AS):
        return model.fit(graphs[RAW]).reading(graphs[source.removeprefix(READ_AS)])
    return model.fit(graphs[source])
