"""What is served now: which model each dataset points to, and its mapped lists."""

from services.api.served.pointers import Pointer, Pointers, Published
from services.api.served.shelf import Lists, Shelf

__all__ = ["Lists", "Pointer", "Pointers", "Published", "Shelf"]
