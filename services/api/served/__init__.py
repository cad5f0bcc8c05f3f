"""What is served now: which model each dataset points to, its mapped lists, and the scorer."""

from services.api.served.on_demand import OnDemand
from services.api.served.pointers import Pointer, Pointers, Published
from services.api.served.scorer import Scorer
from services.api.served.shelf import Lists, Shelf

__all__ = ["Lists", "OnDemand", "Pointer", "Pointers", "Published", "Scorer", "Shelf"]
