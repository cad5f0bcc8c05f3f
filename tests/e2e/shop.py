"""A small bookshop as the three files of an upload, with lines that no import may accept."""

from dataclasses import dataclass
from pathlib import Path

from winnow.bookshop.files import TRUTH, UPLOADED, write_shop
from winnow.bookshop.shop import make_shop

SEED, READERS, BOOKS = 7, 120, 100
CSV, NDJSON = "text/csv", "application/x-ndjson"
TYPES = {"users": NDJSON, "items": NDJSON, "interactions": CSV}
BAD_LINES = {
    40: "reader-0001,,purchase,1,2023-04-01T00:00:00Z,train",  # no item
    700: "reader-0002,book-0003,purchase,many,2023-04-01T00:00:00Z,train",  # no number
    1500: "reader-0003,book-0004,purchase,1,some day in spring,train",  # no time
}
"""By line number, the header being line 1."""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The files; `good` counts the interactions that are well-formed."""

    folder: Path
    good: int

    def file(self, kind: str) -> Path:
        """Return the file of users, items or interactions."""
        return self.folder / UPLOADED[kind]

    @property
    def truth(self) -> Path:
        """Return the file that is never uploaded."""
        return self.folder / TRUTH


def write(folder: Path) -> Shop:
    """Write the shop into a folder, its bad lines between the good ones."""
    write_shop(make_shop(SEED, readers=READERS, books=BOOKS), folder, seed=SEED)
    path = folder / UPLOADED["interactions"]
    lines = path.read_text(encoding="utf-8").splitlines()
    good = len(lines) - 1
    for number, line in sorted(BAD_LINES.items()):
        lines.insert(number - 1, line)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Shop(folder=folder, good=good)
