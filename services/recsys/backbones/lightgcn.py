"""LightGCN (arXiv 2002.02126): neighbours' vectors, averaged over the layers, no weights."""

import torch
from torch import Tensor

from services.recsys.backbones import Backbone
from services.recsys.data import Embeddings
from services.recsys.propagate import propagate, propagate_rows


class LightGCN(Backbone):
    """1/(L+1) * sum over l of Â^l X; layers share the one parameter X."""

    uses_graph = True

    def embeddings(self, entries: Tensor) -> Embeddings:
        """Embeddings on the graph whose normalised entries (2E,) are given."""
        return self._halves(propagate(self.graph, entries, self.X, n_layers=self.n_layers))

    def at(
        self, entries: Tensor, *, users: Tensor, items: Tensor, z: Embeddings | None = None
    ) -> tuple[Embeddings, Embeddings]:
        """Rows of the embeddings and of X; the outermost layer is made for these rows alone."""
        nodes = torch.cat([users, items + self.graph.n_users])
        known = (
            None
            if z is None
            else torch.cat([z.users.index_select(0, users), z.items.index_select(0, items)])
        )
        found = propagate_rows(
            self.graph, entries, self.X, nodes, n_layers=self.n_layers, known=known
        )
        first, second = (Embeddings(*torch.split(side, [len(users), len(items)])) for side in found)
        return first, second
