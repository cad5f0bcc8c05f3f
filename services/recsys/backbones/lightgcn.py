"""LightGCN (arXiv 2002.02126): neighbours' vectors, averaged over the layers, no weights."""

from torch import Tensor

from services.recsys.backbones import Backbone
from services.recsys.data import Embeddings
from services.recsys.propagate import propagate


class LightGCN(Backbone):
    """1/(L+1) * sum over l of Â^l X; layers share the one parameter X."""

    uses_graph = True

    def embeddings(self, entries: Tensor) -> Embeddings:
        """Embeddings on the graph whose normalised entries (2E,) are given."""
        return self._halves(propagate(self.graph, entries, self.X, n_layers=self.n_layers))
