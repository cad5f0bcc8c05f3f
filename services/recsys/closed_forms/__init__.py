"""Models with a closed form: no epochs, next to no seed, and hard to beat.

Each has `fit(train)`, then `score_rows(rows)` for any (b, I) histories, so that a person who came
after the fit is scored by folding in, and `score_block(users)` for the people of the fit.
"""

from services.recsys.closed_forms.base import ClosedForm
from services.recsys.closed_forms.collective import CollectiveEase, Side, TextKernel
from services.recsys.closed_forms.ease import Ease
from services.recsys.closed_forms.gfcf import GfCf
from services.recsys.closed_forms.ials import Ials
from services.recsys.closed_forms.itemknn import ItemKnn
from services.recsys.closed_forms.popularity import Popularity

__all__ = [
    "ClosedForm",
    "CollectiveEase",
    "Ease",
    "GfCf",
    "Ials",
    "ItemKnn",
    "Popularity",
    "Side",
    "TextKernel",
]
