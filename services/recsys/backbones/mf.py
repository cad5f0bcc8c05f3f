"""Matrix factorisation: the free vectors are the embeddings (BPR, arXiv 1205.2618)."""

from torch import Tensor

from services.recsys.backbones import Backbone
from services.recsys.data import Embeddings


class MF(Backbone):
    """No graph: a refined graph reaches it through its training pairs only."""

    uses_graph = False

    def embeddings(self, entries: Tensor) -> Embeddings:  # noqa: ARG002 - a graph it ignores
        """X, whatever the graph."""
        return self.ego()
