"""The list format: top-N lists encoded beforehand, so that an answer is a slice of a file."""

from services.shared.toplists.layout import Entry
from services.shared.toplists.reader import TopLists
from services.shared.toplists.writer import write

__all__ = ["Entry", "TopLists", "write"]
